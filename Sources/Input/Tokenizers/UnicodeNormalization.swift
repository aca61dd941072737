/// One scalar of a rewritten text. `change` says how it relates to the scalars it replaces: 0 stands for the next one,
/// 1 is an addition, and -n stands for the next one and swallows n more.
struct ScalarChange {
    var scalar: UInt32
    var change: Int
}

/// The four normalisation forms with the alignment of each output scalar, over the Unicode version of the reference.
enum UnicodeNormalization {
    enum Form: Sendable { case nfc, nfd, nfkc, nfkd }

    private static let canonical = ScalarMapping(UnicodeTables.canonical)
    private static let compatible = ScalarMapping(UnicodeTables.compatibility, over: canonical)

    private static let combiningClasses: IntegerTable = {
        var table = IntegerTable(capacity: 1024)
        var reader = UnicodeTableReader(UnicodeTables.combiningClasses)
        var scalar: UInt32 = 0
        while let step = reader.next(), let value = reader.next() {
            scalar += step
            table.set(UInt64(scalar), UInt64(value))
        }
        return table
    }()

    private static let compositions: IntegerTable = {
        var table = IntegerTable(capacity: 1024)
        var reader = UnicodeTableReader(UnicodeTables.compositions)
        var first: UInt32 = 0
        while let step = reader.next(), let second = reader.next(), let composite = reader.next() {
            first += step
            table.set(UInt64(first) << 32 | UInt64(second), UInt64(composite))
        }
        return table
    }()

    @inline(__always)
    private static func combiningClass(_ scalar: UInt32) -> UInt8 {
        scalar < 0x300 ? 0 : UInt8(truncatingIfNeeded: combiningClasses[UInt64(scalar)] ?? 0)
    }

    static func apply(_ form: Form, to scalars: [UInt32]) -> [ScalarChange] {
        let mapping = form == .nfc || form == .nfd ? canonical : compatible
        let decomposed = decompose(scalars, mapping)
        return form == .nfd || form == .nfkd ? decomposed.map(\.0) : compose(decomposed)
    }

    private static func decompose(_ scalars: [UInt32], _ mapping: ScalarMapping) -> [(ScalarChange, UInt8)] {
        var out: [(ScalarChange, UInt8)] = []
        out.reserveCapacity(scalars.count + scalars.count / 4)
        var pending = 0
        func push(_ scalar: UInt32, _ change: Int) {
            let order = combiningClass(scalar)
            if order == 0 {
                sortPending()
                out.append((ScalarChange(scalar: scalar, change: change), 0))
                pending = out.count
            } else {
                out.append((ScalarChange(scalar: scalar, change: change), order))
            }
        }
        func sortPending() {
            guard out.count - pending > 1 else { return }
            // Swift's sort is stable in fact but not by contract; positions make it so.
            let sorted = out[pending...].enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
            out.replaceSubrange(pending..., with: sorted.map(\.element))
        }
        for scalar in scalars {
            if scalar < 0x80 {
                push(scalar, 0)
            } else if scalar >= 0xAC00, scalar <= 0xD7A3 {
                let index = scalar - 0xAC00
                push(0x1100 + index / 588, 0)
                push(0x1161 + index % 588 / 28, 1)
                if index % 28 != 0 { push(0x11A7 + index % 28, 1) }
            } else if let parts = mapping[scalar] {
                for (position, part) in parts.enumerated() { push(part, position == 0 ? 0 : 1) }
            } else {
                push(scalar, 0)
            }
        }
        sortPending()
        return out
    }

    private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first >= 0x1100, first < 0x1113, second >= 0x1161, second < 0x1176 {
            return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28
        }
        if first >= 0xAC00, first <= 0xD7A3, (first - 0xAC00) % 28 == 0, second > 0x11A7, second < 0x11C3 {
            return first + second - 0x11A7
        }
        guard second >= 0x300 else { return nil }
        return compositions[UInt64(first) << 32 | UInt64(second)].map { UInt32(truncatingIfNeeded: $0) }
    }

    private static func compose(_ scalars: [(ScalarChange, UInt8)]) -> [ScalarChange] {
        var out: [ScalarChange] = []
        out.reserveCapacity(scalars.count)
        var starter: Int?
        var lastClass: UInt8 = 0
        for (scalar, order) in scalars {
            guard let base = starter else {
                out.append(scalar)
                if order == 0 { starter = out.count - 1 }
                continue
            }
            // What stands between the starter and this scalar blocks it when its class is not lower.
            let adjacent = out.count == base + 1
            if adjacent || lastClass < order, let joined = composite(out[base].scalar, scalar.scalar) {
                out[base] = ScalarChange(scalar: joined, change: out[base].change + scalar.change - 1)
                continue
            }
            out.append(scalar)
            if order == 0 { starter = out.count - 1 }
            lastClass = order
        }
        return out
    }
}

/// Lower case as Rust's `char::to_lowercase` has it, scalar by scalar.
enum LowercaseMapping {
    private static let mapping = ScalarMapping(UnicodeTables.lowercase)

    @inline(__always)
    static func append(_ scalar: UInt32, to out: inout [ScalarChange]) {
        if scalar < 0x80 {
            out.append(.init(scalar: scalar >= 65 && scalar <= 90 ? scalar + 32 : scalar, change: 0))
        } else if let parts = mapping[scalar] {
            for (position, part) in parts.enumerated() { out.append(.init(scalar: part, change: position == 0 ? 0 : 1)) }
        } else {
            out.append(.init(scalar: scalar, change: 0))
        }
    }

    /// The single lower-case scalar, or the scalar itself.
    static func simple(_ scalar: UInt32) -> UInt32 {
        if scalar < 0x80 { return scalar >= 65 && scalar <= 90 ? scalar + 32 : scalar }
        guard let parts = mapping[scalar], parts.count == 1 else { return scalar }
        return parts[parts.startIndex]
    }
}
