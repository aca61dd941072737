/// A trie over bytes whose edges lie in one hash table; node 0 is the root.
struct ByteTrie: Sendable {
    private var edges: IntegerTable
    private var values: [Int32] = [-1]
    private var first: [UInt32] = Array(repeating: 0, count: 256)

    init(capacity: Int) {
        edges = IntegerTable(capacity: capacity)
    }

    /// Sets the value of a text. An empty text is left out.
    mutating func insert(_ text: some Sequence<UInt8>, value: Int32) {
        var node = 0
        for byte in text {
            if let next = child(of: node, byte) {
                node = next
            } else {
                let next = values.count
                values.append(-1)
                if node == 0 { first[Int(byte)] = UInt32(next) } else { edges.set(UInt64(node) << 8 | UInt64(byte), UInt64(next)) }
                node = next
            }
        }
        if node != 0 { values[node] = value }
    }

    @inline(__always)
    func child(of node: Int, _ byte: UInt8) -> Int? {
        if node == 0 {
            let next = first[Int(byte)]
            return next == 0 ? nil : Int(next)
        }
        return edges[UInt64(node) << 8 | UInt64(byte)].map { Int(truncatingIfNeeded: $0) }
    }

    /// The value at a node, or -1.
    @inline(__always)
    func value(at node: Int) -> Int32 { values[node] }

    /// The longest entry that starts at `start`, as its value and end.
    @inline(__always)
    func longest(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, end: Int, root: Int = 0) -> (value: Int32, end: Int)? {
        var node = root
        var index = start
        var found: (Int32, Int)?
        while index < end, let next = child(of: node, bytes[index]) {
            node = next
            index += 1
            if values[node] >= 0 { found = (values[node], index) }
        }
        return found
    }

    /// The node at the end of a text, if some entry starts with it.
    func node(after text: [UInt8]) -> Int? {
        var node = 0
        for byte in text {
            guard let next = child(of: node, byte) else { return nil }
            node = next
        }
        return node
    }
}
