/// The raw format of Snappy. https://github.com/google/snappy/blob/main/format_description.txt
enum Snappy {
    /// Nil for bytes that are damaged or don't unpack to exactly `count` bytes.
    static func unpack(_ source: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        var input = 0
        guard let length = length(source, &input), length == count else { return nil }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { out, filled in
            isWhole = unpack(source, from: input, into: out)
            filled = isWhole ? count : 0
        }
        return isWhole ? bytes : nil
    }

    private static func length(_ source: UnsafeRawBufferPointer, _ input: inout Int) -> Int? {
        var length = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard input < source.count else { return nil }
            let byte = source[input]
            input += 1
            length |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return length }
        }
        return nil
    }

    private static func little(_ source: UnsafeRawBufferPointer, _ input: inout Int, _ bytes: Int) -> Int? {
        guard bytes <= source.count - input else { return nil }
        defer { input += bytes }
        return (0..<bytes).reduce(0) { $0 | Int(source[input + $1]) << (8 * $1) }
    }

    private static func unpack(_ source: UnsafeRawBufferPointer, from start: Int, into out: UnsafeMutableBufferPointer<UInt8>) -> Bool {
        var input = start, output = 0
        while input < source.count {
            let tag = Int(source[input])
            input += 1
            if tag & 3 == 0 {
                var length = tag >> 2
                if length >= 60 {
                    guard let long = little(source, &input, length - 59) else { return false }
                    length = long
                }
                length += 1
                guard length <= source.count - input, length <= out.count - output else { return false }
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(out)[output..<output + length]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[input..<input + length]))
                input += length
                output += length
                continue
            }
            let short = tag & 3 == 1
            guard let rest = little(source, &input, short ? 1 : tag & 3 == 2 ? 2 : 4) else { return false }
            let length = short ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1, back = short ? ((tag >> 5) << 8) | rest : rest
            guard back > 0, back <= output, length <= out.count - output else { return false }
            // Byte by byte: source and target may overlap, which repeats what lies between.
            for place in output..<output + length { out[place] = out[place - back] }
            output += length
        }
        return output == out.count
    }
}
