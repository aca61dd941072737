import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import Tokenizers

/// Sensorium's own bilingual dual encoders: a published picture tower (CLIP's or DINOv2's) with a head, and a text encoder for Chinese and
/// English that is trained to meet it.
public enum SensoriumCLIP {
    private static func load(_ folder: ModelFolder) throws -> LoadedModel {
        let config = try SensoriumCLIPConfig(folder)
        let transform: ImageTransform =
            switch config.tower {
            case let .clip(vision, _):
                try folder.transform(
                    default: .shortestEdge(
                        vision.image, crop: vision.image, filter: .bicubic, statistics: ImageTransform.Statistics.clip))
            case .dinov2:
                try folder.transform(
                    default: .shortestEdge(256, crop: 224, filter: .bicubic, statistics: ImageTransform.Statistics.imageNet))
            }
        let tokenizer = try folder.file("tokenizer.json") == nil ? nil : folder.directory.map { try Tokenizer.load(folder: $0) }
        return try WeightLoader.load(
            from: folder.source, precision: folder.precision, ignoring: ["**.position_ids"], label: "SensoriumCLIP"
        ) { weights in
            let image = try SensoriumCLIPPicture(weights, config, transform: transform)
            let text = try SensoriumCLIPText(weights, config, tokenizer: tokenizer)
            let scale = weights.tensor("logit_scale", []).detached().exp().scalar
            return LoadedModel(
                family: "SensoriumCLIP", image: image, text: text, similarity: Similarity(scale: scale),
                textAbsence: tokenizer == nil ? "no tokenizer.json beside the weights" : nil)
        }
    }

    public static let family = Family(
        name: "SensoriumCLIP", group: "DualEncoder", summary: "Chinese and English words for a published picture tower; trained here",
        layouts: ["its own, with Hugging Face's names of the parts"], worstDifference: 2e-6, published: [],
        recognises: { $0.modelType == "sensorium_clip" }, load: load)
}
