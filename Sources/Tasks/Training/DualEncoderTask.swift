import Autograd
import Foundation
import Layers
import ModelKit
import Tensors

/// Pictures and texts that belong together, of one step.
public struct PairBatch: Sendable {
    public enum Pictures: Sendable {
        /// What the picture encoder's `prepare` gives, one each.
        case prepared([Tensor])
        /// What a frozen tower gave, `[n, ...]`, for encoders that are heads over it.
        case features(Tensor)
    }

    public var pictures: Pictures
    /// For each text the picture it belongs to, by its place in the batch.
    public var owners: [Int]
    public var texts: [String]
    /// Number of each picture within the data: equal numbers are one picture.
    public var identities: [Int]
    /// A teacher's stored vectors, where there are any.
    public var taught: Taught?
    /// The pictures as a live teacher's `prepare` gives them.
    public var shownToTeacher: [Tensor]?
    public var name: String

    public init(pictures: Pictures, owners: [Int], texts: [String], identities: [Int], taught: Taught? = nil, name: String) {
        (self.pictures, self.owners, self.texts, self.identities, self.name) = (pictures, owners, texts, identities, name)
        self.taught = taught
    }

    var count: Int { identities.count }
}

/// Where batches come from: the same step and part give the same batch.
public protocol PairSupply: AnyObject {
    func batch(step: Int, part: Int) throws -> PairBatch
    /// All texts that batches may hold; nil where they aren't known before.
    var texts: [String]? { get }
    var state: [String: Tensor] { get }
    func restore(_ state: [String: Tensor]) throws
}

extension PairSupply {
    public var texts: [String]? { nil }
}

/// How a dual encoder learns from pairs.
public struct DualEncoderOptions: Sendable, Hashable {
    public enum Loss: String, Sendable, Hashable, CaseIterable {
        /// Cross-entropy over the batch (CLIP).
        case softmax
        /// A yes-or-no question for each pair (SigLIP).
        case sigmoid
    }

    public var loss = Loss.softmax
    /// Texts and pictures that go through the towers at a time. Embeddings of the whole batch are computed first, without a graph; the
    /// loss's gradients then go back part by part (gradient caching, Gao et al. 2021): the batch may be larger than memory. nil keeps
    /// the whole graph.
    public var chunk: Int?
    public var dropout: Float = 0
    /// Share of a linear layer's input that its adapter doesn't see.
    public var adapterDropout: Float = 0
    /// Share of a picture's patches left out (FLIP).
    public var droppedTokens: Float = 0
    /// Deviation of noise added to pictures' features.
    public var featureNoise: Float = 0
    /// Weight of the loss between texts of one picture (several captions, two languages); 0 leaves it out.
    public var textTextWeight: Float = 0
    /// Weight of the loss between pictures and texts.
    public var pairWeight: Float = 1
    /// How it follows a teacher, stored or live.
    public var distillation = Distillation()
    /// Soft targets and a queue from slow copies of the towers, for the softmax loss; nil has none.
    public var momentum: MomentumDistillation?
    /// Whether the picture tower has no trained parameter: it then runs without a graph.
    public var picturesFrozen = false
    /// The same of the text tower.
    public var textsFrozen = false
    /// The largest that `exp(logit_scale)` may become.
    public var largestScale: Float = 100
    public var seed: UInt64 = 1

    public init() {}
}

/// Contrastive learning of a dual encoder: CLIP's and SigLIP's, with frozen or open towers (locked-image tuning), large batches by
/// gradient caching, dropped tokens.
public final class DualEncoderTask: TrainingTask {
    private let build: (ParameterStore, [String: Tensor]) throws -> LoadedModel
    private let tokenizer: any TextEncoder
    private let supply: any PairSupply
    private let options: DualEncoderOptions
    private let teacher: LiveTeacher?
    private var memory = MomentumMemory()
    private var frozenTexts: FrozenTexts?
    private let scoring: (LoadedModel) throws -> [String: Float]
    /// Names of the temperature (its logarithm) and of SigLIP's bias, as Hugging Face has them.
    private static let scaleName = "logit_scale", biasName = "logit_bias"

