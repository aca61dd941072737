import Checkpoints
import Layers
import ModelKit
import Tensors
import Text
import Tokenizers

/// The text tower: BERT, the mean of its last states over the words, projected.
struct SensoriumCLIPText: TextEncoder {
    let dimension: Int
    private let bert: BERT
    private let projection: Linear
    private let tokenizer: Tokenizer?
    private let contextLength: Int

    init(_ weights: Weights, _ config: SensoriumCLIPConfig, tokenizer: Tokenizer?) throws {
        bert = try BERT(weights["text_model"], config.text)
        projection = Linear(weights["text_projection"], config.text.block.width, config.projection, bias: false)
        (dimension, contextLength, self.tokenizer) = (config.projection, config.contextLength, tokenizer)
    }

    func tokenize(_ texts: [String]) throws -> TokenBatch {
        guard let tokenizer else {
            throw RoleError(model: "SensoriumCLIP", role: "text encoder", reason: "the checkpoint has no tokenizer.json")
        }
        return try tokenizer.batch(texts, maxLength: contextLength, fixedLength: nil, padding: bert.config.padding)
    }

    func embed(_ tokens: TokenBatch) throws -> Tensor {
        let states = try bert(tokens)  // [batch, length, width]
        let pooled: Tensor
        if let mask = tokens.mask {
            let kept = try mask.asType(.f32).expandedDim(-1)  // [batch, length, 1]
            pooled = try (states * kept).sum([1]) / kept.sum([1]).maximum(1)
        } else {
            pooled = try states.mean([1])
        }
        Taps.record("text.pooled", pooled)
        return try projection(pooled)
    }
}
