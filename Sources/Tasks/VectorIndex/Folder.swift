import Foundation

/// Opening a folder's files and following what writers, here or in other processes, add to them.
struct Folder: Sendable {
    let path: String

    var manifestPath: String { path + "/manifest" }
    var lockPath: String { path + "/lock" }
    func file(_ name: String) -> String { path + "/" + name }

    /// The manifest that the path names now, kept open: while it is, no other file can have its inode number.
    struct Opened: Sendable {
        let file: File
        let inode: UInt64

        func isCurrent(_ folder: Folder) -> Bool {
            var status = stat()
            return stat(folder.manifestPath, &status) == 0 && UInt64(status.st_ino) == inode
        }
    }

    func openManifest() throws(IndexError) -> Opened {
        let file = try File.open(manifestPath, flags: O_RDONLY)
        return Opened(file: file, inode: UInt64(try file.status().st_ino))
    }

    /// The whole state. A compaction that swaps the files meanwhile makes it start over.
    func load() throws(IndexError) -> (Opened, Snapshot) {
        var attempts = 0
        while true {
            let opened = try openManifest()
            do {
                return (opened, try load(opened))
            } catch {
                attempts += 1
                if attempts > 16 || opened.isCurrent(self) { throw error }
            }
        }
    }

    private func load(_ opened: Opened) throws(IndexError) -> Snapshot {
        let manifest = try readManifest(opened)
        let journal = try File.open(file(Snapshot.journalName(manifest.generation)))
        let vectors = try File.open(file(Snapshot.vectorsName(manifest.generation)))
        do {
            let header = try journal.read(Journal.headerBytes, at: 0, field: "header")
            try Journal.checkHeader(header, generation: manifest.generation, file: journal.path)
            let expected = Snapshot.vectorsHeader(manifest.settings, generation: manifest.generation)
            guard try vectors.read(expected.count, at: 0, field: "header") == expected else {
                throw .corrupt(
                    file: vectors.path, offset: 0, field: "header", found: "something else",
                    expected: "magic, generation, dimension and element size as the manifest says, and their checksum")
            }
        }
        var snapshot = Snapshot(
            settings: manifest.settings, generation: manifest.generation, vectorsFile: vectors, journalFile: journal, commit: .empty)
        try follow(&snapshot, to: manifest)
        return snapshot
    }

    /// Reads the manifest again where a commit block is not readable: a writer may be at it.
    func readManifest(_ opened: Opened) throws(IndexError) -> Manifest {
        var manifest = try Manifest.read(opened.file)
        for _ in 0..<3 where manifest.rollsForward {
            usleep(500)
            manifest = try Manifest.read(opened.file)
        }
        return manifest
    }

    /// Applies the journal's records from the snapshot's commit to the manifest's and returns them.
    @discardableResult
    func follow(_ snapshot: inout Snapshot, to manifest: Manifest) throws(IndexError) -> [Journal.Record] {
        let journal = snapshot.journalFile, start = snapshot.commit.journalBytes
        let size = try journal.size(), wanted = manifest.commit.journalBytes
        guard size >= wanted else {
            throw .corrupt(
                file: journal.path, offset: size, field: "file size", found: "\(size)",
                expected: "at least the \(wanted) acknowledged bytes")
        }
        let end = manifest.rollsForward ? size : wanted
        let bytes = try journal.read(max(end - start, 0), at: start, field: "records")
        var at = 0, next = snapshot, records: [Journal.Record] = []
        while next.commit.journalBytes < wanted {
            guard let (record, commit) = try Journal.decode(bytes, from: at, base: start, after: next.commit, file: journal.path),
                commit.journalBytes <= wanted
            else {
                throw .corrupt(
                    file: journal.path, offset: start + at, field: "record", found: "a length beyond the acknowledged bytes",
                    expected: "an end at \(wanted) at most")
            }
            try checkVectors(commit.rows, next)
            at = commit.journalBytes - start
            try next.apply(record, commit)
            records.append(record)
        }
        guard next.commit.rows == manifest.commit.rows, next.commit.chain == manifest.commit.chain else {
            throw .corrupt(
                file: journal.path, offset: wanted, field: "rows and checksum of the journal",
                found: "\(next.commit.rows), \(next.commit.chain.hex)",
                expected: "\(manifest.commit.rows), \(manifest.commit.chain.hex) as the manifest says")
        }
        if manifest.rollsForward, let record = try rollForward(&next, bytes, from: at, base: start) { records.append(record) }
        snapshot = next
        return records
    }

    /// That the vectors file is as long as the acknowledged rows need.
    func checkVectors(_ rows: Int, _ snapshot: Snapshot) throws(IndexError) {
        let size = try snapshot.vectorsFile.size(), wanted = Snapshot.vectorsHeaderBytes + rows * snapshot.settings.rowBytes
        guard size >= wanted else {
            throw .corrupt(
                file: snapshot.vectorsFile.path, offset: size, field: "file size", found: "\(size)",
                expected: "at least the \(wanted) bytes of \(rows) acknowledged vectors")
        }
    }

    /// The commit block of the newest change is not readable: if its record and vectors are whole, the change counts.
    private func rollForward(_ snapshot: inout Snapshot, _ bytes: [UInt8], from start: Int, base: Int) throws(IndexError) -> Journal.Record?
    {
        guard
            let (record, commit) = try? Journal.decode(
                bytes, from: start, base: base, after: snapshot.commit, file: snapshot.journalFile.path)
        else { return nil }
        guard try snapshot.vectorsFile.size() >= Snapshot.vectorsHeaderBytes + commit.rows * snapshot.settings.rowBytes else { return nil }
        var next = snapshot
        try next.apply(record, commit)
        snapshot = next
        return record
    }
}
