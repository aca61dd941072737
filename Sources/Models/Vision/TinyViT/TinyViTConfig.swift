import Checkpoints
import Imaging
import Layers
import ModelKit
import Tensors

/// Sizes of a TinyViT (Wu et al. 2022) by timm's architecture name, with the changes that `model_args` of its `config.json` makes.
struct TinyViTConfig: Sendable, Hashable {
    /// Channels, blocks, heads and window sides of the four stages; the first has no attention.
    var widths, depths, heads, windows: [Int]
    var mlpRatio, expandRatio: Double
    var localKernel: Int
    var classes: Int?

    private struct Architecture {
        var widths, heads, windows: [Int]
        static let all: [String: Architecture] = [
            "tiny_vit_5m_224": .init(widths: [64, 128, 160, 320], heads: [2, 4, 5, 10], windows: [7, 7, 14, 7]),
            "tiny_vit_11m_224": .init(widths: [64, 128, 256, 448], heads: [2, 4, 8, 14], windows: [7, 7, 14, 7]),
            "tiny_vit_21m_224": .init(widths: [96, 192, 384, 576], heads: [3, 6, 12, 18], windows: [7, 7, 14, 7]),
            "tiny_vit_21m_384": .init(widths: [96, 192, 384, 576], heads: [3, 6, 12, 18], windows: [12, 12, 24, 12]),
            "tiny_vit_21m_512": .init(widths: [96, 192, 384, 576], heads: [3, 6, 12, 18], windows: [16, 16, 32, 16]),
        ]
    }

    init(_ config: ConfigReader, weights: ModelFolder) throws {
        let name = try config.string("architecture").prefix { $0 != "." }
        guard let base = Architecture.all[String(name)] else {
            throw config.invalid("architecture", expected: "one of " + Architecture.all.keys.sorted().joined(separator: ", "))
        }
        let changes = try config.sectionOrEmpty("model_args")
        widths = try changes.ints("embed_dims", default: base.widths, in: 2...1 << 16)
        depths = try changes.ints("depths", default: [2, 2, 6, 2], in: 1...1000)
        heads = try changes.ints("num_heads", default: base.heads, in: 1...1 << 16)
        windows = try changes.ints("window_sizes", default: base.windows, in: 1...64)
        for (field, values) in [("embed_dims", widths), ("depths", depths), ("num_heads", heads), ("window_sizes", windows)]
        where values.count != 4 {
            throw changes.invalid(field, expected: "four entries")
        }
        for (width, count) in zip(widths, heads) where width % count != 0 {
            throw changes.invalid("num_heads", expected: "divisors of embed_dims \(widths)")
        }
        // The table of biases grows with the fourth power of a window's side.
        guard zip(heads, windows).allSatisfy({ $0 * $1 * $1 * $1 * $1 <= 1 << 26 }) else {
            throw changes.invalid("window_sizes", expected: "windows whose attention biases fit into 256 MiB")
        }
        guard widths[0] % 2 == 0 else { throw changes.invalid("embed_dims", expected: "an even first entry") }
        mlpRatio = try changes.double("mlp_ratio", default: 4)
        expandRatio = try changes.double("mbconv_expand_ratio", default: 4)
        for (field, ratio) in [("mlp_ratio", mlpRatio), ("mbconv_expand_ratio", expandRatio)] where !(0.1...64).contains(ratio) {
            throw changes.invalid(field, expected: "0.1 to 64")
        }
        localKernel = try changes.int("local_conv_size", default: 3, in: 1...15)
        guard localKernel % 2 == 1 else { throw changes.invalid("local_conv_size", expected: "an odd number") }
        classes = weights.shape("head.fc.weight")?.first
    }

