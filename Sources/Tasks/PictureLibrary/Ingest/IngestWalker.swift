import Foundation
import Imaging

/// Finds files and pairs them with what the catalogue knows: the work of the walking thread.
struct IngestWalker: Sendable {
    let database: CatalogueDatabase
    let roots: [FilePath]
    let excluded: [FilePath]
    let options: IndexingOptions

    /// Calls `job` for every file until that returns false; returns the ids of known files that were seen.
    func walk(job: (IngestJob) -> Bool, problem: (FilePath, FileProblem) -> Void, found: (Int) -> Void) throws(LibraryError) -> Set<Int64> {
        var seen: Set<Int64> = []
        var folders: [FilePath] = []
        for root in roots {
            guard let status = root.status() else {
                let code = errno
                problem(root, FileProblem(code == ENOENT || code == ENOTDIR ? .vanished : .unreadable, systemMessage(code)))
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                folders.append(root)
            } else {
                guard try hand([FolderWalk.single(root, status)], folder: root.folder, to: job, found: found, seen: &seen) else {
                    return seen
                }
            }
        }
        let walkOptions = FolderWalk.Options(includesHidden: options.includesHidden, followsLinks: options.followsLinks)
        var walk = FolderWalk(roots: folders, excluding: excluded, options: walkOptions)
        while let finding = walk.next() {
            switch finding {
            case .problem(let path, let trouble): problem(path, trouble)
            case .folder(let folder, let files):
                guard try hand(files, folder: folder, to: job, found: found, seen: &seen) else { return seen }
            }
        }
        return seen
    }

    private func hand(
        _ files: [FoundFile], folder: FilePath, to job: (IngestJob) -> Bool, found: (Int) -> Void, seen: inout Set<Int64>
    ) throws(LibraryError) -> Bool {
        guard !files.isEmpty else { return true }
        found(files.count)
        let rows = try database.read { try $0.files(inFolder: folder) }
        let known = Dictionary(rows.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        for file in files {
            let row = known[file.path]
            if let row { seen.insert(row.id) }
            guard job(IngestJob(file: file, known: row)) else { return false }
        }
        return true
    }
}

/// Which known files are gone, and which only can't be reached.
struct MissingFiles: Sendable {
    enum Verdict: Equatable { case present, deleted, unreachable }

    private var emptyFolders: [FilePath: Bool] = [:]

    /// A file is deleted when the folder where it was, or what is left above that inside the root, can be read and is the one it
    /// was in. An empty folder on another device is a mount point whose disk is away: what lay there isn't deleted.
    mutating func verdict(on file: FileRow, under root: FilePath) -> Verdict {
        if let status = file.path.status() { return status.st_mode & S_IFMT == S_IFREG ? .present : .deleted }
        guard errno == ENOENT || errno == ENOTDIR || errno == ELOOP else { return .unreachable }
        // A link whose target is away: the target's disk may come back.
        if file.path.existsByName { return .unreachable }
        var folder = file.path.folder
        while folder != root, folder.isInside(root), !folder.existsByName { folder = folder.folder }
        guard let status = folder.status(), status.st_mode & S_IFMT == S_IFDIR else { return .unreachable }
        if FileStamp(status).device == file.stamp.device { return .deleted }
        let isEmpty = emptyFolders[folder] ?? FolderWalk.isEmpty(folder)
        emptyFolders[folder] = isEmpty
        return isEmpty ? .unreachable : .deleted
    }
}
