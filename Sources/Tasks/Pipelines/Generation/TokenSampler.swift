import Foundation
import Tensors

/// Chooses the next token from its logits.
public struct TokenSampler: Sendable {
    /// 0 takes the most probable token.
    public let temperature: Float
    /// The most probable tokens that have this probability together are drawn from (Holtzman et al. 2020); 1 draws from all.
    public let topP: Float
    private var generator: RandomGenerator

    /// - Parameter seed: equal seeds draw equal tokens.
    public init(temperature: Float = 0, topP: Float = 1, seed: UInt64 = 0) {
        (self.temperature, self.topP) = (temperature, topP)
        generator = RandomGenerator(seed: seed)
    }

    /// The token that `logits` `[vocabulary]` give.
    public mutating func choose(_ logits: Tensor) throws(TensorError) -> Int32 {
        guard temperature > 0 else { return Int32(try logits.argmax().ints()[0]) }
        // The largest logit is taken off first: however small the temperature, nothing overflows.
        let probabilities = try (logits - logits.max()).scaled(by: 1 / temperature).softmax().floats()
        let drawn = Double(generator.next() >> 11) * 0x1p-53
        return Int32(topP < 1 ? nucleus(probabilities, drawn) : Self.draw(probabilities, probabilities.indices, drawn))
    }

    private func nucleus(_ probabilities: [Float], _ drawn: Double) -> Int {
        // Tokens below this have less than 1 - topP together, so the nucleus is full before their turn: they needn't be sorted.
        let least = (1 - topP) / Float(probabilities.count)
        let order = probabilities.indices.filter { probabilities[$0] >= least }
            .sorted { (probabilities[$0], $1) > (probabilities[$1], $0) }
        var total = 0.0, count = 0
        while count < order.count, count == 0 || total < Double(topP) {
            total += Double(probabilities[order[count]])
            count += 1
        }
        return Self.draw(probabilities, order.prefix(count), drawn)
    }

    /// The candidate in which the share `drawn` of all candidates' probability falls.
    private static func draw(_ probabilities: [Float], _ candidates: some Collection<Int>, _ drawn: Double) -> Int {
        let total = candidates.reduce(0.0) { $0 + Double(probabilities[$1]) }
        var rest = drawn * total, last = 0
        for candidate in candidates where probabilities[candidate] > 0 {
            rest -= Double(probabilities[candidate])
            last = candidate
            if rest < 0 { break }
        }
        return last
    }
}
