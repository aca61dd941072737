import Checkpoints
import Foundation
import ModelKit
import Tensors

/// Writes models as folders that load.
enum ModelExport {
    /// All weights, and the files beside those of `folder`: configuration, tokenizer, transform.
    static func write(_ tensors: [String: Tensor], of folder: ModelFolder, to target: URL) throws {
        try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: target.appendingPathComponent("model.safetensors").path)
        guard let source = folder.directory else { return }
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path)
        where ["json", "txt", "model"].contains((name as NSString).pathExtension) && !name.hasSuffix("index.json") {
            try FileManager.default.copyItem(at: source.appendingPathComponent(name), to: target.appendingPathComponent(name))
        }
    }
}
