import Synchronization

/// How a tensor came about: a node of the graph that reverse-mode differentiation walks. There is one only where an operand is
/// traced, so that inference pays a comparison with nil.
public final class Trace: Sendable {
    /// Numbered in the order of creation: a node's operands have smaller numbers than the node.
    public let order: UInt64
    public let shape: [Int]
    private let content: Mutex<Content?>

    /// What made the value, and the traces of its operands (nil: a constant).
    package struct Content: Sendable {
        package let operation: Operation
        package let inputs: [Trace?]
    }

    private static let created = Atomic<UInt64>(0)
    /// False inside `Tensor.withoutRecording`.
    @TaskLocal package static var isRecording = true

    /// Whether gradients are wanted for it; other nodes are results of operations.
    package let isLeaf: Bool

    init(shape: [Int], _ content: Content?) {
        isLeaf = content == nil
        order = Trace.created.wrappingAdd(1, ordering: .relaxed).newValue
        self.shape = shape
        self.content = Mutex(content)
    }

    /// Whether `again` gives the value: of activations and norms, which cost little beside the product that reads them.
    var givesAgain: Bool {
        content.withLock { content in
            switch content?.operation {
            case .unary, .layerNorm, .rmsNorm: true
            default: false
            }
        }
    }

    /// The value, computed anew from what its operation keeps for its own gradient: who needs it on the way back doesn't keep it.
    package func again() throws(TensorError) -> Tensor? {
        switch content.withLock({ $0?.operation }) {
        case let .unary(operation, x): x.applying(operation)
        case let .layerNorm(x, weight, bias, epsilon): try x.layerNorm(weight: weight, bias: bias, epsilon: epsilon)
        case let .rmsNorm(x, weight, epsilon): try x.rmsNorm(weight: weight, epsilon: epsilon)
        default: nil
        }
    }

    /// Takes the operation out, with what it kept for the way back: a graph is walked once, and freed as the walk goes.
    package func take() -> Content? {
        content.withLock { content in
            defer { content = nil }
            return content
        }
    }
}

extension Tensor {
    /// The same values as a variable: gradients of what is computed from it can be asked for.
    public func traced() -> Tensor {
        var result = self
        result.trace = Trace(shape: shape, nil)
        return result
    }

    /// The same values as a constant.
    public func detached() -> Tensor {
        guard trace != nil else { return self }
        var result = self
        result.trace = nil
        return result
    }

    /// Runs `body` without recording: what it computes are constants.
    public static func withoutRecording<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        try Trace.$isRecording.keepingErrors(false, body)
    }

    /// The result of `body`, of which nothing is kept but the result: on the way back it is computed once more (gradient checkpointing,
    /// Chen et al. 2016). `body` must give the same result each time.
    public static func recomputed(_ body: @escaping @Sendable () throws -> Tensor) throws -> Tensor {
        guard Trace.isRecording else { return try body() }
        let precision = ProductPrecision.current
        var result = try withoutRecording(body).detached()
        result.trace = Trace(
            shape: result.shape, .init(operation: .recompute { try computing(in: precision, body) }, inputs: []))
        return result
    }

    func recorded(_ x: Tensor, _ operation: @autoclosure () -> Operation) -> Tensor {
        x.trace == nil ? self : recorded(inputs: [x], operation())
    }

    func recorded(_ a: Tensor, _ b: Tensor, _ operation: @autoclosure () -> Operation) -> Tensor {
        a.trace == nil && b.trace == nil ? self : recorded(inputs: [a, b], operation())
    }

    func recorded(_ a: Tensor, _ b: Tensor?, _ c: Tensor?, _ operation: @autoclosure () -> Operation) -> Tensor {
        a.trace == nil && b?.trace == nil && c?.trace == nil ? self : recorded(inputs: [a, b, c], operation())
    }

    /// Notes that this value, just computed, is the result of `operation` on `inputs`, where one of them is traced.
    package func recorded(inputs: [Tensor?], _ operation: @autoclosure () -> Operation) -> Tensor {
        guard inputs.contains(where: { $0?.trace != nil }), Trace.isRecording else { return self }
        var result = self
        result.trace = Trace(shape: shape, .init(operation: operation(), inputs: inputs.map { $0?.trace }))
        return result
    }

    /// These elements with the history of a tensor of the same values: copies and conversions of its storage.
    func sharing(_ other: Tensor) -> Tensor {
        guard let trace = other.trace else { return self }
        var result = self
        result.trace = trace
        return result
    }
}
