/// A part of a text on its way through normalisation and splitting, with the original position of every byte.
///
/// The counterpart of the reference's `NormalizedString`. Storage is shared between slices; rewriting a slice copies
/// only that slice. All positions are bytes of UTF-8; original positions are absolute.
struct AlignedText: Sendable {
    struct Alignment: Sendable, Equatable {
        var start: UInt32
        var end: UInt32
    }

    private(set) var bytes: [UInt8]
    /// Original range of each byte's scalar; nil while the bytes are the original's own, `shift` bytes into it.
    private var alignment: [Alignment]?
    private var shift: Int
    /// The part of `bytes` that this slice covers.
    private(set) var range: Range<Int>
    /// The original range that this slice covers.
    private(set) var origin: Range<Int>
    /// The models are to see the byte-level spelling of these bytes (`ByteLevelAlphabet`), which is not written out.
    var isByteLevel = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        shift = 0
        range = 0..<bytes.count
        origin = range
    }

    var isEmpty: Bool { range.isEmpty }
    var count: Int { range.count }
    var slice: ArraySlice<UInt8> { bytes[range] }

    @inline(__always)
    func withBytes<T>(_ body: (UnsafeBufferPointer<UInt8>) throws -> T) rethrows -> T {
        try bytes.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    @inline(__always)
    private func aligned(_ index: Int) -> Alignment {
        if let alignment { return alignment[index] }
        var start = index
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        let end = min(start + UTF8Text.length(leading: bytes[start]), bytes.count)
        return Alignment(start: UInt32(start + shift), end: UInt32(end + shift))
    }

    /// The original range of bytes `lower..<upper` of the slice. As in the reference, an empty range answers itself.
    @inline(__always)
    func original(_ lower: Int, _ upper: Int) -> Range<Int>? {
        if lower >= upper { return lower == upper ? origin.lowerBound + lower..<origin.lowerBound + lower : nil }
        guard upper <= range.count else { return nil }
        let start = Int(aligned(range.lowerBound + lower).start)
        return start..<max(start, Int(aligned(range.lowerBound + upper - 1).end))
    }

    /// The slice `lower..<upper`, relative to this one.
    @inline(__always)
    func sliced(_ lower: Int, _ upper: Int) -> AlignedText {
        var part = self
        part.range = range.lowerBound + lower..<range.lowerBound + upper
        part.origin = original(lower, upper) ?? origin
        return part
    }

    func scalars() -> [UInt32] {
        withBytes { bytes in
            var out: [UInt32] = []
            out.reserveCapacity(bytes.count)
            var index = 0
            while index < bytes.count {
                let (scalar, length) = UTF8Text.decode(bytes, at: index, end: bytes.count)
                out.append(scalar)
                index += length
            }
            return out
        }
    }

    /// Replaces the slice by `changes` after `dropped` scalars at its front (the reference's `transform`).
    mutating func transform(_ changes: [ScalarChange], dropped: Int = 0) {
        var writer = AlignmentWriter(self, from: firstWithWidth())
        writer.skip(dropped)
        for change in changes { writer.put(change) }
        adopt(writer)
    }

    /// Rewrites starting at byte `lower` of the slice and ending at `upper`; the rest stays.
    private mutating func transform(upTo upper: Int, _ changes: [ScalarChange]) {
        var writer = AlignmentWriter(self, from: 0)
        for change in changes { writer.put(change) }
        writer.copy(upper, count)
        adopt(writer)
    }

    private mutating func adopt(_ writer: AlignmentWriter) {
        bytes = writer.bytes
        alignment = writer.alignment
        shift = 0
        range = 0..<bytes.count
    }

    /// Whole-slice rewriting starts after leading bytes that stand for nothing of the original.
    private func firstWithWidth() -> Int {
        guard let alignment, !origin.isEmpty else { return origin.isEmpty ? count : 0 }
        var index = range.lowerBound
        while index < range.upperBound, alignment[index].start == alignment[index].end { index += 1 }
        return index - range.lowerBound
    }

    /// Keeps the scalars for which `keep` holds.
    mutating func filter(_ keep: (UInt32) -> Bool) {
        var changes: [ScalarChange] = []
        var removed = 0
        var dropped = 0
        var any = false
        for scalar in scalars() {
            if keep(scalar) {
                if changes.isEmpty { dropped = removed } else { changes[changes.count - 1].change = -removed }
                changes.append(.init(scalar: scalar, change: 0))
                removed = 0
            } else {
                removed += 1
                any = true
            }
        }
        guard any else { return }
        if !changes.isEmpty { changes[changes.count - 1].change = -removed }
        transform(changes, dropped: dropped)
    }

    /// Replaces each scalar by one other.
    mutating func map(_ replacement: (UInt32) -> UInt32) {
        var changed = false
        let changes = scalars().map { scalar in
            let new = replacement(scalar)
            changed = changed || new != scalar
            return ScalarChange(scalar: new, change: 0)
        }
        if changed { transform(changes) }
    }

    /// Puts text in front; it shares the alignment of the first scalar. An empty slice stays empty.
    mutating func prepend(_ text: [UInt32]) {
        guard !isEmpty, !text.isEmpty else { return }
        let first = withBytes { UTF8Text.decode($0, at: 0, end: $0.count) }
        var changes = text.enumerated().map { ScalarChange(scalar: $1, change: $0 == 0 ? 0 : 1) }
        changes.append(.init(scalar: first.scalar, change: 1))
        transform(upTo: first.length, changes)
    }

    /// Replaces each of `matches` (ascending ranges of the slice) by `content`, aligned with the match's last byte.
    mutating func replace(_ matches: [Range<Int>], by content: [UInt8]) {
        let isSame = content.count == 1 && matches.allSatisfy { $0.count == 1 && slice[range.lowerBound + $0.lowerBound] == content[0] }
        guard !matches.isEmpty, !isSame else { return }
        var writer = AlignmentWriter(self, from: 0)
        var last = 0
        for match in matches where match.lowerBound >= last {
            writer.copy(last, match.lowerBound)
            writer.put(content, alignedBefore: match.upperBound)
            last = match.upperBound
        }
        writer.copy(last, count)
        adopt(writer)
    }

    /// Lower-cases ASCII in place when there is nothing else; alignment stays.
    mutating func lowercaseASCII() -> Bool {
        guard withBytes(UTF8Text.isASCII) else { return false }
        guard withBytes({ $0.contains { $0 >= 65 && $0 <= 90 } }) else { return true }
        for index in range where bytes[index] >= 65 && bytes[index] <= 90 { bytes[index] += 32 }
        return true
    }

    /// The byte-level spelling written out.
    mutating func spellByteLevel() {
        guard isByteLevel else { return }
        isByteLevel = false
        var writer = AlignmentWriter(self, from: 0)
        for offset in 0..<count { writer.put(scalar: ByteLevelAlphabet.scalars[Int(bytes[range.lowerBound + offset])], likeByte: offset) }
        adopt(writer)
    }

    fileprivate func alignmentOfByte(_ offset: Int) -> Alignment { aligned(range.lowerBound + offset) }
}

