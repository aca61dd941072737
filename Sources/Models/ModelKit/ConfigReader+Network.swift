import Checkpoints
import Tensors

extension ConfigReader {
    /// The activation that a field names; throws for one that no kernel computes.
    public func activation(_ field: String, default fallback: Activation) throws -> Activation {
        guard has(field) else { return fallback }
        guard let activation = Activation(named: try string(field)) else {
            throw invalid(field, expected: "one of " + Activation.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return activation
    }

    /// A size of the network: at least 1 and at most 2^20.
    public func size(_ field: String, default fallback: Int? = nil) throws -> Int {
        guard let fallback else { return try int(field, in: 1...1 << 20) }
        return try int(field, default: fallback, in: 1...1 << 20)
    }

    /// An image or patch size written as one number or as two equal ones.
    public func squareSize(_ field: String, default fallback: Int) throws -> Int {
        if let pair = raw(field)?.array {
            guard pair.count == 2, let side = pair[0].int, pair[1].int == side, (1...65536).contains(side) else {
                throw invalid(field, expected: "one size or two equal ones")
            }
            return side
        }
        return try int(field, default: fallback, in: 1...65536)
    }

    /// Heads that divide the width.
    public func heads(_ field: String, width: Int, default fallback: Int? = nil) throws -> Int {
        let heads = try size(field, default: fallback)
        guard width % heads == 0 else { throw invalid(field, expected: "a divisor of the width \(width)") }
        return heads
    }

    /// A size that the patch size must fit into at least once.
    public func patchSize(_ field: String, image: Int, default fallback: Int) throws -> Int {
        let patch = try squareSize(field, default: fallback)
        guard patch <= image else { throw invalid(field, expected: "at most the picture's size \(image)") }
        return patch
    }
}
