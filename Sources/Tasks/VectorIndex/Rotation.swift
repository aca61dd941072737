import CKernels
import Tensors

/// A random rotation of vectors that were filled up with zeros, made from a seed: no direction of the data is the direction of
/// an axis any more, so that the signs of the components say equally much.
struct Rotation: Sendable {
    private static let rounds = 4
    let seed: UInt64
    /// Components of a rotated vector: a multiple of 64.
    let width: Int
    private let signs: [Float]

    init(dimension: Int, seed: UInt64) {
        self.seed = seed
        width = CodeBlock.width(dimension)
        var random = RandomGenerator(seed: seed), signs: [Float] = []
        signs.reserveCapacity(Rotation.rounds * width)
        while signs.count < Rotation.rounds * width {
            let word = random.next()
            for bit in 0..<UInt64(64) { signs.append(word >> bit & 1 == 1 ? 1 : -1) }
        }
        self.signs = signs
    }

    /// Groups of 16 components, as the kernels count them.
    var groups: Int { width / 16 }

    /// Rotates `width` components in place.
    func apply(_ vector: UnsafeMutablePointer<Float>) {
        signs.withUnsafeBufferPointer { sn_vectors().pointee.rotate($0.baseAddress!, Rotation.rounds, width, vector) }
    }

    /// Calls `body` with what the kernel needs to encode vectors near `centre`.
    func withEncoder<Result>(
        centre: UnsafePointer<Float>, dimension: Int, isL2: Bool, _ body: (inout sn_bit_encoder) throws(IndexError) -> Result
    ) throws(IndexError) -> Result {
        var rotated = [Float](repeating: 0, count: width)
        rotated.withUnsafeMutableBufferPointer { $0.baseAddress!.update(from: centre, count: dimension) }
        apply(&rotated)
        return try rotated.withUnsafeBufferPointer { rotated throws(IndexError) in
            try signs.withUnsafeBufferPointer { signs throws(IndexError) in
                var encoder = sn_bit_encoder(
                    centre: centre, rotated: rotated.baseAddress!, signs: signs.baseAddress!, rounds: Rotation.rounds, dimension: dimension,
                    width: width, l2: isL2)
                return try body(&encoder)
            }
        }
    }
}
