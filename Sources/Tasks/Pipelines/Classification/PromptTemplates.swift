/// Sentences that a label is put into before it is embedded; a class's vector is the mean over all of them.
public struct PromptTemplates: Sendable, Hashable {
    /// Each has `{}` where the label goes.
    public let templates: [String]

    /// Throws `PromptError` for a list that is empty or a template without `{}`.
    public init(_ templates: [String]) throws(PromptError) {
        guard !templates.isEmpty else { throw PromptError(template: "", reason: "at least one template is needed") }
        for template in templates where !template.contains("{}") {
            throw PromptError(template: template, reason: "there is no {} where the label goes")
        }
        self.templates = templates
    }

    private init(known templates: [String]) { self.templates = templates }

    public func prompts(for label: String) -> [String] {
        templates.map { $0.replacing("{}", with: label) }
    }

    /// The label as it is.
    public static let none = PromptTemplates(known: ["{}"])

    /// The seven that CLIP's authors found to do as well as all eighty (Radford et al. 2021, notebooks/Prompt_Engineering_for_ImageNet).
    public static let english = PromptTemplates(known: [
        "itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.", "a {} in a video game.", "art of the {}.",
        "a photo of the small {}.",
    ])

    /// A choice of Chinese-CLIP's templates for zero-shot classification (Yang et al. 2022, cn_clip/eval/cvinw_zeroshot_templates).
    public static let chinese = PromptTemplates(known: [
        "{}的照片。", "一张{}的照片。", "质量差的{}的照片。", "好的{}的照片。", "大的{}的照片。", "小的{}的照片。", "{}的特写照片。", "电子游戏中的{}。", "{}的艺术作品。",
    ])

    /// Chinese templates for a label with Han characters, English ones otherwise.
    public static func fitting(_ label: String) -> PromptTemplates {
        label.unicodeScalars.contains { (0x4E00...0x9FFF).contains($0.value) || (0x3400...0x4DBF).contains($0.value) } ? .chinese : .english
    }
}

public struct PromptError: Error, Sendable, Equatable, CustomStringConvertible {
    public let template: String
    public let reason: String
    public var description: String { template.isEmpty ? "prompt templates: \(reason)" : "prompt template \"\(template)\": \(reason)" }
}
