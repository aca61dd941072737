import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors

/// One tiny checkpoint of a family with the outputs that its `reference.py` stored.
public struct Golden: Sendable, CustomStringConvertible {
    public let family: String
    public let group: String
    public let variant: String
    /// The model to load: the folder, or a single file in it.
    public let path: String
    public let file: SafetensorsFile

    public var description: String { "\(family) \(variant)" }

    /// The root of the package: tests run from a checkout.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    public static func all(of families: [Family]) throws -> [Golden] {
        var found: [Golden] = []
        for family in families {
            let folder = root.appendingPathComponent("Sources/Models/\(family.group)/\(family.name)/golden")
            for variant in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
                let place = folder.appendingPathComponent(variant)
                let file = try SafetensorsFile(path: place.appendingPathComponent("golden.safetensors").path)
                // What isn't a folder of its own is loaded by its file; TorchScript holds the same weights in another container.
                let files = ["model.pt", "model.torchscript.pt", "model.gguf"].filter {
                    FileManager.default.fileExists(atPath: place.appendingPathComponent($0).path)
                }
                if files.isEmpty {
                    found.append(Golden(family: family.name, group: family.group, variant: variant, path: place.path, file: file))
                }
                for name in files {
                    let path = place.appendingPathComponent(name).path
                    found.append(Golden(family: family.name, group: family.group, variant: "\(variant)/\(name)", path: path, file: file))
                }
            }
        }
        return found
    }

    /// Prefix of the stored pictures' keys that our transform follows: open_clip's own crop differs from transformers'.
    public var prefix: String { has("open_clip_image_embeds") ? "open_clip_" : "" }

    /// The precision in which a model computes what the reference does: products with quantised weights would round activations.
    public var precision: WeightFormat? { path.hasSuffix(".gguf") ? .f32 : nil }

    public func has(_ key: String) -> Bool { file.entry(key) != nil }
    public func tensor(_ key: String) throws -> Tensor { try file.tensor(key) }

    public func list(_ key: String) -> [String] {
        guard let text = file.metadata[key], let value = try? JSONValue.parse(text, file: "golden.safetensors"), let list = value.array
        else { return [] }
        return list.compactMap(\.string)
    }

    public var pictureNames: [String] { list("pictures") }
    public var texts: [String] { list("texts") }

    public static func picture(_ name: String) throws -> Picture {
        try PictureDecoder.decode(path: root.appendingPathComponent("Tests/Fixtures/pictures/\(name)").path)
    }
}
