/// SentencePiece's precompiled normalisation: a double-array trie (darts-clone) from UTF-8 sequences to offsets into a
/// block of null-terminated replacements.
struct Charsmap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// - Parameter bytes: a little-endian 32-bit trie size, the trie, the replacements.
    /// - Returns: nil when the sizes don't fit.
    init?(_ bytes: [UInt8]) {
        guard bytes.count > 4 else { return nil }
        func unit(_ offset: Int) -> UInt32 {
            UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16 | UInt32(bytes[offset + 3]) << 24
        }
        let size = Int(unit(0))
        guard size > 0, size % 4 == 0, size <= bytes.count - 4 else { return nil }
        units = (0..<size / 4).map { unit(4 + $0 * 4) }
        replacements = Array(bytes[(4 + size)...])
        guard replacements.withUnsafeBufferPointer(UTF8Text.isValid) else { return nil }
    }

    /// Calls `body` with each prefix's length and replacement offset, shortest first, until it returns false.
    @inline(__always)
    private func search(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, _ body: (Int, Int) -> Bool) {
        var node = 0
        var unit = units[0]
        node ^= Int((unit >> 10) << ((unit & (1 << 9)) >> 6))
        var index = start
        while index < end, text[index] != 0 {
            node ^= Int(text[index])
            guard node < units.count else { return }
            unit = units[node]
            guard unit & (1 << 31 | 0xFF) == UInt32(text[index]) else { return }
            node ^= Int((unit >> 10) << ((unit & (1 << 9)) >> 6))
            guard node < units.count else { return }
            index += 1
            if unit >> 8 & 1 == 1, !body(index - start, Int(units[node] & ((1 << 31) - 1))) { return }
        }
    }

    private func replacement(_ offset: Int) -> ArraySlice<UInt8> {
        guard offset < replacements.count else { return [] }
        let end = replacements[offset...].firstIndex(of: 0) ?? replacements.count
        return replacements[offset..<end]
    }

    /// What the `tokenizers` package puts for a piece of text: the replacement of its shortest known prefix.
    func shortest(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> ArraySlice<UInt8>? {
        var found: Int?
        search(text, start, end) { _, offset in
            found = offset
            return false
        }
        return found.map(replacement)
    }

    /// What SentencePiece puts at `start`: the replacement of the longest known prefix, and that prefix's length.
    func longest(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> (replacement: ArraySlice<UInt8>, length: Int)? {
        var found: (Int, Int)?
        search(text, start, end) { length, offset in
            found = (offset, length)
            return true
        }
        return found.map { (replacement($0.0), $0.1) }
    }

    /// The `tokenizers` package's walk: graphemes of up to five bytes as a whole, anything else scalar by scalar.
    func apply(to text: inout AlignedText) {
        var changes: [ScalarChange] = []
        var modified = false
        let string = String(decoding: text.slice, as: UTF8.self)
        text.withBytes { bytes in
            var start = 0
            for grapheme in string {
                let end = start + grapheme.utf8.count
                if end - start < 6, let new = shortest(bytes, start, end) {
                    modified = true
                    Self.replace(bytes, start, end, by: new, &changes)
                    start = end
                    continue
                }
                while start < end {
                    let (scalar, length) = UTF8Text.decode(bytes, at: start, end: end)
                    if let new = shortest(bytes, start, start + length) {
                        modified = true
                        Self.replace(bytes, start, start + length, by: new, &changes)
                    } else {
                        changes.append(.init(scalar: scalar, change: 0))
                    }
                    start += length
                }
            }
        }
        if modified { text.transform(changes) }
    }

    private static func replace(
        _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, by new: ArraySlice<UInt8>, _ changes: inout [ScalarChange]
    ) {
        let old = (start..<end).count { bytes[$0] & 0xC0 != 0x80 }
        var count = 0
        for scalar in String(decoding: new, as: UTF8.self).unicodeScalars {
            changes.append(.init(scalar: scalar.value, change: 0))
            count += 1
        }
        if count > old {
            for index in (changes.count - (count - old))..<changes.count { changes[index].change = 1 }
        } else if count < old, !changes.isEmpty {
            changes[changes.count - 1].change -= old - count
        }
    }
}
