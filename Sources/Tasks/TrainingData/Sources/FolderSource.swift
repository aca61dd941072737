import Imaging

/// Pictures in a folder and the folders inside it.
///
/// With captions: `x.jpg` beside `x.txt` (a caption on each line) and `x.LANGUAGE.txt` (`x.zh.txt`: captions in that language).
/// With classes: each folder inside the folder is a class, labelled in the order of the names.
public struct FolderSource: IndexedSource {
    public enum Layout: String, Sendable, Codable, CaseIterable {
        case captions, classes
        /// Pictures alone.
        case pictures
    }

    private struct Entry: Sendable {
        var path: FilePath
        /// Caption files: the language and the name's suffix behind the picture's stem.
        var captions: [(language: String?, path: FilePath)]
        var label: Int?
    }

    public let path: String
    public let layout: Layout
    public let classNames: [String]
    public private(set) var problems = DataProblems()
    public let fingerprint: String
    private var entries: [Entry] = []
    private let limits: DataLimits

    /// Lists the folder; files are read when they are asked for.
    /// - Parameter layout: nil finds out: captions where there are any, else classes where there are folders with pictures.
    /// Throws when the folder can't be listed or holds no sample of this layout.
    public init(path: String, layout: Layout? = nil, limits: DataLimits = DataLimits()) throws(DataError) {
        self.path = path
        self.limits = limits
        var walk = Walk(captions: layout ?? .captions == .captions)
        try walk.enter(FilePath(path), depth: 0)
        let layout = layout ?? walk.natural
        self.layout = layout
        var classes: [String] = []
        problems = walk.problems
        for found in walk.found {
            var entry = Entry(path: found.path, captions: found.captions, label: nil)
            switch layout {
            case .captions:
                if found.captions.isEmpty {
                    problems.add(DataError(found.path.description, "no caption file (.txt) beside this picture: left out"))
                    continue
                }
            case .classes:
                guard let name = found.top else {
                    problems.add(DataError(found.path.description, "lies in no class folder: left out"))
                    continue
                }
                if classes.last != name { classes.append(name) }
                entry.label = classes.count - 1
                entry.captions = []
            case .pictures: entry.captions = []
            }
            entries.append(entry)
        }
        classNames = classes
        var digest = Fingerprint()
        for entry in entries { digest.add(entry.path.bytes.dropFirst(path.utf8.count)) }
        fingerprint = "folder-\(layout.rawValue)-\(digest.text)"
        guard !entries.isEmpty else { throw Self.empty(path, layout, walk) }
    }

    private static func empty(_ path: String, _ layout: Layout, _ walk: Walk) -> DataError {
        if walk.found.isEmpty { return DataError(path, "no pictures in this folder") }
        return switch layout {
        case .captions: DataError(path, "\(walk.found.count) pictures, but no caption beside any: put x.txt beside x.jpg")
        case .classes: DataError(path, "\(walk.found.count) pictures, but none in a folder of its own class")
        case .pictures: DataError(path, "no pictures in this folder")
        }
    }

    public var count: Int { entries.count }

    public func id(_ index: Int) -> String {
        String(decoding: entries[index].path.bytes.dropFirst(path.utf8.count).drop { $0 == UInt8(ascii: "/") }, as: UTF8.self)
    }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        let entry = entries[index]
        var captions = CaptionList(limits)
        for (language, file) in entry.captions {
            let text = try InputFile.text(file, limit: limits.textBytes)
            for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
                try captions.add(line, language: language) { DataError(file.description, line: number + 1, $0) }
            }
        }
        if !entry.captions.isEmpty, captions.captions.isEmpty {
            throw DataError(entry.captions[0].path.description, "the caption file is empty")
        }
        return Sample(id: id(index), picture: .file(entry.path), captions: captions.captions, label: entry.label)
    }
}

/// Pictures and their caption files, folder by folder in the order of names. A folder is entered once, so loops of links end.
private struct Walk {
    struct Found {
        var path: FilePath
        var captions: [(language: String?, path: FilePath)] = []
        /// Name of the folder right below the root.
        var top: String?
    }

    static let deepest = 64
    let captions: Bool
    var found: [Found] = []
    var problems = DataProblems()
    private var entered: Set<FolderListing.Identity> = []

    init(captions: Bool) { self.captions = captions }

    /// What the folder looks like.
    var natural: FolderSource.Layout {
        if found.contains(where: { !$0.captions.isEmpty }) { return .captions }
        return found.contains { $0.top != nil } ? .classes : .pictures
    }

    mutating func enter(_ folder: FilePath, depth: Int, top: String? = nil) throws(DataError) {
        guard depth < Self.deepest else { throw DataError(folder.description, "folders nested deeper than \(Self.deepest) levels") }
        guard let identity = FolderListing.identity(folder) else { throw DataError(folder.description, "no such folder") }
        guard entered.insert(identity).inserted else { return }
        let contents = try FolderListing.list(folder)
        gather(contents.files, folder, top)
        for name in contents.folders {
            do throws(DataError) {
                try enter(
                    FolderListing.appending(folder, name), depth: depth + 1, top: top ?? String(decoding: name, as: UTF8.self))
            } catch {
                problems.add(error)
            }
        }
    }

    private mutating func gather(_ files: [[UInt8]], _ folder: FilePath, _ top: String?) {
        var texts: [[UInt8]: [(language: String?, path: FilePath)]] = [:]
        for name in files where captions {
            var (stem, suffix) = FileName.split(name)
            guard suffix == "txt" else { continue }
            let inner = FileName.split(stem)
            let language = languageSuffix(inner.suffix)
            if language != nil { stem = inner.stem }
            texts[stem, default: []].append((language, FolderListing.appending(folder, name)))
        }
        for name in files {
            let (stem, suffix) = FileName.split(name)
            guard FileName.pictures.contains(suffix) else { continue }
            // `x.jpg.txt` is written too.
            let beside = (texts.removeValue(forKey: stem) ?? []) + (texts.removeValue(forKey: name) ?? [])
            found.append(Found(path: FolderListing.appending(folder, name), captions: beside, top: top))
        }
        // A text whose picture is gone, told from a readme by its company.
        guard found.contains(where: { !$0.captions.isEmpty }) else { return }
        for orphan in texts.values.flatMap({ $0 }).sorted(by: { $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) }) {
            problems.add(DataError(orphan.path.description, "a caption without its picture"))
        }
    }
}
