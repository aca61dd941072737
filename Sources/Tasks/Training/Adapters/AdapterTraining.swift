import Checkpoints
import Foundation
import Tensors

/// Low-rank additions to chosen layers of a frozen model, ready to be trained.
public struct AdapterTraining: Sendable {
    public let options: AdapterOptions
    /// The layers that have an addition, by their paths.
    public let layers: [LinearLayer]
    /// The additions as they begin, and what is trained beside them.
    public let store: ParameterStore
    private let saved: [String]
    /// Bytes of the frozen matrices as they were stored and as they are held; nil where they weren't rounded.
    public let rounding: (stored: Int, held: Int)?

    /// - Parameters:
    ///   - base: the model's weights.
    ///   - added: tensors that the base lacks, trained with the additions: a new head.
    ///   - build: makes the model out of a source; told what its linear layers are.
    /// - Throws: a `TrainingError.recipe` that names the field whose patterns fit nothing.
    public init(
        _ options: AdapterOptions, base: any TensorSource, added: [String: Tensor] = [:], seed: UInt64, file: String,
        build: (any TensorSource) throws -> Void
    ) throws {
        self.options = options
        guard !(base is GGUFFile) else {
            throw TrainingError.recipe(
                file: file, field: "model",
                problem: "a GGUF file's rows may lie in another order than PEFT's: start from the Hugging Face folder; "
                    + "adapter.base_precision rounds it")
        }
        let all = try Adapters.linearLayers(of: base, build)
        var chosen: [String: LinearLayer] = [:]
        for layer in all where options.isTarget(layer.path) { chosen[layer.path] = layer }
        layers = chosen.values.sorted { $0.path < $1.path }
        for target in options.targets {
            var one = options
            one.targets = [target]
            guard !all.contains(where: { one.isTarget($0.path) }) else { continue }
            let near = EditDistance.nearest(to: target, among: Set(all.map { Self.end(of: $0.path) }).sorted(), limit: 3)
            throw TrainingError.recipe(
                file: file, field: "adapter.targets",
                problem: "no linear layer of the model fits \"\(target)\""
                    + (near.isEmpty ? "" : "; there is \(near.joined(separator: ", "))"))
        }
        var start = added
        for layer in layers { start.merge(Self.start(layer, options.rank, seed)) { $1 } }
        var source = base
        if let precision = options.basePrecision {
            let rounded = try RoundedSource(base, layers: all, to: precision)
            source = rounded
            rounding = (rounded.storedBytes, rounded.heldBytes)
        } else {
            rounding = nil
        }
        let patterns = options.trainAlso.map { NamePattern($0) }, own = Set(start.keys)
        let beside = base.entries.map(\.name).filter { name in patterns.contains { $0.match(name) != nil } }
        guard options.trainAlso.isEmpty || !beside.isEmpty else {
            throw TrainingError.recipe(file: file, field: "adapter.train_also", problem: "no parameter of the model fits its patterns")
        }
        let weights = Set(layers.map { $0.path + ".weight" })
        if let both = beside.first(where: { weights.contains($0) }) {
            throw TrainingError.recipe(
                file: file, field: "adapter.train_also", problem: "\(both) is trained by its addition already: take it out of one of both")
        }
        let names = Set(beside)
        store = try ParameterStore(
            source, added: start, scales: Dictionary(uniqueKeysWithValues: layers.map { ($0.path, options.scale) })
        ) { own.contains($0) || names.contains($0) }
        saved = Self.modules(of: beside, in: base) + added.keys
    }

    /// What comes behind the number of a layer: the target that would name it.
    private static func end(of path: String) -> String { String(path.split(separator: ".").last ?? "") }

    /// PEFT's start: A as `torch.nn.Linear` has its weights (Kaiming uniform with a = sqrt(5)), B zero. Each layer draws from a seed of its
    /// own, so that another choice of layers leaves it as it is.
    private static func start(_ layer: LinearLayer, _ rank: Int, _ seed: UInt64) -> [String: Tensor] {
        var generator = RandomGenerator(
            seed: layer.path.utf8.reduce(seed ^ 0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 })
        let bound = 1 / Float(max(1, layer.input)).squareRoot(), count = rank * layer.input
        let down = Tensor.makeFloats([rank, layer.input]) { out in
            for i in 0..<count { out[i] = (2 * generator.uniform() - 1) * bound }
        }
        return ["\(layer.path).\(LowRank.downName)": down, "\(layer.path).\(LowRank.upName)": .zeros([layer.output, rank])]
    }

    /// PEFT saves whole modules: the parameters beside those that are trained, too.
    private static func modules(of names: [String], in base: any TensorSource) -> [String] {
        let modules = Set(names.map { ($0 as NSString).deletingPathExtension })
        return base.entries.map(\.name).filter { name in
            names.contains(name) || (name.contains(".") && modules.contains((name as NSString).deletingPathExtension))
        }
    }

    /// Writes the additions, and what was trained beside them, as a folder that PEFT reads.
    /// - Parameter base: the model's folder or name, noted in it.
    public func export(_ store: ParameterStore, base: String, to folder: URL) throws {
        var found: [String: LowRank] = [:], beside: [String: Tensor] = [:]
        for layer in layers {
            guard let down = store["\(layer.path).\(LowRank.downName)"], let up = store["\(layer.path).\(LowRank.upName)"] else { continue }
            found[layer.path] = LowRank(down: down, up: up, scale: options.scale)
        }
        let source = store.source()
        for name in saved { beside[name] = try source.tensor(name) }
        let modules = Set(saved.filter { $0.contains(".") }.map { ($0 as NSString).deletingPathExtension })
        let config = AdapterConfig(
            base: base, rank: options.rank, alpha: Double(options.alpha), dropout: Double(options.dropout),
            isRankStabilised: options.isRankStabilised, targets: layers.map(\.path), saved: modules.sorted())
        try AdapterFolder.write(config, layers: found, saved: beside, to: folder)
    }
}
