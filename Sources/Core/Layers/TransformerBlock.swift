import Checkpoints
import Tensors

/// Where a checkpoint keeps the parts of a transformer block, relative to the block.
public struct BlockNames: Sendable {
    public var query, key, value, output, firstNorm, secondNorm, up, down: String
    /// Per-channel scales of the two branches (LayerScale), nil where a family has none.
    public var firstScale: String?
    public var secondScale: String?

    public init(
        query: String, key: String, value: String, output: String, firstNorm: String, secondNorm: String, up: String, down: String,
        firstScale: String? = nil, secondScale: String? = nil
    ) {
        (self.query, self.key, self.value, self.output) = (query, key, value, output)
        (self.firstNorm, self.secondNorm, self.up, self.down) = (firstNorm, secondNorm, up, down)
        (self.firstScale, self.secondScale) = (firstScale, secondScale)
    }

    /// CLIP, SigLIP and Chinese-CLIP's picture tower.
    public static let clip = BlockNames(
        query: "self_attn.q_proj", key: "self_attn.k_proj", value: "self_attn.v_proj", output: "self_attn.out_proj",
        firstNorm: "layer_norm1", secondNorm: "layer_norm2", up: "mlp.fc1", down: "mlp.fc2")
    public static let vit = BlockNames(
        query: "attention.attention.query", key: "attention.attention.key", value: "attention.attention.value",
        output: "attention.output.dense", firstNorm: "layernorm_before", secondNorm: "layernorm_after", up: "intermediate.dense",
        down: "output.dense")
    public static let dinov2 = BlockNames(
        query: "attention.attention.query", key: "attention.attention.key", value: "attention.attention.value",
        output: "attention.output.dense", firstNorm: "norm1", secondNorm: "norm2", up: "mlp.fc1", down: "mlp.fc2",
        firstScale: "layer_scale1.lambda1", secondScale: "layer_scale2.lambda1")
    public static let bert = BlockNames(
        query: "attention.self.query", key: "attention.self.key", value: "attention.self.value", output: "attention.output.dense",
        firstNorm: "attention.output.LayerNorm", secondNorm: "output.LayerNorm", up: "intermediate.dense", down: "output.dense")
}

/// Sizes and switches of a stack of equal transformer blocks.
public struct BlockConfig: Sendable, Hashable {
    public enum NormPlace: Sendable { case before, after }
    public enum FeedForward: Sendable { case plain, swiglu }

    public var width, heads, hidden: Int
    public var activation: Activation
    public var epsilon: Float
    public var norm = NormPlace.before
    public var inputBias = [true, true, true]
    public var feedForward = FeedForward.plain

    public init(width: Int, heads: Int, hidden: Int, activation: Activation, epsilon: Float) {
        (self.width, self.heads, self.hidden, self.activation, self.epsilon) = (width, heads, hidden, activation, epsilon)
    }
}

/// Self-attention and a feed-forward network, each in a residual branch; norms before the branches (pre-LN) or after the
/// sums (post-LN, as BERT).
public struct TransformerBlock: Sendable {
    private let config: BlockConfig
    private let attention: SelfAttention
    private let firstNorm, secondNorm: LayerNorm
    private let up, down: Linear
    private let firstScale, secondScale: Tensor?

    public init(_ weights: Weights, _ config: BlockConfig, _ names: BlockNames) throws(TensorError) {
        self.config = config
        attention = try SelfAttention(
            query: weights[names.query], key: weights[names.key], value: weights[names.value], output: weights[names.output],
            width: config.width, heads: config.heads, inputBias: config.inputBias)
        firstNorm = LayerNorm(weights[names.firstNorm], config.width, epsilon: config.epsilon)
        secondNorm = LayerNorm(weights[names.secondNorm], config.width, epsilon: config.epsilon)
        let doubled = config.feedForward == .swiglu ? 2 : 1
        up = Linear(weights[names.up], config.width, config.hidden * doubled)
        down = Linear(weights[names.down], config.hidden, config.width)
        firstScale = names.firstScale.map { weights.tensor($0, [config.width]) }
        secondScale = names.secondScale.map { weights.tensor($0, [config.width]) }
    }

