/// Values and levels out of an unpacked page.
struct ParquetDecoder {
    private let bytes: [UInt8]
    private let file: ParquetReader
    private let column: String
    private let leaf: ParquetFooter.Leaf
    private var at = 0

    init(_ bytes: [UInt8], file: ParquetReader, column: String, leaf: ParquetFooter.Leaf) {
        (self.bytes, self.file, self.column, self.leaf) = (bytes, file, column, leaf)
    }

    /// Bits that hold numbers up to `largest`.
    static func width(_ largest: Int) -> Int { Int.bitWidth - largest.leadingZeroBitCount }

    private func cutOff() -> CheckpointError { file.malformed(column, nil, "a page ends within its values") }

    private mutating func take(_ count: Int) throws(CheckpointError) -> Int {
        guard count >= 0, count <= bytes.count - at else { throw cutOff() }
        defer { at += count }
        return at
    }

    private mutating func little<Word: FixedWidthInteger>(_: Word.Type = Word.self) throws(CheckpointError) -> Word {
        let place = try take(MemoryLayout<Word>.size)
        return bytes.withUnsafeBytes { Word(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: Word.self)) }
    }

    mutating func byte() throws(CheckpointError) -> UInt8 { try little() }
    mutating func skipLength() throws(CheckpointError) { _ = try take(4) }

    mutating func plain(_ count: Int, _ body: (ParquetValue) -> Void) throws(CheckpointError) {
        // No kind of value is smaller than a bit.
        guard count <= 8 * (bytes.count - at) || count == 0 else { throw cutOff() }
        for index in 0..<count { body(try value(index)) }
        if leaf.type == .bool { _ = try take((count + 7) / 8) }
    }

    private mutating func value(_ index: Int) throws(CheckpointError) -> ParquetValue {
        switch leaf.type {
        // Eight in a byte; `plain` passes over them at the end.
        case .bool: return .bool(bytes[at + index / 8] >> UInt8(index % 8) & 1 == 1)
        case .int32: return .int(Int64(try little(Int32.self)))
        case .int64: return .int(try little())
        case .float: return .real(Double(Float(bitPattern: try little())))
        case .double: return .real(Double(bitPattern: try little()))
        case .bytes:
            let count = Int(try little(UInt32.self)), start = try take(count)
            let found = bytes[start..<start + count]
            return leaf.isText ? .text(String(decoding: found, as: UTF8.self)) : .bytes(Array(found))
        case .int96, .fixed:
            throw file.unsupported(
                column, leaf.type == .int96 ? "time as INT96" : "values of a fixed length", "write texts, numbers or bytes")
        }
    }

    /// Levels with their length before them.
    mutating func levels(_ count: Int, _ largest: Int) throws(CheckpointError) -> [UInt32] {
        let length = Int(try little(UInt32.self)), start = try take(length)
        var inner = ParquetDecoder(Array(bytes[start..<start + length]), file: file, column: column, leaf: leaf)
        return try inner.hybrid(count, width: Self.width(largest))
    }

    /// Runs of one value and runs of packed values, in turn.
    mutating func hybrid(_ count: Int, width: Int) throws(CheckpointError) -> [UInt32] {
        guard (0...32).contains(width) else { throw file.malformed(column, nil, "values of \(width) bits") }
        var values: [UInt32] = []
        values.reserveCapacity(count)
        while values.count < count {
            let head = try varint(), left = count - values.count
            if head & 1 == 0 {
                var value: UInt32 = 0
                for place in 0..<(width + 7) / 8 { value |= UInt32(try byte()) << UInt32(8 * place) }
                // A run of nothing would never end.
                guard head > 1 else { throw file.malformed(column, nil, "an empty run") }
                values.append(contentsOf: repeatElement(value, count: Int(min(UInt64(left), head >> 1))))
            } else {
                let (groups, overflow) = (head >> 1).multipliedReportingOverflow(by: UInt64(max(width, 1)))
                guard head > 1, !overflow, width == 0 || groups <= UInt64(bytes.count) else { throw cutOff() }
                // The last group may be cut short where fewer values are left.
                let wanted = Int(min(UInt64(left), (head >> 1) &* 8))
                let whole = width == 0 ? 0 : Int(groups), start = at
                at = min(bytes.count, at + whole)
                try unpack(wanted, width: width, from: start, to: at, into: &values)
            }
        }
        return values
    }

    private func unpack(_ count: Int, width: Int, from start: Int, to end: Int, into values: inout [UInt32]) throws(CheckpointError) {
        guard (count * width + 7) / 8 <= end - start else { throw cutOff() }
        let mask = width == 32 ? UInt64(UInt32.max) : (1 << UInt64(width)) - 1
        var buffer: UInt64 = 0, bits = 0, place = start
        for _ in 0..<count {
            while bits < width {
                buffer |= UInt64(bytes[place]) << UInt64(bits)
                place += 1
                bits += 8
            }
            values.append(UInt32(buffer & mask))
            buffer >>= UInt64(width)
            bits -= width
        }
    }

    private mutating func varint() throws(CheckpointError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw file.malformed(column, nil, "a run of more than 64 bits")
    }
}
