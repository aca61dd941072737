import Synchronization
import Tensors

/// What LoRA (Hu et al. 2021) adds to the matrix `[output, input]` of a linear layer: `scale B A`, as PEFT stores it.
public struct LowRank: Sendable {
    /// A, `[rank, input]`
    public let down: Tensor
    /// B, `[output, rank]`
    public let up: Tensor
    public let scale: Float

    /// - Precondition: both are matrices of one rank.
    public init(down: Tensor, up: Tensor, scale: Float) {
        precondition(down.rank == 2 && up.rank == 2 && down.dim(0) == up.dim(1), "\(up.shape) times \(down.shape)")
        (self.down, self.up, self.scale) = (down, up, scale)
    }

    public var rank: Int { down.dim(0) }

    /// `scale B A`, `[output, input]`.
    public func product() throws(TensorError) -> Tensor { try up.asType(.f32).matmul(down.asType(.f32)).scaled(by: scale) }

    /// The names of both behind a layer's path.
    public static let downName = "lora_A.weight", upName = "lora_B.weight"
}

/// A linear layer as a model asks for it while it is built.
public struct LinearLayer: Sendable, Hashable {
    /// Its place in the model, as the checkpoint would name it after renames.
    public let path: String
    public let input, output: Int
    /// The tensor in the file that is its matrix; nil where renames make it out of others.
    public let stored: String?
}

/// Low-rank additions to a checkpoint's linear layers, by the layers' paths.
public struct Adapters: Sendable {
    public var layers: [String: LowRank]
    /// Told of every layer that could have an addition.
    private let visit: (@Sendable (LinearLayer) -> Void)?

    public init(_ layers: [String: LowRank] = [:]) { (self.layers, visit) = (layers, nil) }

    private init(visit: @escaping @Sendable (LinearLayer) -> Void) { (layers, self.visit) = ([:], visit) }

    /// The linear layers, in their order, of the model that `build` makes out of a source.
    public static func linearLayers(of source: any TensorSource, _ build: (any TensorSource) throws -> Void) rethrows -> [LinearLayer] {
        let found = Found()
        try build(OverlaySource(source, adapters: Adapters { layer in found.layers.withLock { $0.append(layer) } }))
        return found.layers.withLock { $0 }
    }

    private final class Found: Sendable {
        let layers = Mutex<[LinearLayer]>([])
    }

    func addition(to layer: LinearLayer) -> LowRank? {
        visit?(layer)
        return layers[layer.path]
    }
}
