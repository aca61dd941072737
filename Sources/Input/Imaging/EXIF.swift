/// The few EXIF fields that a catalogue asks for (CIPA DC-008, TIFF 6.0). Every offset is checked; what lies outside is as good as absent.
struct EXIF {
    private let bytes: ArraySlice<UInt8>
    private let littleEndian: Bool
    private(set) var main: [Int: Field] = [:]
    private(set) var details: [Int: Field] = [:]
    private(set) var position: [Int: Field] = [:]

    struct Field {
        var type: Int
        var count: Int
        /// Relative to the TIFF header.
        var offset: Int
    }

    /// `blob` may begin with `Exif\0\0`. nil when no TIFF header follows.
    init?(_ blob: [UInt8]) {
        bytes = blob.starts(with: "Exif\0\0".utf8) ? blob.dropFirst(6) : blob[...]
        guard bytes.count >= 8 else { return nil }
        switch bytes.prefix(2) {
        case [0x49, 0x49]: littleEndian = true
        case [0x4D, 0x4D]: littleEndian = false
        default: return nil
        }
        guard let first = word(4) else { return nil }
        main = directory(first)
        if let offset = pointer(0x8769) { details = directory(offset) }
        if let offset = pointer(0x8825) { position = directory(offset) }
    }

    private func pointer(_ tag: Int) -> Int? {
        guard let field = main[tag], field.type == 4 else { return nil }
        return word(field.offset)
    }

    private func directory(_ offset: Int) -> [Int: Field] {
        guard let count = half(offset), count <= 1024 else { return [:] }
        var fields: [Int: Field] = [:]
        let sizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]
        for index in 0..<count {
            let entry = offset + 2 + index * 12
            guard let tag = half(entry), let type = half(entry + 2), let length = word(entry + 4), (1..<sizes.count).contains(type) else {
                continue
            }
            let size = sizes[type] * length
            guard size <= bytes.count, let place = size <= 4 ? entry + 8 : word(entry + 8), place + size <= bytes.count else { continue }
            fields[tag] = Field(type: type, count: length, offset: place)
        }
        return fields
    }

    /// nil where the field is absent or means nothing.
    var orientation: Orientation? {
        guard let field = main[0x0112], field.count == 1, let value = field.type == 4 ? word(field.offset) : half(field.offset),
            field.type == 3 || field.type == 4
        else { return nil }
        return Orientation(rawValue: value)
    }

    func text(_ field: Field?) -> String? {
        guard let field, field.type == 2 || field.type == 7 || field.type == 1 else { return nil }
        let start = bytes.startIndex + field.offset
        return MetadataText.clean(bytes[start..<start + min(field.count, MetadataText.longest * 4)].prefix { $0 != 0 })
    }

    /// Windows' `XP` fields: UTF-16, little-endian whatever the rest is.
    func wideText(_ field: Field?) -> String? {
        guard let field, field.type == 1 || field.type == 7 else { return nil }
        let start = bytes.startIndex + field.offset
        let units = stride(from: 0, to: min(field.count, MetadataText.longest * 2) - 1, by: 2).map {
            UInt16(bytes[start + $0]) | UInt16(bytes[start + $0 + 1]) << 8
        }
        return MetadataText.clean(Array(String(decoding: units.prefix { $0 != 0 }, as: UTF16.self).utf8)[...])
    }

    /// Numerator over denominator.
    func rational(_ field: Field?, _ index: Int) -> Double? {
        guard let field, field.type == 5, index < field.count, let above = word(field.offset + index * 8),
            let below = word(field.offset + index * 8 + 4), below != 0
        else { return nil }
        return Double(above) / Double(below)
    }

    private func half(_ offset: Int) -> Int? {
        guard offset >= 0, offset + 2 <= bytes.count else { return nil }
        let start = bytes.startIndex + offset
        let (a, b) = (Int(bytes[start]), Int(bytes[start + 1]))
        return littleEndian ? a | b << 8 : a << 8 | b
    }

    private func word(_ offset: Int) -> Int? {
        guard let first = half(offset), let second = half(offset + 2) else { return nil }
        return littleEndian ? first | second << 16 : first << 16 | second
    }
}

extension EXIF {
    /// `2019-07-04T12:30:05`, without a zone because cameras seldom know theirs.
    var taken: (time: String, offset: String?)? {
        let candidates = [(details[0x9003], details[0x9011]), (details[0x9004], details[0x9012]), (main[0x0132], details[0x9010])]
        for (time, offset) in candidates {
            if let text = text(time), let parsed = EXIF.isoTime(text) { return (parsed, self.text(offset).flatMap(EXIF.zone)) }
        }
        return nil
    }

    /// `2019:07:04 12:30:05` and what programs make of it; nil unless it is a moment of the calendar.
    static func isoTime(_ text: String) -> String? {
        let numbers = text.prefix(19).split { !$0.isASCII || !$0.isNumber }.map { Int($0) ?? -1 }
        guard numbers.count >= 3, (1...9999).contains(numbers[0]), (1...12).contains(numbers[1]) else { return nil }
        let isLeap = numbers[0] % 4 == 0 && (numbers[0] % 100 != 0 || numbers[0] % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][numbers[1] - 1]
        let clock = numbers.count >= 6 ? Array(numbers[3..<6]) : [0, 0, 0]
        guard (1...days).contains(numbers[2]), (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2]) else {
            return nil
        }
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let year = String(repeating: "0", count: max(0, 4 - "\(numbers[0])".count)) + "\(numbers[0])"
        return "\(year)-\(two(numbers[1]))-\(two(numbers[2]))T\(two(clock[0])):\(two(clock[1])):\(two(clock[2]))"
    }

    /// `+09:00`, `-03:30` or `Z`.
    static func zone(_ text: String) -> String? {
        let characters = Array(text.utf8)
        if characters == Array("Z".utf8) { return "Z" }
        guard characters.count == 6, characters[0] == 0x2B || characters[0] == 0x2D, characters[3] == 0x3A,
            [1, 2, 4, 5].allSatisfy({ (0x30...0x39).contains(characters[$0]) })
        else { return nil }
        return text
    }

    /// Degrees, north and east positive.
    var coordinates: (latitude: Double, longitude: Double)? {
        guard let latitude = degrees(position[2], text(position[1]), "S"), let longitude = degrees(position[4], text(position[3]), "W"),
            abs(latitude) <= 90, abs(longitude) <= 180
        else { return nil }
        return (latitude, longitude)
    }

    private func degrees(_ field: Field?, _ reference: String?, _ negative: String) -> Double? {
        guard let whole = rational(field, 0) else { return nil }
        let value = whole + (rational(field, 1) ?? 0) / 60 + (rational(field, 2) ?? 0) / 3600
        return reference?.uppercased().hasPrefix(negative) == true ? -value : value
    }
}