    /// - Parameters:
    ///   - build: the model with some parameters replaced by variables.
    ///   - tokenizer: makes the tokens: the model as it was loaded first.
    ///   - teacher: is asked about each batch; nil where there is none or its vectors come with the batch.
    ///   - scoring: measures a model on data kept apart.
    public init(
        tokenizer: any TextEncoder, supply: any PairSupply, options: DualEncoderOptions, teacher: LiveTeacher? = nil,
        scoring: @escaping (LoadedModel) throws -> [String: Float] = { _ in [:] },
        build: @escaping (ParameterStore, [String: Tensor]) throws -> LoadedModel
    ) {
        (self.tokenizer, self.supply, self.options, self.scoring, self.build) = (tokenizer, supply, options, scoring, build)
        self.teacher = teacher
    }

    public var state: [String: Tensor] { supply.state.merging(memory.state) { $1 } }

    public func restore(_ state: [String: Tensor]) throws {
        try supply.restore(state)
        try memory.restore(state)
    }

    public func afterUpdate(_ store: ParameterStore, step: Int) throws {
        if let momentum = options.momentum { try memory.advance(store, momentum) }
    }

    public func evaluate(_ store: ParameterStore) throws -> [String: Float] { try scoring(build(store, [:])) }

    public func gradients(_ store: ParameterStore, step: Int, part: Int) throws -> StepGradients {
        var batch = try supply.batch(step: step, part: part)
        guard batch.count > 1 else {
            throw TrainingError.data("\(batch.name): a contrastive batch wants at least two pictures, found \(batch.count)")
        }
        if let teacher { batch.taught = try teacher.teach(batch, texts: options.distillation.wantsTexts) }
        if options.textsFrozen, frozenTexts == nil, let texts = supply.texts, let encoder = try build(store, [:]).text {
            frozenTexts = try FrozenTexts(texts, encoder, tokenizer: tokenizer)
        }
        let remembered = try remember(batch, store, step: step, part: part)
        let variables = store.variables()
        var towers = DualTowers(
            model: try build(store, variables), batch: batch, tokenizer: tokenizer, frozenTexts: frozenTexts, options: options,
            seed: mix(step, part))
        let constants = Constants(
            scale: try variables[Self.scaleName] ?? store.constant(Self.scaleName),
            bias: try variables[Self.biasName] ?? store.constant(Self.biasName))
        let chunks = try towers.chunks(of: options.chunk ?? .max)
        var total: [String: Tensor] = [:]
        let value: Float
        if options.chunk == nil {
            let loss = try loss(towers.assembled(chunks, chunks.map { try towers.embed($0) }), batch, constants, remembered)
            value = loss.scalar
            collect(try loss.gradients(), variables, &total)
        } else {
            // Embeddings first, then the loss on them, then each chunk again with the gradient of its rows.
            let found = try Tensor.withoutRecording { () throws -> [Tensor] in try chunks.map { try towers.embed($0) } }
            let leaves = found.map { $0.traced() }
            let loss = try loss(towers.assembled(chunks, leaves), batch, constants, remembered)
            value = loss.scalar
            let first = try loss.gradients()
            collect(first, variables, &total)
            for (chunk, leaf) in zip(chunks, leaves) where towers.isTrained(chunk) {
                guard let seed = first[leaf] else { continue }
                // A model of its own: what building it recorded (joined biases) is walked with the chunk.
                towers.model = try build(store, variables)
                let again = try towers.embed(chunk)
                if again.trace != nil { collect(try again.gradients(seed: seed), variables, &total) }
            }
        }
        let metrics = constants.scale.map { ["scale": $0.detached().exp().scalar] } ?? [:]
        return StepGradients(loss: value, gradients: total, metrics: metrics, batch: batch.name, samples: batch.count)
    }

    private struct Constants {
        var scale, bias: Tensor?
    }

    /// A batch as the slow copies see it, without noise.
    private struct Remembered {
        let pairs: MomentumMemory.Pairs
        let alpha: Float
    }

