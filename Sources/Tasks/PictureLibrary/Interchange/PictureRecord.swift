import Checkpoints
import Foundation
import Imaging

/// What files of other programs say of one picture, under the names that img2dataset and clip-retrieval use.
struct PictureRecord: Sendable, Equatable {
    /// Of the vector in a file that carries ids, such as FAISS'.
    var vectorID: Int64?
    /// Where the picture lies, or its address; as it is written, so perhaps relative.
    var path: FilePath?
    var words = PictureWords()
    var width: Int?
    var height: Int?
    var format: String?
    /// SHA-256 of the file's bytes.
    var hash: Data?
    var taken: String?
    var latitude: Double?
    var longitude: Double?

    /// One line of text for the picture: what clip-retrieval shows and embeds.
    var caption: String? { words.title ?? words.description }

    static let columns: [ParquetWriter.Column] = [
        .init("image_path", .text), .init("caption", .text), .init("description", .text), .init("tags", .text), .init("width", .int),
        .init("height", .int), .init("format", .text), .init("sha256", .text), .init("taken", .text), .init("latitude", .real),
        .init("longitude", .real), .init("vector_id", .int),
    ]

    /// In the order of `columns`.
    var values: [ParquetValue] {
        func text(_ text: String?) -> ParquetValue { text.map { .text($0) } ?? .null }
        func int(_ number: Int?) -> ParquetValue { number.map { .int(Int64($0)) } ?? .null }
        func real(_ number: Double?) -> ParquetValue { number.map { .real($0) } ?? .null }
        return [
            text(path?.display), text(caption), text(words.description),
            text(words.tags.isEmpty ? nil : words.tags.joined(separator: "\n")),
            int(width), int(height), text(format), text(hash.map(Self.hex)), text(taken), real(latitude), real(longitude),
            vectorID.map { .int($0) } ?? .null,
        ]
    }

    var json: JSONLine {
        var line = JSONLine()
        if let path { line.add("image_path", path) }
        line.add("caption", caption)
        line.add("description", words.description)
        if !words.tags.isEmpty { line.add("tags", words.tags) }
        line.add("width", width)
        line.add("height", height)
        line.add("format", format)
        line.add("sha256", hash.map(Self.hex))
        line.add("taken", taken)
        line.add("latitude", latitude)
        line.add("longitude", longitude)
        line.add("vector_id", vectorID.map { Int($0) })
        return line
    }

    private static func hex(_ bytes: Data) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

extension PictureRecord {
    /// Names that a field goes by, the likelier first.
    static let names: [(field: String, names: [String])] = [
        ("path", ["image_path", "path", "file", "filepath", "file_name", "url"]), ("caption", ["caption", "title", "text"]),
        ("description", ["description"]), ("tags", ["tags"]), ("width", ["width"]), ("height", ["height"]), ("format", ["format"]),
        ("sha256", ["sha256"]), ("taken", ["taken"]), ("latitude", ["latitude"]), ("longitude", ["longitude"]),
        ("id", ["vector_id", "id"]),
    ]
    private static let largestSide = 1 << 24

    /// - Parameter value: what a column or key of one of `names` holds; null counts as absent.
    init(_ value: (_ field: String) -> JSONValue?) {
        func text(_ field: String) -> String? {
            guard let text = value(field)?.string?.trimmingCharacters(in: .whitespacesAndNewlines), !text.isEmpty else { return nil }
            return text
        }
        func side(_ field: String) -> Int? { Self.whole(value(field)).flatMap { (1...Self.largestSide).contains($0) ? $0 : nil } }
        path = value("path")?.string.flatMap { $0.isEmpty || $0.utf8.contains(0) ? nil : FilePath($0) }
        let caption = text("caption")
        let isTitle = caption.map { $0.count <= Sidecar.longestTitle && !$0.contains(where: \.isNewline) } ?? false
        let description = text("description") ?? (isTitle ? nil : caption)
        let tags = value("tags")?.array?.compactMap(\.string) ?? text("tags")?.split(whereSeparator: \.isNewline).map(String.init) ?? []
        words = PictureWords(title: isTitle ? caption : nil, description: description == caption && isTitle ? nil : description, tags: tags)
        (width, height, format) = (side("width"), side("height"), text("format").map { String($0.prefix(32)) })
        hash = text("sha256").flatMap(Self.digest)
        taken = text("taken").map { String($0.prefix(32)) }
        latitude = Self.angle(value("latitude"), 90)
        longitude = Self.angle(value("longitude"), 180)
        vectorID = Self.whole(value("id")).map(Int64.init)
    }

    /// A line of a JSON lines file.
    init(json: JSONValue) {
        self.init { field in
            let names = Self.names.first { $0.field == field }?.names ?? []
            return names.lazy.compactMap { json[$0] }.first { $0 != .null }
        }
        // A name that isn't UTF-8.
        guard let bytes = json["image_path_base64"]?.string.flatMap({ Data(base64Encoded: $0) }), !bytes.isEmpty, !bytes.contains(0) else {
            return
        }
        path = FilePath(bytes)
    }

    private static func whole(_ value: JSONValue?) -> Int? {
        switch value {
        case .int(let number): number
        case .number(let number): Int(exactly: number)
        default: nil
        }
    }

    private static func angle(_ value: JSONValue?, _ limit: Double) -> Double? {
        let number: Double? =
            switch value {
            case .int(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        return number.flatMap { abs($0) <= limit ? $0 : nil }
    }

    /// 64 hexadecimal digits.
    private static func digest(_ text: String) -> Data? {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes = Data()
        for place in stride(from: 0, to: 64, by: 2) {
            guard let byte = UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
