import Checkpoints
import Imaging

/// COCO captions: a JSON document with `images` (`id`, `file_name`) and `annotations` (`image_id`, `caption`).
/// Format: cocodataset.org, "Data format". Karpathy's split files (`images` with `sentences`) are read too.
public struct COCOSource: IndexedSource {
    private struct Entry: Sendable {
        var id: String
        var file: FilePath
        var captions: [String]
    }

    public let path: String
    public private(set) var problems = DataProblems()
    public private(set) var fingerprint = ""
    private var entries: [Entry] = []
    private let limits: DataLimits
    private let language: String?

    /// - Parameters:
    ///   - pictures: the folder of the pictures; nil is the document's own.
    ///   - split: of Karpathy's files, the pictures to take (`train`, `val`, `test`, `restval`); nil takes all.
    public init(
        path: String, pictures: String? = nil, split: String? = nil, language: String? = "en", limits: DataLimits = DataLimits()
    ) throws(DataError) {
        self.path = path
        self.limits = limits
        self.language = language
        let folder = pictures ?? FileName.folder(of: path)
        let document = try Self.document(path, limits)
        guard let images = document["images"]?.array else {
            throw DataError(path, field: "images", "a list of pictures is expected: is this a COCO captions file?")
        }
        var byID: [String: Int] = [:], found: [Entry] = []
        for (index, image) in images.enumerated() {
            if let split, let own = image["split"]?.string, own != split { continue }
            do throws(DataError) {
                let entry = try self.entry(image, index, folder)
                guard byID.updateValue(found.count, forKey: entry.id) == nil else {
                    throw DataError(path, field: "images[\(index)].id", "\(entry.id.prefix(60)) stands there twice")
                }
                found.append(entry)
            } catch {
                problems.add(error)
            }
        }
        addAnnotations(document["annotations"]?.array ?? [], byID, &found, isPart: split != nil)
        keep(found)
        guard !entries.isEmpty else { throw problems.first.first ?? DataError(path, "no captioned pictures in this document") }
    }

    private static func document(_ path: String, _ limits: DataLimits) throws(DataError) -> JSONValue {
        let bytes = try InputFile(path).contents(limit: limits.documentBytes)
        do throws(CheckpointError) {
            let parsed = bytes.withUnsafeBytes { raw in
                Result { () throws(CheckpointError) in try JSONValue.parse(raw, file: path, maximumDepth: 16) }
            }
            return try parsed.get()
        } catch {
            if case let .malformed(_, _, offset, problem) = error {
                throw DataError(path, "not JSON" + (offset.map { " at byte \($0)" } ?? "") + ": \(problem)")
            }
            throw DataError(path, "\(error)")
        }
    }

    private func entry(_ image: JSONValue, _ index: Int, _ folder: String) throws(DataError) -> Entry {
        guard let name = image["file_name"]?.string ?? image["filename"]?.string, !name.isEmpty, name.utf8.count <= 4_096,
            !name.utf8.contains(0)
        else {
            throw DataError(path, field: "images[\(index)].file_name", "the name of a file is expected")
        }
        guard let id = JSONRecord.plain(image["id"] ?? image["imgid"]) else {
            throw DataError(path, field: "images[\(index)].id", "an identifier is expected")
        }
        let inner = image["filepath"]?.string.map { $0 + "/" + name } ?? name
        let sentences = image["sentences"]?.array ?? []
        return Entry(id: id, file: FileName.resolve(inner, in: folder), captions: sentences.compactMap { $0["raw"]?.string })
    }

    /// - Parameter isPart: annotations of pictures that weren't taken are then no problem.
    private mutating func addAnnotations(_ annotations: [JSONValue], _ byID: [String: Int], _ found: inout [Entry], isPart: Bool) {
        for (index, annotation) in annotations.enumerated() {
            guard let caption = annotation["caption"]?.string else {
                problems.add(DataError(path, field: "annotations[\(index)].caption", "a text is expected"))
                continue
            }
            guard let id = JSONRecord.plain(annotation["image_id"]), let entry = byID[id] else {
                if isPart { continue }
                problems.add(
                    DataError(
                        path, field: "annotations[\(index)].image_id",
                        "there is no picture \(annotation["image_id"]?.summary ?? "null") in \"images\": a caption without its picture"))
                continue
            }
            found[entry].captions.append(caption)
        }
    }

    private mutating func keep(_ found: [Entry]) {
        var digest = Fingerprint()
        for entry in found {
            if entry.captions.isEmpty {
                problems.add(DataError(path, "no caption for picture \(entry.id.prefix(60)): left out"))
                continue
            }
            entries.append(entry)
            digest.add(entry.id)
            for caption in entry.captions { digest.add(caption) }
        }
        fingerprint = "coco-\(digest.text)"
    }

    public var count: Int { entries.count }

    public func id(_ index: Int) -> String { entries[index].id }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        let entry = entries[index]
        var captions = CaptionList(limits)
        for text in entry.captions {
            try captions.add(text, language: language) { DataError(path, field: "picture \(entry.id.prefix(60))", $0) }
        }
        return Sample(id: entry.id, picture: .file(entry.file), captions: captions.captions)
    }
}
