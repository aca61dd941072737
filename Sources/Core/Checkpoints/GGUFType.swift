import Tensors

/// An element type of ggml by its number in a GGUF file.
struct GGUFType: Sendable, Hashable {
    let name: String
    /// Elements of a block and its bytes; 0 for a type that isn't known.
    let blockLength: Int
    let blockBytes: Int
    let stored: StoredType

    /// Bytes that `shape` takes: blocks run along the last axis. nil where they don't fit or the type is unknown.
    func byteCount(_ shape: [Int]) -> Int? {
        guard blockLength > 0, let count = boundedCount(shape) else { return nil }
        guard (shape.last ?? 1) % blockLength == 0 else { return nil }
        let (bytes, overflow) = (count / blockLength).multipliedReportingOverflow(by: blockBytes)
        return overflow ? nil : bytes
    }

    /// The type of a number, after `enum ggml_type` of ggml.h. Numbers that were given up (4, 5, 31 ... 33, 36 ... 38) are unknown.
    init(code: UInt32) {
        if let plain = Self.plain[code] {
            (name, stored) = (plain.description.uppercased(), plain)
            (blockLength, blockBytes) = (1, (plain.bits ?? 0) / 8)
        } else if let format = Self.formats[code] {
            (name, stored) = ("\(format)".uppercased(), .blocks(format))
            (blockLength, blockBytes) = (format.blockLength, format.blockBytes)
        } else if let other = Self.others[code] {
            (name, blockLength, blockBytes) = other
            stored = .other(other.name, bits: nil)
        } else {
            (name, blockLength, blockBytes) = ("ggml type \(code)", 0, 0)
            stored = .other("ggml type \(code)", bits: nil)
        }
    }

    private static let plain: [UInt32: StoredType] = [
        0: .native(.f32), 1: .native(.f16), 30: .native(.bf16), 24: .native(.i8), 25: .i16, 26: .native(.i32), 27: .native(.i64), 28: .f64,
    ]

    private static let formats: [UInt32: WeightFormat] = [
        2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 12: .q4_K, 13: .q5_K, 14: .q6_K,
    ]

    /// Types that are listed but not read.
    private static let others: [UInt32: (name: String, blockLength: Int, blockBytes: Int)] = [
        9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
        17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17),
    ]
}
