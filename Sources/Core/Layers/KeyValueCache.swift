import Tensors

/// Keys and values of the tokens that a language model has seen, so that the next ones are computed alone. A value: a copy may be
/// continued another way.
public struct KeyValueCache: Sendable {
    private var keys: [Tensor]
    private var values: [Tensor]
    private let heads, width: Int
    public let batch: Int
    /// The most tokens that the model takes.
    public let limit: Int
    /// Tokens seen.
    public private(set) var count = 0
    private var capacity: Int

    /// - Parameters:
    ///   - heads: of keys and values, each `width` wide.
    ///   - capacity: tokens to make room for; it grows when more come, up to `limit`.
    public init(layers: Int, batch: Int, heads: Int, width: Int, capacity: Int, limit: Int) {
        (self.heads, self.width, self.batch, self.limit) = (heads, width, batch, limit)
        self.capacity = max(1, min(capacity, limit))
        let room = Self.room(batch, heads, self.capacity, width)
        keys = [Tensor](repeating: room, count: layers)
        values = keys
    }

    /// Bytes that the room for keys and values takes.
    public var byteCount: Int { 2 * keys.count * batch * heads * capacity * width * MemoryLayout<Float>.size }

    /// Nothing is read before it is written, so the elements need no value.
    private static func room(_ batch: Int, _ heads: Int, _ capacity: Int, _ width: Int) -> Tensor {
        Tensor.makeFloats([batch, heads, capacity, width]) { _ in }
    }

    /// Forgets the tokens from `length` on.
    public mutating func truncate(to length: Int) { count = max(0, min(count, length)) }

    /// Makes sure that `tokens` more fit. Throws where the model's limit forbids it.
    public mutating func reserve(_ tokens: Int) throws(TensorError) {
        guard tokens >= 0, tokens <= limit - count else {
            throw .shape(
                operation: "language model", shapes: [[batch, count], [batch, tokens]], expected: "at most \(limit) tokens together")
        }
        guard count + tokens > capacity else { return }
        capacity = min(limit, max(2 * capacity, count + tokens))
        for layer in keys.indices {
            keys[layer] = try grown(keys[layer])
            values[layer] = try grown(values[layer])
        }
    }

    private func grown(_ old: Tensor) throws(TensorError) -> Tensor {
        var new = Self.room(batch, heads, capacity, width)
        try new.write(old.sliced(2, 0..<count), axis: 2, at: 0)
        return new
    }

    /// Adds the new tokens' keys and values `[batch, tokens, heads, width]` of a layer behind those seen; `reserve` made the room.
    /// - Returns: all of the layer's keys and values, `[batch, heads, seen + tokens, width]`. They must be let go before the next
    ///   tokens come, which would have to copy the cache otherwise.
    public mutating func append(
        layer: Int, keys newKeys: Tensor, values newValues: Tensor
    ) throws(TensorError) -> (
        keys: Tensor, values: Tensor
    ) {
        let end = count + newKeys.dim(1)
        try keys[layer].write(newKeys.permuted([0, 2, 1, 3]), axis: 2, at: count)
        try values[layer].write(newValues.permuted([0, 2, 1, 3]), axis: 2, at: count)
        return (try keys[layer].sliced(2, 0..<end), try values[layer].sliced(2, 0..<end))
    }

    /// Counts tokens as seen, after all layers have added theirs.
    public mutating func advance(by tokens: Int) { count += tokens }
}
