import Checkpoints
import Foundation
import ModelKit
import Tokenizers

/// What stands between words and SigLIP's text tower: SentencePiece on canonical text (SigLIP), or the folder's `tokenizer.json`
/// (SigLIP 2, Gemma's). Text is plain text: the names of control tokens in it are words like any other.
struct SigLIPTokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let padding: Int
    /// Whether text is made canonical, as SiglipTokenizer does; nil leaves it, true also lowers its case.
    private let lowercases: Bool?

    private static let largestModel = 64 << 20

    /// nil where the folder has no tokenizer files.
    init?(_ folder: ModelFolder) throws {
        guard let directory = folder.directory else { return nil }
        let settings = try folder.file("tokenizer_config.json").map { try ConfigReader(path: $0) }
        let isGemma = settings?.raw("tokenizer_class")?.string?.hasPrefix("Gemma") == true
        // The reference reads spiece.model even where a tokenizer.json lies beside it.
        if !isGemma, let file = folder.file("spiece.model") {
            let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
            guard size <= Self.largestModel, let bytes = FileManager.default.contents(atPath: file) else {
                throw CheckpointError.unreadable(file: file, reason: "it can't be read or is larger than \(Self.largestModel) bytes")
            }
            tokenizer = try Tokenizer.sentencePiece(model: [UInt8](bytes), addEnd: true, file: file)
            lowercases = try settings?.bool("do_lower_case", default: true) ?? true
            let name = settings?.raw("pad_token").flatMap { $0.string ?? $0["content"]?.string } ?? "</s>"
            padding = Int(tokenizer.id(of: name) ?? tokenizer.specialTokens.end ?? 1)
            return
        }
        guard folder.file("tokenizer.json") != nil || folder.file("tokenizer.model") != nil else { return nil }
        tokenizer = try Tokenizer.load(folder: directory)
        lowercases = nil
        padding = Int(tokenizer.specialTokens.padding ?? 0)
    }

    /// Token ids `[n, length]`, cut with the end token kept, padded at the end.
    func batch(_ texts: [String], length: Int) throws -> TokenBatch {
        let canonical = lowercases.map { lower in texts.map { Self.canonical($0, lowercase: lower) } } ?? texts
        return try tokenizer.batch(canonical, maxLength: length, fixedLength: length, padding: padding)
    }

    /// Lower case letter by letter, no ASCII punctuation, runs of white space as one space and none at the ends
    /// (big_vision's `canonicalize_text`).
    static func canonical(_ text: String, lowercase: Bool) -> String {
        var result = String.UnicodeScalarView(), gap = false
        for scalar in text.unicodeScalars {
            // SentencePiece's mark of a space means a space in text as well.
            if isSpace(scalar) || scalar == "\u{2581}" {
                gap = true
            } else if !isPunctuation(scalar) {
                if gap && !result.isEmpty { result.append(" ") }
                gap = false
                if lowercase { result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars) } else { result.append(scalar) }
            }
        }
        return String(result)
    }

    /// The characters that Python's `\s` matches.
    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "!"..."/", ":"..."@", "["..."`", "{"..."~": true
        default: false
        }
    }
}
