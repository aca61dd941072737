import Tensors

/// Momentum distillation of a dual encoder (ALBEF, Li et al. 2021): slow copies of both towers give soft targets, and what they gave for
/// earlier batches are further wrong answers.
public struct MomentumDistillation: Sendable, Hashable {
    /// The share of the slow copies that stays at each step.
    public var share: Float = 0.995
    /// Pairs that are remembered.
    public var queue = 65_536
    /// The share of the slow copies' distributions in the targets.
    public var alpha: Float = 0.4
    /// Steps over which `alpha` rises from 0; ALBEF's are those of the first epoch.
    public var rise = 0

    public init() {}

    func alpha(step: Int) -> Float { rise > 0 ? alpha * min(1, Float(step) / Float(rise)) : alpha }
}

/// What momentum distillation remembers from step to step.
struct MomentumMemory {
    /// Pairs by their vectors of unit length `[n, width]` and by the numbers of their pictures.
    struct Pairs {
        var images, texts: Tensor
        var identities: [Int]
    }

    var slow = MomentumParameters()
    /// The oldest first. It begins empty, where the published code begins with random vectors.
    private var queue: Pairs?
    /// Of the step's parts, until the update: each sees the same queue.
    private var pending: [Int: Pairs] = [:]

    mutating func keep(_ pairs: Pairs, part: Int) { pending[part] = pairs }

    /// The loss of a batch of pairs: rows of one picture are no wrong answers to each other, in the batch or in the queue.
    func loss(
        _ found: (images: Tensor, texts: Tensor), _ pairs: Pairs, scale: Tensor, alpha: Float
    ) throws -> Tensor {
        let all = try joined(queue, behind: pairs), columns = all.identities
        let n = pairs.identities.count
        let targets = Tensor.makeFloats([n, columns.count]) { out in
            for (row, own) in pairs.identities.enumerated() {
                let same = Float(columns.count { $0 == own })
                for (column, other) in columns.enumerated() { out[row * columns.count + column] = other == own ? 1 / same : 0 }
            }
        }
        return try Losses.momentumContrastive(
            found, slow: (pairs.images, pairs.texts), candidates: (all.images, all.texts), targets: targets, scale: scale, alpha: alpha)
    }

    mutating func advance(_ store: ParameterStore, _ options: MomentumDistillation) throws {
        slow.follow(store, share: options.share)
        for part in pending.keys.sorted() {
            if let pairs = pending[part] { queue = try queue.map { try joined(pairs, behind: $0) } ?? pairs }
        }
        pending = [:]
        guard let queue, queue.identities.count > options.queue else { return }
        let kept = queue.identities.count - options.queue..<queue.identities.count
        self.queue = Pairs(
            images: try queue.images.sliced(0, kept).contiguous(), texts: try queue.texts.sliced(0, kept).contiguous(),
            identities: Array(queue.identities[kept]))
    }

    private func joined(_ later: Pairs?, behind first: Pairs) throws -> Pairs {
        guard let later else { return first }
        return Pairs(
            images: try .concatenated([first.images, later.images]), texts: try .concatenated([first.texts, later.texts]),
            identities: first.identities + later.identities)
    }

    var state: [String: Tensor] {
        var all = slow.state
        guard let queue, let numbers = try? Tensor(queue.identities.map(Int64.init), [queue.identities.count]) else { return all }
        (all["queue.images"], all["queue.texts"], all["queue.identities"]) = (queue.images, queue.texts, numbers)
        return all
    }

    mutating func restore(_ state: [String: Tensor]) throws {
        slow.restore(state)
        (queue, pending) = (nil, [:])
        guard let images = state["queue.images"], let texts = state["queue.texts"], let numbers = state["queue.identities"] else { return }
        guard images.rank == 2, texts.shape == images.shape, numbers.shape == [images.dim(0)] else {
            throw TrainingError.data("the checkpoint's queue doesn't fit together: \(images.shape), \(texts.shape), \(numbers.shape)")
        }
        queue = Pairs(images: images, texts: texts, identities: numbers.ints())
    }
}
