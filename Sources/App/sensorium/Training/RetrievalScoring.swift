import Evaluation
import Foundation
import Imaging
import ModelKit
import Tensors
import Training
import TrainingData

/// Pictures and captions kept apart, that a model is measured on while it learns.
struct RetrievalScoring {
    private enum Pictures {
        case features(Tensor)
        case source(any SampleSource)
    }

    let name: String
    private let pictures: Pictures
    private let captions: [[String: [String]]]

    /// What a frozen tower gave for the pictures.
    init(_ set: FeatureSet) { (name, pictures, captions) = (set.name, .features(set.views[0]), set.captions) }

    /// Pictures as files.
    init(name: String, _ source: any IndexedSource) throws {
        var captions: [[String: [String]]] = []
        for index in 0..<source.count {
            let sample = try source.sample(index)
            captions.append(Dictionary(grouping: sample.captions) { $0.language ?? "" }.mapValues { $0.map(\.text) })
        }
        (self.name, self.pictures, self.captions) = (name, .source(source), captions)
    }

    /// Recall at 1, 5 and 10 of pictures by texts, in hundredths, for each language.
    func scores(_ model: LoadedModel, tokenizer: any TextEncoder) throws -> [String: Float] {
        guard let text = model.text else { return [:] }
        let vectors = try embedded(model)
        var scores: [String: Float] = [:]
        for language in Set(captions.flatMap(\.keys)).sorted() {
            var queries: [(text: String, owner: Int)] = []
            for (owner, texts) in captions.enumerated() { queries += (texts[language] ?? []).map { ($0, owner) } }
            // Neighbours of one length have little padding.
            queries.sort { ($0.text.utf8.count, $0.text, $0.owner) < ($1.text.utf8.count, $1.text, $1.owner) }
            var rows: [Tensor] = []
            for start in stride(from: 0, to: queries.count, by: 128) {
                let part = queries[start..<min(queries.count, start + 128)]
                rows.append(try text.embed(tokenizer.tokenize(part.map(\.text))))
            }
            let set = try RetrievalSet(
                pictures: captions.indices.map(String.init), captions: queries.map { .init(text: $0.text, pictures: [$0.owner]) })
            let report = try RetrievalReport(set, images: vectors, texts: Tensor.concatenated(rows), bootstrap: Bootstrap(resamples: 0))
            for recall in report.textToImage.recalls {
                scores["\(name)\(language.isEmpty ? "" : "." + language).r@\(recall.k)"] = Float(100 * recall.share.value)
            }
        }
        return scores
    }

    private func embedded(_ model: LoadedModel) throws -> Tensor {
        guard let image = model.image else { throw Failure(.unusable, "\(model.family) has no picture tower") }
        var rows: [Tensor] = []
        switch pictures {
        case let .features(features):
            guard let staged = image as? any StagedImageEncoder else {
                throw Failure(.usage, "\(name): \(model.family) has no head over stored features; name pictures to evaluate on")
            }
            for start in stride(from: 0, to: captions.count, by: 256) {
                let part = try features.sliced(0, start..<min(captions.count, start + 256)).asType(.f32).contiguous()
                rows.append(try staged.embed(features: part))
            }
        case let .source(source):
            guard let fixed = image as? any FixedSizeImageEncoder else {
                throw Failure(.usage, "\(model.family) takes pictures of any size; it can't be measured in batches")
            }
            var plan = LoadingPlan()
            (plan.shuffles, plan.dropsLast, plan.captions, plan.requiresCaptions, plan.damagedShare) = (false, false, .all, false, 0)
            plan.views = [PictureView(transform: fixed.transform)]
            let loader = try BatchLoader(source, plan, seed: 0)
            while let batch = try loader.nextBatch() { rows.append(try fixed.embed(pixels: batch.pictures[0])) }
        }
        return try Tensor.concatenated(rows)
    }
}
