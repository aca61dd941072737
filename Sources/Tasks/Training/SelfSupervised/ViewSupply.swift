import Tensors

/// Pictures of one step, each seen several times.
public struct ViewBatch: Sendable {
    /// For each view f32 `[pictures, 3, height, width]`.
    public var views: [Tensor]
    public var name: String

    public init(views: [Tensor], name: String) { (self.views, self.name) = (views, name) }

    var count: Int { views.first?.dim(0) ?? 0 }
}

/// Where views come from: the same step and part give the same batch.
public protocol ViewSupply: AnyObject {
    func views(step: Int, part: Int) throws -> ViewBatch
    var state: [String: Tensor] { get }
    func restore(_ state: [String: Tensor]) throws
}
