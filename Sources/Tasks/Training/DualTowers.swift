import Layers
import ModelKit
import Tensors

/// The two towers of a model over one batch, computed in chunks.
struct DualTowers {
    enum Chunk {
        case pictures(Range<Int>)
        /// Places of texts, of similar lengths, and their tokens.
        case texts([Int], TokenBatch)
    }

    var model: LoadedModel
    let batch: PairBatch
    let tokenizer: any TextEncoder
    let frozenTexts: FrozenTexts?
    let options: DualEncoderOptions
    let seed: UInt64

    /// Texts sorted by length, so that a chunk has little padding.
    private static let textsTogether = 128

    func isTrained(_ chunk: Chunk) -> Bool {
        switch chunk {
        case .pictures: !options.picturesFrozen
        case .texts: !options.textsFrozen
        }
    }

    /// Pictures and texts of the batch in parts of at most `size`.
    func chunks(of size: Int) throws -> [Chunk] {
        var all: [Chunk] = []
        for start in stride(from: 0, to: batch.count, by: min(size, batch.count)) {
            all.append(.pictures(start..<min(batch.count, start + min(size, batch.count))))
        }
        // Bytes of UTF-8 tell the order of lengths well enough.
        let order = batch.texts.indices.sorted { (batch.texts[$0].utf8.count, $0) < (batch.texts[$1].utf8.count, $1) }
        let together = min(size, Self.textsTogether)
        for start in stride(from: 0, to: order.count, by: together) {
            let places = Array(order[start..<min(order.count, start + together)])
            all.append(.texts(places, try tokenizer.tokenize(places.map { batch.texts[$0] })))
        }
        return all
    }

    /// Embeddings of a chunk `[rows, width]`, not normalised. The same noise every time.
    func embed(_ chunk: Chunk) throws -> Tensor {
        switch chunk {
        case let .pictures(range):
            let found = try noisy(UInt64(range.lowerBound)) { try pictures(range) }
            return options.picturesFrozen ? found.detached() : found
        case let .texts(places, tokens):
            guard let text = model.text else {
                throw RoleError(model: model.family, role: "text encoder", reason: model.textAbsence ?? "the checkpoint has none")
            }
            if let known = try frozenTexts?.embed(places.map { batch.texts[$0] }) { return known }
            if options.textsFrozen { return try Tensor.withoutRecording { () throws -> Tensor in try text.embed(tokens) } }
            return try noisy(0x7E37 &+ UInt64(places.first ?? 0)) { try text.embed(tokens) }
        }
    }

    private func noisy<Result>(_ place: UInt64, _ body: () throws -> Result) rethrows -> Result {
        try TrainingNoise.active(
            dropout: options.dropout, droppedTokens: options.droppedTokens, adapterDropout: options.adapterDropout, seed: seed &+ place,
            body)
    }

    private func pictures(_ range: Range<Int>) throws -> Tensor {
        guard let image = model.image else {
            throw RoleError(model: model.family, role: "picture encoder", reason: "the checkpoint has none")
        }
        switch batch.pictures {
        case let .prepared(all):
            if options.picturesFrozen { return try Tensor.withoutRecording { () throws -> Tensor in try image.embed(Array(all[range])) } }
            let found = try image.embed(Array(all[range]))
            guard !TrainingNoise.isIgnored else {
                throw TrainingError.data("dropped_tokens: \(model.family)'s picture tower can't leave out patches; set it to 0")
            }
            return found
        case let .features(all):
            guard let staged = image as? any StagedImageEncoder else {
                throw TrainingError.data("\(model.family) has no head over stored features: train on pictures")
            }
            var rows = try all.sliced(0, range).asType(.f32).contiguous()
            if options.featureNoise > 0 {
                var generator = RandomGenerator(seed: seed &+ UInt64(range.lowerBound))
                rows = try rows + Tensor.randomNormal(rows.shape, deviation: options.featureNoise, using: &generator)
            }
            return try staged.embed(features: rows)
        }
    }

    /// The rows of all chunks in the batch's order.
    func assembled(_ chunks: [Chunk], _ parts: [Tensor]) throws -> (images: Tensor, texts: Tensor) {
        var images: [Tensor] = [], texts: [Tensor] = [], order: [Int] = []
        for (chunk, part) in zip(chunks, parts) {
            switch chunk {
            case .pictures: images.append(part)
            case let .texts(places, _):
                texts.append(part)
                order += places
            }
        }
        var inverse = [Int64](repeating: 0, count: order.count)
        for (row, place) in order.enumerated() { inverse[place] = Int64(row) }
        return (
            try Tensor.concatenated(images),
            try Tensor.concatenated(texts).gathered(Tensor(inverse, [inverse.count]))
        )
    }
}