    /// timm's evaluation transform of `pretrained_cfg`.
    static func transform(_ config: ConfigReader) throws -> ImageTransform {
        let fields = try config.sectionOrEmpty("pretrained_cfg")
        let size = try fields.ints("input_size", default: [3, 224, 224], in: 1...8192)
        guard size.count == 3, size[0] == 3, size[1] == size[2] else { throw fields.invalid("input_size", expected: "[3, side, side]") }
        let side = size[1], fraction = try fields.double("crop_pct", default: 0.95)
        guard fraction > 0, fraction <= 1 else { throw fields.invalid("crop_pct", expected: "a number over 0 and up to 1") }
        let filters: [String: ResizeFilter] = ["nearest": .nearest, "bilinear": .bilinear, "bicubic": .bicubic, "lanczos": .lanczos]
        guard let filter = filters[try fields.string("interpolation", default: "bicubic")] else {
            throw fields.invalid("interpolation", expected: "one of " + filters.keys.sorted().joined(separator: ", "))
        }
        let squashes = try fields.string("crop_mode", default: "center", among: ["center", "squash"]) == "squash"
        let enlarged = Int(min((Double(side) / fraction).rounded(.down), 65536))
        return try ImageTransform(
            resize: squashes ? .exact(height: enlarged, width: enlarged) : .shortestEdge(enlarged), filter: filter,
            crop: .init(height: side, width: side), mean: channels("mean", [0.485, 0.456, 0.406], fields),
            deviation: channels("std", [0.229, 0.224, 0.225], fields), convention: .torchvision)
    }

    private static func channels(_ field: String, _ fallback: [Float], _ fields: ConfigReader) throws -> [Double] {
        let values = try fields.floats(field, default: fallback)
        guard values.count == 3 else { throw fields.invalid(field, expected: "three numbers") }
        return values.map { Double($0) }
    }
}

extension TinyViT {
    private static func published(
        _ name: String, side: Int = 224, classes: Int = 1000, crop: Double = 0.95, mode: String = "center"
    ) -> PublishedCheckpoint {
        let architecture = name.prefix { $0 != "." }
        return .init(
            "timm/" + name, licence: "Apache-2.0",
            config: """
                {"architecture":"\(architecture)","num_classes":\(classes),\
                "pretrained_cfg":{"input_size":[3,\(side),\(side)],"interpolation":"bicubic","crop_pct":\(crop),"crop_mode":"\(mode)"}}
                """)
    }

    public static let family = Family(
        name: "TinyViT", group: "Vision", summary: "Small hierarchical vision transformer, features and classifier (Wu et al. 2022)",
        layouts: ["timm", "timm with folded norms"],
        worstDifference: 8e-7,
        published: ["5m", "11m", "21m"].flatMap { size in
            [
                published("tiny_vit_\(size)_224.dist_in22k", classes: 21841), published("tiny_vit_\(size)_224.dist_in22k_ft_in1k"),
                published("tiny_vit_\(size)_224.in1k"),
            ]
        } + [
            published("tiny_vit_21m_384.dist_in22k_ft_in1k", side: 384, crop: 1),
            published("tiny_vit_21m_512.dist_in22k_ft_in1k", side: 512, crop: 1, mode: "squash"),
        ],
        recognises: { $0.config?.raw("architecture")?.string?.hasPrefix("tiny_vit_") == true },
        load: { folder in
            let file = try folder.requireConfig(), config = try TinyViTConfig(file, weights: folder)
            let transform = try TinyViTConfig.transform(file)
            let model = try WeightLoader.load(
                from: folder.source, precision: folder.precision, ignoring: ["**.attention_bias_idxs"], label: "TinyViT"
            ) {
                try TinyViT($0, config, transform: transform, labels: labels(folder, config))
            }
            return LoadedModel(family: "TinyViT", image: model, classifier: config.classes == nil ? nil : model)
        })

    /// timm's `label_names`, or `id2label` as elsewhere.
    private static func labels(_ folder: ModelFolder, _ config: TinyViTConfig) -> [String] {
        let names = folder.config?.raw("label_names")?.array?.compactMap(\.string) ?? []
        return !names.isEmpty && names.count == config.classes ? names : folder.labels(config.classes ?? 0)
    }
}