/// Builds the rewritten bytes of one slice and their alignment.
private struct AlignmentWriter {
    private let source: AlignedText
    private(set) var bytes: [UInt8] = []
    private(set) var alignment: [AlignedText.Alignment] = []
    /// Position in the source, relative to the slice.
    private var position: Int

    init(_ source: AlignedText, from start: Int) {
        self.source = source
        position = start
        bytes.reserveCapacity(source.count + 16)
        alignment.reserveCapacity(source.count + 16)
        copy(0, start)
    }

    private mutating func advance() {
        guard position < source.count else { return }
        position += UTF8Text.length(leading: source.bytes[source.range.lowerBound + position])
    }

    mutating func skip(_ scalars: Int) {
        for _ in 0..<scalars { advance() }
    }

    mutating func copy(_ lower: Int, _ upper: Int) {
        guard lower < upper else { return }
        bytes.append(contentsOf: source.bytes[source.range.lowerBound + lower..<source.range.lowerBound + upper])
        for offset in lower..<upper { alignment.append(source.alignmentOfByte(offset)) }
    }

    private func before(_ offset: Int) -> AlignedText.Alignment {
        let nothing = UInt32(source.origin.lowerBound)
        return offset < 1 ? .init(start: nothing, end: nothing) : source.alignmentOfByte(min(offset, source.count) - 1)
    }

    private mutating func append(_ scalar: UInt32, _ aligned: AlignedText.Alignment) {
        UTF8Text.append(scalar, to: &bytes)
        while alignment.count < bytes.count { alignment.append(aligned) }
    }

    mutating func put(_ change: ScalarChange) {
        if change.change > 0 {
            append(change.scalar, before(position))
        } else {
            append(change.scalar, position < source.count ? source.alignmentOfByte(position) : before(position))
            for _ in 0..<(1 - change.change) { advance() }
        }
    }

    mutating func put(_ content: [UInt8], alignedBefore offset: Int) {
        bytes.append(contentsOf: content)
        let aligned = before(offset)
        while alignment.count < bytes.count { alignment.append(aligned) }
    }

    mutating func put(scalar: UInt32, likeByte offset: Int) {
        append(scalar, source.alignmentOfByte(offset))
    }
}
