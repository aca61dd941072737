/// Walks over XML text without building a tree. Knows elements, attributes, text and CDATA; of entities only the five of XML itself and
/// character numbers; document types are skipped, so nothing can be defined, fetched or expanded. Malformed text ends the walk.
struct XMLScanner {
    enum Event {
        case start(name: String, attributes: [(name: String, value: String)])
        case end
        case text(String)
    }

    /// What goes beyond these ends the walk, but for longer values, which are cut.
    struct Bounds {
        var depth = 64
        var attributes = 256
        var nameBytes = 256
        var valueBytes = MetadataText.longest * 8
    }

    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0
    private var pendingEnd = false
    private let bounds: Bounds
    /// Stands for entities that only a document type could define.
    private let unknownEntity: String

    init(_ bytes: [UInt8], bounds: Bounds = Bounds(), unknownEntity: String = "") {
        self.bytes = bytes
        self.bounds = bounds
        self.unknownEntity = unknownEntity
    }

    /// Whether the walk has come to the end of the text, not only of sense.
    var isAtEnd: Bool { at >= bytes.count }

    /// The next event, nil at the end of the text or of sense.
    mutating func next() -> Event? {
        if pendingEnd {
            pendingEnd = false
            return close()
        }
        while at < bytes.count {
            if bytes[at] != 0x3C { return text() }
            if matches("<!--") {
                guard skip(past: "-->") else { return nil }
            } else if matches("<![CDATA[") {
                return characterData()
            } else if matches("<?") {
                guard skip(past: "?>") else { return nil }
            } else if matches("<!") {
                guard skipDeclaration() else { return nil }
            } else if matches("</") {
                guard skip(past: ">") else { return nil }
                return close()
            } else {
                return element()
            }
        }
        return nil
    }

    private mutating func close() -> Event? {
        depth -= 1
        return depth < 0 ? nil : .end
    }

    private func matches(_ mark: StaticString) -> Bool {
        mark.withUTF8Buffer { at + $0.count <= bytes.count && bytes[at..<at + $0.count].elementsEqual($0) }
    }

    private mutating func skip(past mark: StaticString) -> Bool {
        while at < bytes.count {
            if matches(mark) {
                at += mark.utf8CodeUnitCount
                return true
            }
            at += 1
        }
        return false
    }

    /// `<!DOCTYPE ... [ ... ]>` with quotes in it.
    private mutating func skipDeclaration() -> Bool {
        var brackets = 0
        var quote: UInt8?
        while at < bytes.count {
            let byte = bytes[at]
            if matches("<!--") && quote == nil && brackets > 0 {
                guard skip(past: "-->") else { return false }
                continue
            }
            at += 1
            if let open = quote {
                if byte == open { quote = nil }
                continue
            }
            switch byte {
            case 0x22, 0x27: quote = byte
            case 0x5B: brackets += 1
            case 0x5D: brackets -= 1
            case 0x3E where brackets <= 0: return true
            default: break
            }
        }
        return false
    }

    private mutating func text() -> Event {
        let start = at
        while at < bytes.count, bytes[at] != 0x3C { at += 1 }
        return .text(decoded(bytes[start..<min(at, start + bounds.valueBytes)]))
    }

    private mutating func characterData() -> Event? {
        at += 9
        let start = at
        guard skip(past: "]]>") else { return nil }
        return .text(MetadataText.clean(bytes[start..<min(at - 3, start + bounds.valueBytes)]) ?? "")
    }

    private mutating func element() -> Event? {
        at += 1
        guard let name = name() else { return nil }
        var attributes: [(name: String, value: String)] = []
        while true {
            skipSpace()
            guard at < bytes.count else { return nil }
            if bytes[at] == 0x3E {
                at += 1
                break
            }
            if matches("/>") {
                at += 2
                pendingEnd = true
                break
            }
            guard attributes.count < bounds.attributes, let attribute = attribute() else { return nil }
            attributes.append(attribute)
        }
        depth += 1
        return depth <= bounds.depth ? .start(name: name, attributes: attributes) : nil
    }

    private mutating func attribute() -> (name: String, value: String)? {
        guard let name = name() else { return nil }
        skipSpace()
        guard at < bytes.count, bytes[at] == 0x3D else { return nil }
        at += 1
        skipSpace()
        guard at < bytes.count, bytes[at] == 0x22 || bytes[at] == 0x27 else { return nil }
        let quote = bytes[at]
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != quote { at += 1 }
        guard at < bytes.count else { return nil }
        defer { at += 1 }
        return (name, decoded(bytes[start..<min(at, start + bounds.valueBytes)]))
    }

    private mutating func name() -> String? {
        let start = at
        while at < bytes.count, bytes[at] > 0x20, ![0x3E, 0x2F, 0x3D, 0x3C, 0x22, 0x27].contains(bytes[at]) { at += 1 }
        guard at > start, at - start <= bounds.nameBytes else { return nil }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
    }

    private static let entities: [String: String] = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'"]

    private func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        guard bytes.contains(0x26) else { return text }
        var result = ""
        var rest = text[...]
        while let ampersand = rest.firstIndex(of: "&") {
            result += rest[..<ampersand]
            rest = rest[ampersand...]
            guard let end = rest.prefix(12).firstIndex(of: ";") else {
                result += "&"
                rest = rest.dropFirst()
                continue
            }
            result += replacement(rest[rest.index(after: ampersand)..<end])
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private func replacement(_ name: Substring) -> String {
        guard name.hasPrefix("#") else { return XMLScanner.entities[String(name)] ?? unknownEntity }
        let digits = name.dropFirst()
        let number = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        return number.flatMap(Unicode.Scalar.init).map { String(Character($0)) } ?? ""
    }
}