    /// `[batch, tokens, width]`
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, causal: Bool = false) throws(TensorError) -> Tensor {
        try apply(x) { (inner, residual) throws(TensorError) in
            try attention(inner, mask: mask, causal: causal, scale: firstScale, residual: residual)
        }
    }

    /// The output for the tokens `selected` `[batch, chosen, width]` of `x` alone; `mask` broadcasts to `[batch, heads, chosen, tokens]`.
    public func callAsFunction(selected: Tensor, of x: Tensor, mask: Tensor?) throws(TensorError) -> Tensor {
        let all = try config.norm == .before ? firstNorm(x) : x
        return try apply(selected) { (inner, residual) throws(TensorError) in
            try attention(selected: inner, of: all, mask: mask, scale: firstScale, residual: residual)
        }
    }

    /// `mix` is the attention of normed tokens, plus a residual where one is given.
    private func apply(_ x: Tensor, _ mix: (Tensor, Tensor?) throws(TensorError) -> Tensor) throws(TensorError) -> Tensor {
        if config.norm == .after {
            let y = try firstNorm(added(to: x) { (residual) throws(TensorError) in try mix(x, residual) })
            let inner = try up(y, activation: config.activation)
            return try secondNorm(added(to: y) { (residual) throws(TensorError) in try down(inner, residual: residual) })
        }
        let normed = try firstNorm(x), y = try added(to: x) { (residual) throws(TensorError) in try mix(normed, residual) }
        let inner = try feedForward(secondNorm(y))
        return try added(to: y) { (residual) throws(TensorError) in try down(inner, scale: secondScale, residual: residual) }
    }

    /// A branch and what it is added to: in the branch's last product, or behind dropout where training asks for it.
    private func added(
        to residual: Tensor, _ branch: (Tensor?) throws(TensorError) -> Tensor
    ) throws(TensorError) -> Tensor {
        TrainingNoise.current?.drops == true ? try branch(nil).dropout() + residual : try branch(residual)
    }

    private func feedForward(_ x: Tensor) throws(TensorError) -> Tensor {
        switch config.feedForward {
        case .plain: return try up(x, activation: config.activation)
        case .swiglu:
            let halves = try up(x).split(-1, sizes: [config.hidden, config.hidden])
            return try halves[0].activated(.silu) * halves[1]
        }
    }
}

/// A stack of equal blocks at `layers.0`, `layers.1` ... of the weights.
public struct TransformerStack: Sendable {
    private let blocks: [TransformerBlock]

    public init(_ weights: Weights, layers: Int, _ config: BlockConfig, _ names: BlockNames) throws(TensorError) {
        var blocks: [TransformerBlock] = []
        for index in 0..<layers { blocks.append(try TransformerBlock(weights[String(index)], config, names)) }
        self.blocks = blocks
    }

    /// `[batch, tokens, width]`. Each block's output is tapped as `<tap>.<index>`.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, causal: Bool = false, tap: String) throws(TensorError) -> Tensor {
        var y = x
        for (index, block) in blocks.enumerated() {
            y = try block(y, mask: mask, causal: causal)
            Taps.record("\(tap).\(index)", y)
        }
        return y
    }

    /// The state of one token of each sequence, `[batch, width]`: the last block computes nothing else.
    /// - Parameter places: the token of each sequence.
    public func callAsFunction(
        _ x: Tensor, at places: [Int], mask: Tensor? = nil, causal: Bool = false, tap: String
    ) throws(TensorError) -> Tensor {
        let (batch, tokens, width) = (x.dim(0), x.dim(1), x.dim(2))
        func selected(_ states: Tensor) throws(TensorError) -> Tensor {  // [batch, 1, width]
            let rows = places.enumerated().map { Int32($0.offset * tokens + $0.element) }
            return try states.reshaped([batch * tokens, width]).gathered(Tensor(rows, [batch, 1]))
        }
        // Somebody looks at every token's state, or masks differ from token to token.
        guard let last = blocks.last, !Taps.areRecorded, mask.map({ $0.rank < 2 || $0.dim(-2) == 1 }) ?? true else {
            return try selected(self(x, mask: mask, causal: causal, tap: tap)).reshaped([batch, width])
        }
        var y = x
        for block in blocks.dropLast() { y = try block(y, mask: mask, causal: causal) }
        var seen = mask
        if causal, places.contains(where: { $0 < tokens - 1 }) {
            let hidden = places.flatMap { place in (0..<tokens).map { $0 <= place ? Float(0) : -.infinity } }
            let ahead = try Tensor(hidden, [batch, 1, 1, tokens])
            guard mask == nil else { return try selected(last(y, mask: mask, causal: true)).reshaped([batch, width]) }
            seen = ahead
        }
        return try last(selected: selected(y), of: y, mask: seen).reshaped([batch, width])
    }
}
