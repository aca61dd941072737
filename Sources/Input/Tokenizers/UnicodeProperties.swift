/// Reads the numbers of `UnicodeTables`.
struct UnicodeTableReader {
    private let base: UnsafePointer<UInt8>
    private let count: Int
    private var position = 0

    init(_ text: StaticString) {
        base = text.utf8Start
        count = text.utf8CodeUnitCount
    }

    mutating func next() -> UInt32? {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while position < count {
            let byte = base[position]
            position += 1
            let digit: UInt32 =
                switch byte {
                case 65...90: UInt32(byte) - 65
                case 97...122: UInt32(byte) - 71
                case 48...57: UInt32(byte) + 4
                case 43: 62
                default: 63
                }
            value |= (digit & 31) << shift
            if digit < 32 { return value }
            shift += 5
        }
        return nil
    }

    /// The ranges that alternating runs describe.
    static func ranges(_ runs: StaticString) -> [ClosedRange<UInt32>] {
        var reader = UnicodeTableReader(runs)
        var ranges: [ClosedRange<UInt32>] = []
        var start: UInt32 = 0
        var inside = false
        while let length = reader.next() {
            if inside, length > 0 { ranges.append(start...(start + length - 1)) }
            start += length
            inside.toggle()
        }
        return ranges
    }
}

/// What the reference libraries say about each scalar, as bits; see `UnicodeTables`.
enum UnicodeProperties {
    static let categoryMask: UInt16 = 0x1F
    static let word: UInt16 = 1 << 5
    static let whitespace: UInt16 = 1 << 6
    static let numeric: UInt16 = 1 << 7
    static let regexWord: UInt16 = 1 << 8
    static let punctuation: UInt16 = 1 << 9
    static let bertRemoved: UInt16 = 1 << 10
    static let nonspacingMark: UInt16 = 1 << 11
    static let combiningMark: UInt16 = 1 << 12

    static let categories = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk",
        "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn",
    ]

    /// Bits of every scalar: 2.2 MB, filled in about a millisecond when first needed; ASCII goes through its own copy.
    private static let table: [UInt16] = {
        var table = [UInt16](repeating: UInt16(categories.count - 1), count: 0x110000)
        var reader = UnicodeTableReader(UnicodeTables.categories)
        var position = 0
        while let length = reader.next(), let category = reader.next() {
            let end = min(position + Int(length), table.count)
            for index in position..<end { table[index] = UInt16(category) }
            position = end
        }
        for (runs, bit) in [
            (UnicodeTables.word, word), (UnicodeTables.whitespace, whitespace), (UnicodeTables.numeric, numeric),
            (UnicodeTables.regexWord, regexWord), (UnicodeTables.punctuation, punctuation), (UnicodeTables.bertRemoved, bertRemoved),
            (UnicodeTables.nonspacingMark, nonspacingMark), (UnicodeTables.combiningMark, combiningMark),
        ] {
            for range in UnicodeTableReader.ranges(runs) {
                for index in range { table[Int(index)] |= bit }
            }
        }
        return table
    }()

    @inline(__always)
    static func bits(_ scalar: UInt32) -> UInt16 { scalar < 0x110000 ? table[Int(scalar)] : 0 }

    @inline(__always)
    static func has(_ scalar: UInt32, _ bit: UInt16) -> Bool { bits(scalar) & bit != 0 }

    /// White_Space, without the table for ASCII.
    @inline(__always)
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        scalar < 0x80 ? scalar == 32 || (scalar >= 9 && scalar <= 13) : has(scalar, whitespace)
    }
}

/// Tables from scalars to short sequences of scalars.
struct ScalarMapping: Sendable {
    private var index: IntegerTable
    private var text: [UInt32] = []

    init(_ table: StaticString, over other: ScalarMapping? = nil) {
        index = other?.index ?? IntegerTable(capacity: table.utf8CodeUnitCount / 6)
        text = other?.text ?? []
        var reader = UnicodeTableReader(table)
        var scalar: UInt32 = 0
        while let step = reader.next(), let length = reader.next() {
            scalar += step
            index.set(UInt64(scalar), UInt64(text.count) << 8 | UInt64(length))
            for _ in 0..<length { text.append(reader.next() ?? 0xFFFD) }
        }
    }

    @inline(__always)
    subscript(scalar: UInt32) -> ArraySlice<UInt32>? {
        guard let found = index[UInt64(scalar)] else { return nil }
        let start = Int(found >> 8)
        return text[start..<start + Int(found & 0xFF)]
    }
}
