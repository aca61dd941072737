import Foundation
import Imaging
import ModelKit
import Tensors

/// Tries a loaded model on a picture and a sentence of its own making.
struct ModelCheck {
    let summary: String

    /// Throws a `Failure` where a result isn't a finite vector of the promised length.
    init(_ model: LoadedModel) throws {
        var parts = [model.family]
        let picture = try Self.gradient()
        if let image = model.image {
            try Self.check(image.embed([image.prepare(picture)]), [1, image.dimension], "the picture's vector")
            parts.append("pictures to \(image.dimension) dimensions")
        }
        if let text = model.text, model.textAbsence == nil {
            try Self.check(text.embed(texts: ["a photo of a cat"]), [1, text.dimension], "the text's vector")
            parts.append("words to \(text.dimension) dimensions")
        } else if let absence = model.textAbsence {
            parts.append("no words (\(absence))")
        }
        if let language = model.language {
            let tokens = try Tensor([Int32(0)], [1, 1])
            try Self.check(language.logits(ids: tokens), [1, 1, language.vocabularySize], "the next token's scores")
            parts.append("\(language.vocabularySize) tokens, context \(language.contextLength)")
            if let absence = language.tokenizerAbsence { parts.append("no tokenizer (\(absence))") }
        }
        if let reading = model.reading {
            let pixels = Tensor.zeros([1, 3, 64, 64]), line = Tensor.zeros([1, 3, reading.recognizer.lineHeight, 320])
            try Self.check(reading.detector.probabilities(pixels: pixels), [1, 1, 64, 64], "the map of text")
            let logits = try reading.recognizer.logits(features: reading.recognizer.features(pixels: line))
            try Self.check(logits, [1, 40, reading.recognizer.characters.count], "the characters' scores")
            parts.append("text in pictures, \(reading.recognizer.characters.count - 1) characters")
        }
        if let classifier = model.classifier {
            let logits = try classifier.logits([classifier.prepare(picture)])
            try Self.check(logits, [1, logits.shape.last ?? 0], "the classes' scores")
            parts.append("\(logits.shape.last ?? 0) classes")
        }
        summary = parts.joined(separator: ", ")
    }

    private static func gradient() throws -> Picture {
        let side = 256
        var pixels: [UInt8] = []
        pixels.reserveCapacity(side * side * 3)
        for y in 0..<side {
            for x in 0..<side { pixels += [UInt8(x), UInt8(y), UInt8((x + y) / 2)] }
        }
        return try Picture(width: side, height: side, pixels: pixels)
    }

    private static func check(_ tensor: Tensor, _ shape: [Int], _ what: String) throws {
        guard tensor.shape == shape else { throw Failure(.unusable, "\(what) has shape \(tensor.shape), expected \(shape)") }
        guard tensor.floats().allSatisfy(\.isFinite) else {
            throw Failure(.unusable, "\(what) holds numbers that aren't finite: the weights are damaged")
        }
    }
}
