/// An open-addressing table from 64-bit keys to 64-bit values: pairs of ids to merges, trie edges to nodes.
struct IntegerTable: Sendable {
    private static let empty = UInt64.max
    private static let seed = UInt64.random(in: 0...UInt64.max) | 1

    private struct Slot {
        var key: UInt64
        var value: UInt64
    }

    private var slots: [Slot]
    private(set) var count = 0

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: Slot(key: Self.empty, value: 0), count: size)
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        let product = (key ^ Self.seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: product.high ^ product.low) & (slots.count - 1)
    }

    /// The value for `key`, which must not be `UInt64.max`.
    @inline(__always)
    subscript(key: UInt64) -> UInt64? {
        var slot = home(key)
        return slots.withUnsafeBufferPointer { slots in
            while true {
                if slots[slot].key == key { return slots[slot].value }
                if slots[slot].key == Self.empty { return nil }
                slot = (slot + 1) & (slots.count - 1)
            }
        }
    }

    /// Sets the value for `key`, replacing an earlier one.
    mutating func set(_ key: UInt64, _ value: UInt64) {
        if (count + 1) * 2 > slots.count { grow() }
        var slot = home(key)
        while slots[slot].key != Self.empty, slots[slot].key != key { slot = (slot + 1) & (slots.count - 1) }
        if slots[slot].key == Self.empty { count += 1 }
        slots[slot] = Slot(key: key, value: value)
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(key: Self.empty, value: 0), count: old.count * 2)
        count = 0
        for slot in old where slot.key != Self.empty { set(slot.key, slot.value) }
    }
}
