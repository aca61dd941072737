import Checkpoints
import ModelKit
import Tensors

/// PP-OCR (PaddleOCR): a text detector, a line reader and a classifier of lines on their heads, in one folder.
public enum PPOCR {
    public static let family = Family(
        name: "PPOCR", group: "Vision",
        summary: "Text in pictures, PP-OCRv6: detector, line reader, lines on their heads (PaddleOCR; Liao et al. 2020, Du et al. 2022)",
        layouts: ["rapidocr's PyTorch networks, merged for inference"],
        worstDifference: 4e-7,
        published: [],
        recognises: { $0.modelType == "ppocr" },
        load: { folder in
            let config = try PPOCRConfig(folder.requireConfig())
            let networks = try WeightLoader.load(from: folder.source, precision: folder.precision, label: "PPOCR") { weights in
                ReadingNetworks(
                    detector: try PPOCRDetector(weights["detector"], config.detector),
                    recognizer: try PPOCRRecognizer(weights["recognizer"], config.recognizer),
                    direction: try config.direction.map { try PPOCRDirection(weights["direction"], $0) })
            }
            return LoadedModel(family: "PPOCR", reading: networks)
        })
}
