import Tensors

/// Gradients of a scalar with respect to the variables that it was computed from.
public struct Gradients: Sendable {
    private let table: [UInt64: Tensor]

    init(_ table: [UInt64: Tensor]) { self.table = table }

    /// The gradient of `variable`, of its shape; nil where the scalar doesn't depend on it.
    public subscript(_ variable: Tensor) -> Tensor? { variable.trace.flatMap { table[$0.order] } }
}

extension Tensor {
    /// Gradients of this value, a scalar, with respect to every variable (`traced()`) it depends on, by reverse mode.
    /// The graph is walked once and freed as the walk goes; asking again throws. Sums are made in a fixed order, so that the same graph
    /// gives the same bits whatever the number of threads.
    /// - Parameter seed: the gradient of this value, of its shape; needed where it isn't a scalar.
    public consuming func gradients(seed: Tensor? = nil) throws -> Gradients {
        guard seed != nil || count == 1 else {
            throw TensorError.shape(operation: "gradients", shapes: [shape], expected: "one element, or the gradient of each as seed")
        }
        guard seed == nil || seed?.shape == shape else {
            throw TensorError.shape(operation: "gradients", shapes: [shape, seed?.shape ?? []], expected: "a seed of the value's shape")
        }
        guard let root = trace else { return Gradients([:]) }
        let first = seed?.asType(.f32).contiguous().detached() ?? Tensor.ones(shape)
        self = first  // lets the graph's only other owner go
        var walk = Walk()
        walk.add(first, to: root)
        return try walk.run()
    }
}

/// The way back through a graph: of the nodes whose gradient is known in part, the latest comes next; all that used it came before.
struct Walk {
    private var waiting: [UInt64: (trace: Trace, gradient: Tensor)] = [:]
    private var heap: [UInt64] = []
    private var leaves: [UInt64: Tensor] = [:]

    /// Adds a part of the gradient of `trace`.
    mutating func add(_ part: Tensor, to trace: Trace) {
        precondition(part.shape == trace.shape, "a gradient of shape \(part.shape) for a value of \(trace.shape)")
        let order = trace.order
        if waiting[order] == nil {
            waiting[order] = (trace, part)
            push(order)
        } else {
            waiting[order]?.gradient.accumulate(part)
        }
    }

    mutating func run() throws -> Gradients {
        while let order = pop(), let (trace, gradient) = waiting.removeValue(forKey: order) {
            if trace.isLeaf {
                leaves[order] = gradient.contiguous()
                continue
            }
            guard let content = trace.take() else {
                throw TensorError.walked(shape: trace.shape)
            }
            if case let .recompute(body) = content.operation {
                let again = try body()
                if let root = again.trace { add(gradient, to: root) }
                continue
            }
            let wanted = content.inputs.map { $0 != nil }
            let parts = try content.operation.gradients(gradient, inputs: content.inputs, wanted: wanted)
            for (input, part) in zip(content.inputs, parts) {
                if let input, let part { add(part, to: input) }
            }
        }
        return Gradients(leaves)
    }

    private mutating func push(_ order: UInt64) {
        heap.append(order)
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2] < heap[child] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> UInt64? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var largest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] > heap[largest] { largest = child }
            if largest == parent { return top }
            heap.swapAt(parent, largest)
            parent = largest
        }
    }
}

extension TensorError {
    /// A graph that was walked has nothing left to compute gradients with.
    static func walked(shape: [Int]) -> TensorError {
        .shape(operation: "gradients", shapes: [shape], expected: "a graph that wasn't walked before: compute the value anew")
    }
}
