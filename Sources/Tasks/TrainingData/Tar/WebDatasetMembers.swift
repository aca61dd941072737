import Imaging

/// The members of one sample: those whose names agree up to the first dot of their last part (webdataset/tariterators.py).
struct MemberGroup: Sendable {
    /// Where the bytes of a member are.
    enum Content: Sendable {
        /// The file is opened when it is read: a shuffled buffer may hold samples of thousands of archives.
        case inFile(String, offset: Int, count: Int)
        case inMemory([UInt8])

        func bytes() throws(DataError) -> [UInt8] {
            switch self {
            case let .inFile(file, offset, count): try InputFile(file).bytes(at: offset, count: count)
            case let .inMemory(bytes): bytes
            }
        }
    }

    let shard: String
    let key: String
    private(set) var members: [(suffix: String, content: Content)] = []

    init(shard: String, key: String) {
        self.shard = shard
        self.key = key
    }

    static let mostMembers = 64

    mutating func add(_ suffix: String, _ content: Content) throws(DataError) {
        guard members.count < Self.mostMembers else {
            throw DataError(place(suffix), "more than \(Self.mostMembers) members of one sample")
        }
        members.append((suffix, content))
    }

    /// Bytes held in memory.
    var byteCount: Int {
        members.reduce(0) { total, member in
            if case let .inMemory(bytes) = member.content { total + bytes.count } else { total }
        }
    }

    /// The part that members share and what tells them apart; nil for names without a dot.
    static func split(_ name: String) -> (key: String, suffix: String)? {
        let start = name.utf8.lastIndex(of: UInt8(ascii: "/")).map { name.utf8.index(after: $0) } ?? name.startIndex
        guard let dot = name.utf8[start...].firstIndex(of: UInt8(ascii: ".")), dot > start else { return nil }
        return (String(name[..<dot]), name[name.utf8.index(after: dot)...].lowercased())
    }

    /// Whether a member of that kind is read at all.
    static func isWanted(_ suffix: String) -> Bool { FileName.pictures.contains(suffix) || kind(suffix) != nil }

    private enum Kind {
        case text(language: String?), json, label
    }

    private static func kind(_ suffix: String) -> Kind? {
        switch suffix {
        case "txt", "caption", "text": return .text(language: nil)
        case "json": return .json
        case "cls": return .label
        default:
            guard suffix.hasSuffix(".txt"), let language = languageSuffix(suffix.dropLast(4)) else { return nil }
            return .text(language: language)
        }
    }

    func place(_ suffix: String) -> String { "\(shard)/\(key).\(suffix)" }

    func sample(_ limits: DataLimits) throws(DataError) -> Sample {
        var picture: SamplePicture?
        var captions = CaptionList(limits)
        var label: Int?
        for (suffix, content) in members {
            if FileName.pictures.contains(suffix) {
                guard picture == nil else { continue }
                picture = .bytes(try content.bytes(), name: place(suffix))
                continue
            }
            let bytes = try content.bytes()
            guard bytes.count <= limits.textBytes else {
                throw DataError(place(suffix), "\(bytes.count) bytes are over the limit of \(limits.textBytes) for a text")
            }
            switch Self.kind(suffix) {
            case let .text(language): try addLines(bytes, language, suffix, &captions)
            case .json: try addRecord(bytes, suffix, &captions, &label)
            case .label: label = try number(bytes, suffix)
            case nil: continue
            }
        }
        guard let picture else { throw DataError("\(shard)/\(key)", "no picture among the members of this sample") }
        return Sample(id: key, picture: picture, captions: captions.captions, label: label)
    }

    private func addLines(_ bytes: [UInt8], _ language: String?, _ suffix: String, _ captions: inout CaptionList) throws(DataError) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw DataError(place(suffix), "not text in UTF-8") }
        for line in text.split(whereSeparator: \.isNewline) { try captions.add(line, language: language) { DataError(place(suffix), $0) } }
    }

    private func addRecord(_ bytes: [UInt8], _ suffix: String, _ captions: inout CaptionList, _ label: inout Int?) throws(DataError) {
        let record = try JSONRecord.parse(bytes[...], file: place(suffix), line: nil)
        // img2dataset writes a text beside and the same text into the record.
        let language = TableColumns.languageNames.lazy.compactMap { record[$0]?.string }.first.flatMap(languageTag)
        for name in TableColumns.captionNames {
            guard let value = record[name] else { continue }
            let found = try JSONRecord.captions(value, language: language) { DataError(place(suffix), field: name, $0) }
            for (text, language) in found {
                if captions.captions.contains(where: { $0.text == text.trimmingSpace }) { continue }
                try captions.add(text, language: language) { DataError(place(suffix), field: name, $0) }
            }
        }
        if label == nil, let number = record["label"]?.int ?? record["cls"]?.int, number >= 0 { label = number }
    }

    private func number(_ bytes: [UInt8], _ suffix: String) throws(DataError) -> Int {
        let text = String(decoding: bytes.prefix(64), as: UTF8.self)
        guard bytes.count <= 64, let number = Int(text.trimmingSpace), number >= 0 else {
            throw DataError(place(suffix), "a class number is expected, found \"\(text.prefix(20))\"")
        }
        return number
    }
}
