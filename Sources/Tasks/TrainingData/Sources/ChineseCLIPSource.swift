import Checkpoints
import Imaging

/// Chinese-CLIP's files: `NAME_imgs.tsv` (an identifier, a tab, the picture in base64) and `NAME_texts.jsonl`
/// (`{"text_id": 1, "text": "...", "image_ids": [1, 2]}`). Format: Chinese-CLIP's README, "Data".
public struct ChineseCLIPSource: IndexedSource {
    public let path: String
    public private(set) var problems = DataProblems()
    public private(set) var fingerprint = ""
    private let file: InputFile
    private let limits: DataLimits
    private let language: String?
    /// Captioned pictures: the place of the base64 text, and the identifier.
    private var pictures: [(place: RecordPlace, id: String)] = []
    private var captions: [[String]] = []

    /// - Parameters:
    ///   - pictures: the `_imgs.tsv`.
    ///   - texts: nil is the `_texts.jsonl` beside it.
    /// Throws when a file can't be read or no picture has a text; lines that are wrong are in `problems`.
    public init(
        pictures path: String, texts: String? = nil, language: String? = "zh", limits: DataLimits = DataLimits()
    ) throws(DataError) {
        self.path = path
        self.limits = limits
        self.language = language
        file = try InputFile(path)
        guard let texts = texts ?? Self.texts(beside: path) else {
            throw DataError(path, "a name that ends with _imgs.tsv is expected, or the file of the texts beside it")
        }
        let found = try findPictures()
        guard !found.isEmpty else { throw problems.first.first ?? DataError(path, "no pictures in this file") }
        var byID: [String: Int] = [:]
        for (index, picture) in found.enumerated() where byID.updateValue(index, forKey: picture.id) != nil {
            throw DataError(path, line: picture.place.line, field: "identifier", "\"\(picture.id.prefix(60))\" stands there twice")
        }
        let lists = try readTexts(texts, byID, count: found.count)
        var digest = Fingerprint()
        for (picture, list) in zip(found, lists) {
            if list.isEmpty {
                problems.add(DataError(path, line: picture.place.line, "no text for picture \(picture.id.prefix(60)): left out"))
                continue
            }
            self.pictures.append(picture)
            captions.append(list)
            digest.add(picture.id)
            digest.add(picture.place.count)
            for text in list { digest.add(text) }
        }
        guard !self.pictures.isEmpty else { throw DataError(texts, "no text belongs to any of the \(found.count) pictures of \(path)") }
        fingerprint = "chinese-clip-\(digest.text)"
    }

    static func texts(beside path: String) -> String? {
        path.hasSuffix("_imgs.tsv") ? String(path.dropLast("_imgs.tsv".count)) + "_texts.jsonl" : nil
    }

    public var count: Int { pictures.count }

    public func id(_ index: Int) -> String { pictures[index].id }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        let (place, id) = pictures[index]
        let text = try file.bytes(at: place.offset, count: place.count)
        var list = CaptionList(limits)
        for text in captions[index] { try list.add(text, language: language) { DataError(path, line: place.line, $0) } }
        do throws(Base64.Problem) {
            let bytes = try Base64.decode(text[...])
            return Sample(id: id, picture: .bytes(bytes, name: "\(path):\(place.line)"), captions: list.captions)
        } catch {
            throw DataError(path, line: place.line, field: "picture", error.text)
        }
    }

    private mutating func findPictures() throws(DataError) -> [(place: RecordPlace, id: String)] {
        var found: [(place: RecordPlace, id: String)] = []
        var scanner = RecordScanner(file, limit: limits.lineBytes)
        while let record = try scanner.next() {
            switch record {
            case let .problem(problem): problems.add(problem)
            case let .record(place, bytes):
                if bytes.isEmpty { continue }
                guard let tab = bytes.prefix(257).firstIndex(of: UInt8(ascii: "\t")), tab > bytes.startIndex,
                    let id = String(validating: bytes[..<tab], as: UTF8.self)
                else {
                    problems.add(DataError(path, line: place.line, "an identifier, a tab and a picture in base64 are expected"))
                    continue
                }
                let skipped = tab + 1 - bytes.startIndex
                let picture = RecordPlace(offset: place.offset + skipped, count: place.count - skipped, line: place.line)
                found.append((picture, id.trimmingSpace))
            }
        }
        return found
    }

    private mutating func readTexts(_ texts: String, _ byID: [String: Int], count: Int) throws(DataError) -> [[String]] {
        var lists = [[String]](repeating: [], count: count)
        var scanner = RecordScanner(try InputFile(texts), limit: limits.textBytes)
        while let record = try scanner.next() {
            switch record {
            case let .problem(problem): problems.add(problem)
            case let .record(place, bytes):
                if bytes.isEmpty { continue }
                do throws(DataError) {
                    try addText(bytes, texts, place.line, byID, &lists)
                } catch {
                    problems.add(error)
                }
            }
        }
        return lists
    }

    private func addText(
        _ bytes: ArraySlice<UInt8>, _ file: String, _ line: Int, _ byID: [String: Int], _ lists: inout [[String]]
    ) throws(DataError) {
        let record = try JSONRecord.parse(bytes, file: file, line: line)
        guard let text = record["text"]?.string else { throw DataError(file, line: line, field: "text", "a text is expected") }
        guard text.utf8.count <= limits.captionBytes else {
            throw DataError(file, line: line, field: "text", "\(text.utf8.count) bytes are over the limit of \(limits.captionBytes)")
        }
        guard let ids = record["image_ids"]?.array, !ids.isEmpty else {
            throw DataError(file, line: line, field: "image_ids", "a list of identifiers is expected")
        }
        for id in ids {
            guard let name = JSONRecord.plain(id), let index = byID[name] else {
                throw DataError(file, line: line, field: "image_ids", "there is no picture \(id.summary) in \(path)")
            }
            lists[index].append(text)
        }
    }
}
