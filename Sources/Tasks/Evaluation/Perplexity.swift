import Foundation
import Layers
import ModelKit
import Tensors

/// How well a language model foretells a text: `exp` of the mean negative log-likelihood of its tokens.
///
/// The text goes through windows of `context` tokens that start `stride` apart, as in transformers' guide on perplexity of
/// fixed-length models. A window scores the tokens that no window before it has scored, each given those before it in the window;
/// the first token of a window is given nothing and isn't scored.
public struct Perplexity: Sendable, Hashable {
    /// Sum of the negative log-likelihoods, in nats.
    public private(set) var total = 0.0
    /// Tokens scored.
    public private(set) var count = 0
    /// Sum of the squares, for the error.
    private var squares = 0.0

    public var value: Double { exp(mean) }
    /// Nats per token.
    public var mean: Double { total / Double(count) }
    /// One standard error of `value`, taking tokens as independent.
    public var standardError: Double {
        count < 2 ? .nan : value * (max(squares / Double(count) - mean * mean, 0) / Double(count - 1)).squareRoot()
    }

    /// Positions whose logits are held at a time: vocabularies are large.
    private static let block = 64

    /// Why a text can't be measured.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - ids: the text's tokens, at least two.
    ///   - context: tokens of a window, 2 to the model's context.
    ///   - stride: tokens from window to window, 1 to `context`.
    ///   - progress: takes the number of tokens that have been read.
    public init(
        of ids: [Int32], model: any LanguageModel, context: Int, stride: Int, progress: (Int) -> Void = { _ in }
    ) throws {
        guard ids.count >= 2 else { throw Failure(description: "the text has \(ids.count) tokens; at least 2 are needed") }
        guard (2...max(2, model.contextLength)).contains(context), (1...context).contains(stride) else {
            throw Failure(
                description:
                    "a context of \(context) with a stride of \(stride); the context must be 2 to \(model.contextLength), the stride 1 to the context"
            )
        }
        var scored = 0, start = 0
        while scored < ids.count {
            let end = min(start + context, ids.count), first = max(scored, start + 1)
            if first < end { try add(Array(ids[start..<end]), scoring: first - start, model) }
            scored = end
            start += stride
            progress(end)
        }
    }

    /// Scores the tokens of a window from `first` on.
    private mutating func add(_ window: [Int32], scoring first: Int, _ model: any LanguageModel) throws {
        var cache = model.makeCache(batch: 1, capacity: window.count)
        let states = try model.states(model.embeddings(Tensor(window, [1, window.count])), cache: &cache)  // [1, tokens, width]
        var place = first
        while place < window.count {
            let end = min(place + Self.block, window.count)
            // The state of a token foretells the one after it.
            let logits = try model.logits(states.selected(0, 0).sliced(0, place - 1..<end - 1))  // [block, vocabulary]
            try add(logits, Array(window[place..<end]))
            place = end
        }
    }

    /// Log-likelihoods of `targets` under `logits` `[targets, vocabulary]`.
    private mutating func add(_ logits: Tensor, _ targets: [Int32]) throws {
        let largest = try logits.max([-1], keepDims: true), vocabulary = logits.dim(-1)
        let sums = try (logits - largest).exp().sum([-1]).floats(), tops = largest.floats()
        let chosen = logits.withElements(Float.self) { values in
            targets.enumerated().map { values[$0 * vocabulary + Int($1)] }
        }
        for row in targets.indices {
            let loss = log(Double(sums[row])) + Double(tops[row]) - Double(chosen[row])
            total += loss
            squares += loss * loss
            count += 1
        }
    }
}