    private func remember(_ batch: PairBatch, _ store: ParameterStore, step: Int, part: Int) throws -> Remembered? {
        guard let momentum = options.momentum else { return nil }
        memory.slow.begin(store)
        var plain = options
        (plain.dropout, plain.droppedTokens, plain.featureNoise) = (0, 0, 0)
        let pairs = try Tensor.withoutRecording { () throws -> MomentumMemory.Pairs in
            let towers = DualTowers(
                model: try build(store, memory.slow.values), batch: batch, tokenizer: tokenizer, frozenTexts: frozenTexts,
                options: plain, seed: 0)
            let chunks = try towers.chunks(of: options.chunk ?? .max)
            let found = try towers.assembled(chunks, chunks.map { try towers.embed($0) })
            return .init(
                images: try found.images.unitLength().gathered(batch.ownerRows()), texts: found.texts.unitLength(),
                identities: batch.owners.map { batch.identities[$0] })
        }
        memory.keep(pairs, part: part)
        return Remembered(pairs: pairs, alpha: momentum.alpha(step: step))
    }

    private func collect(_ found: Gradients, _ variables: [String: Tensor], _ total: inout [String: Tensor]) {
        for (name, variable) in variables {
            guard let gradient = found[variable] else { continue }
            if total[name] == nil { total[name] = gradient } else { total[name]?.accumulate(gradient) }
        }
    }

    private func loss(
        _ embeddings: (images: Tensor, texts: Tensor), _ batch: PairBatch, _ constants: Constants, _ remembered: Remembered?
    ) throws -> Tensor {
        let images = embeddings.images.unitLength(), texts = embeddings.texts.unitLength()
        let scale = constants.scale?.exp().minimum(options.largestScale) ?? Tensor(Float(20))
        var total: Tensor
        // A picture for each text: several captions of one picture are no wrong answers to each other.
        let paired = try images.gathered(batch.ownerRows()), groups = batch.owners.map { batch.identities[$0] }
        switch options.loss {
        case .softmax:
            total =
                try remembered.map { try memory.loss((paired, texts), $0.pairs, scale: scale, alpha: $0.alpha) }
                ?? Losses.contrastive(paired, texts, scale: scale, groups: groups)
        case .sigmoid: total = try Losses.sigmoid(paired, texts, scale: scale, bias: constants.bias ?? Tensor(Float(-10)))
        }
        if options.pairWeight != 1 { total = total.scaled(by: options.pairWeight) }
        if options.textTextWeight > 0, let pairs = batch.textPairs {
            let a = try texts.gathered(Tensor(pairs.map { Int64($0.0) }, [pairs.count]))
            let b = try texts.gathered(Tensor(pairs.map { Int64($0.1) }, [pairs.count]))
            let between = try Losses.contrastive(a, b, scale: scale, groups: pairs.map { groups[$0.0] })
            total = try total + between.scaled(by: options.textTextWeight)
        }
        if !options.distillation.isEmpty, let taught = batch.taught {
            total = try total + options.distillation.loss(images, texts, taught, scale: scale)
        }
        return total
    }

    private func mix(_ step: Int, _ part: Int) -> UInt64 {
        var generator = RandomGenerator(seed: options.seed &+ UInt64(step) &* 0x9E37_79B9 &+ UInt64(part) &* 0x85EB_CA6B)
        return generator.next()
    }
}

extension PairBatch {
    /// The picture of each text, to gather rows by.
    fileprivate func ownerRows() throws -> Tensor { try Tensor(owners.map(Int64.init), [owners.count]) }

    /// Two texts of each picture that has several: the first and the last.
    fileprivate var textPairs: [(Int, Int)]? {
        var first: [Int: Int] = [:], last: [Int: Int] = [:]
        for (text, owner) in owners.enumerated() {
            if first[owner] == nil { first[owner] = text }
            last[owner] = text
        }
        let pairs = first.keys.sorted().compactMap { owner in
            first[owner] == last[owner] ? nil : (first[owner]!, last[owner]!)
        }
        return pairs.count > 1 ? pairs : nil
    }
}
