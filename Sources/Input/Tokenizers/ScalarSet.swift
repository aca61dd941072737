/// A set of scalars as a regular expression's class describes it.
struct ScalarSet: Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    /// Bits over the 29 general categories.
    private var categories: UInt32 = 0
    /// Properties of `UnicodeProperties` whose members (or whose absence) belong to the set.
    private var properties: UInt16 = 0
    private var absent: UInt16 = 0
    private var ranges: [ClosedRange<UInt32>] = []
    private var isNegated = false

    static let allCategories: UInt32 = (1 << 29) - 1

    init() {}

    init(_ scalar: UInt32) { insert(scalar...scalar) }

    mutating func insert(_ range: ClosedRange<UInt32>) {
        ranges.append(range)
        for scalar in range.lowerBound..<max(range.lowerBound, min(range.upperBound + 1, 128)) { setASCII(scalar) }
    }

    mutating func insert(categories mask: UInt32) {
        categories |= mask
        for scalar: UInt32 in 0..<128 where mask >> UInt32(UnicodeProperties.bits(scalar) & UnicodeProperties.categoryMask) & 1 == 1 {
            setASCII(scalar)
        }
    }

    mutating func insert(property: UInt16, present: Bool) {
        if present { properties |= property } else { absent |= property }
        for scalar: UInt32 in 0..<128 where UnicodeProperties.has(scalar, property) == present { setASCII(scalar) }
    }

    mutating func negate() {
        isNegated.toggle()
        low = ~low
        high = ~high
    }

    /// Adds the other case of every member, as far as single scalars go.
    mutating func foldCase() {
        let folded = ranges
        for range in folded where range.count <= 0x400 {
            for scalar in range {
                let lower = LowercaseMapping.simple(scalar)
                if lower != scalar { insert(lower...lower) }
                for other in CaseFolding.upper[lower] ?? [] { insert(other...other) }
            }
        }
        let cased: UInt32 = 0b111
        if categories & cased != 0 { insert(categories: cased) }
    }

    private mutating func setASCII(_ scalar: UInt32) {
        if scalar < 64 { low |= 1 << UInt64(scalar) } else { high |= 1 << UInt64(scalar - 64) }
    }

    @inline(__always)
    func containsASCII(_ byte: UInt8) -> Bool {
        byte < 64 ? low >> UInt64(byte) & 1 == 1 : high >> UInt64(byte & 63) & 1 == 1
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        scalar < 128 ? containsASCII(UInt8(truncatingIfNeeded: scalar)) : containsBeyondASCII(scalar)
    }

    private func containsBeyondASCII(_ scalar: UInt32) -> Bool {
        if categories | UInt32(properties) | UInt32(absent) != 0 {
            let bits = UnicodeProperties.bits(scalar)
            if categories >> UInt32(bits & UnicodeProperties.categoryMask) & 1 == 1 || bits & properties != 0 || ~bits & absent != 0 {
                return !isNegated
            }
        }
        for range in ranges where range.contains(scalar) { return !isNegated }
        return isNegated
    }
}

/// Scalars that fold to each lower-case scalar.
private enum CaseFolding {
    static let upper: [UInt32: [UInt32]] = {
        var table: [UInt32: [UInt32]] = [0x73: [0x17F], 0x17F: [0x73, 0x53]]
        var reader = UnicodeTableReader(UnicodeTables.lowercase)
        var scalar: UInt32 = 0
        while let step = reader.next(), let length = reader.next() {
            scalar += step
            let parts = (0..<length).map { _ in reader.next() ?? 0 }
            if parts.count == 1 { table[parts[0], default: []].append(scalar) }
        }
        for letter: UInt32 in 65...90 { table[letter + 32, default: []].append(letter) }
        return table
    }()
}
