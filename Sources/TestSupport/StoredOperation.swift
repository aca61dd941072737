import Checkpoints
import Foundation
import Tensors

/// An operation on arrays that PyTorch stored with its results and gradients (tools/reference/operations.py).
public struct StoredOperation: Sendable, CustomStringConvertible {
    public let name, variant: String
    public let inputs, outputs: Int
    public let parameters: JSONValue
    public var description: String { "\(name) \(variant)" }

    private static let file = try! SafetensorsFile(
        path: Golden.root.appendingPathComponent("Tests/TensorsTests/golden/operations.safetensors").path)
    private static let gradients = try! SafetensorsFile(
        path: Golden.root.appendingPathComponent("Tests/AutogradTests/golden/gradients.safetensors").path)

    public static let all: [StoredOperation] = {
        let cases = try! JSONValue.parse(file.metadata["cases"]!, file: "operations.safetensors").array!
        return cases.map {
            StoredOperation(
                name: $0["op"]!.string!, variant: $0["case"]!.string!, inputs: $0["inputs"]!.int!, outputs: $0["outputs"]!.int!,
                parameters: $0["params"]!)
        }
    }()

    public func tensor(_ part: String) throws -> Tensor { try Self.file.tensor("\(name).\(variant).\(part)") }
    /// A stored gradient, nil where the reference has none.
    public func gradient(_ part: String) throws -> Tensor? {
        let key = "\(name).\(variant).\(part)"
        return Self.gradients.entry(key) == nil ? nil : try Self.gradients.tensor(key)
    }
    public var stored: [Tensor] { get throws { try (0..<inputs).map { try tensor("in\($0)") } } }
    func int(_ key: String) -> Int? { parameters[key]?.int }
    func ints(_ key: String) -> [Int]? { parameters[key]?.array?.compactMap(\.int) }
    func flag(_ key: String) -> Bool { parameters[key] == .bool(true) }
    func number(_ key: String) -> Double? {
        switch parameters[key] {
        case let .int(value): Double(value)
        case let .number(value): value
        default: nil
        }
    }
    func pair(_ key: String, _ fallback: Int) -> (Int, Int) {
        if let both = ints(key) { return (both[0], both[1]) }
        return (int(key) ?? fallback, int(key) ?? fallback)
    }
    var window: Window { Window(stride: pair("stride", 1), padding: pair("padding", 0), dilation: pair("dilation", 1)) }

    private struct UnknownCase: Error, CustomStringConvertible { let description: String }
}

extension StoredOperation {
    /// Inputs that the reference took as views.
    private func view(_ inputs: inout [Tensor]) throws {
        switch parameters["view"]?.string {
        case nil: break
        case "in0.permuted(2, 0, 1)": inputs[0] = try inputs[0].permuted([2, 0, 1])
        case "in0.permuted(0, 3, 1, 2)": inputs[0] = try inputs[0].permuted([0, 3, 1, 2])
        case "in0.transposed(0, 1)": inputs[0] = try inputs[0].transposed(0, 1)
        case "in1.transposed(0, 1)": inputs[1] = try inputs[1].transposed(0, 1)
        case "in0[1..<3, all, stride(from: 1, by: 2)]":
            inputs[0] = try inputs[0].sliced(0, 1..<3).sliced(2, 1..<inputs[0].shape[2], step: 2)
        case "in0.permuted(0,2,1,3) @ in1.permuted(0,2,3,1)":
            inputs = [try inputs[0].permuted([0, 2, 1, 3]), try inputs[1].permuted([0, 2, 3, 1])]
        case let other?: throw UnknownCase(description: "unknown view \(other)")
        }
    }

    /// The operation's results on `inputs`.
    public func run(_ inputs: [Tensor]) throws -> [Tensor] {
        var x = inputs
        let o = self
        try view(&x)
        if let pointwise = try elementwise(o, x) { return [pointwise] }
        if let reduced = try reduction(o, x) { return [reduced] }
        if let layer = try layer(o, x) { return [layer] }
        return try arrangement(o, x)
    }

    private func elementwise(_ o: StoredOperation, _ x: [Tensor]) throws -> Tensor? {
        switch o.name {
        case "add": try x[0] + x[1]
        case "sub": try x[0] - x[1]
        case "mul": try x[0] * x[1]
        case "div": try x[0] / x[1]
        case "maximum": try x[0].maximum(x[1])
        case "minimum": try x[0].minimum(x[1])
        case "pow": try x[0].power(x[1])
        case "neg": x[0].negated()
        case "exp": x[0].exp()
        case "log": x[0].log()
        case "sqrt": x[0].sqrt()
        case "rsqrt": x[0].rsqrt()
        case "tanh": x[0].tanh()
        case "sigmoid": x[0].sigmoid()
        case "erf": x[0].erf()
        case "abs": x[0].abs()
        case "sin": x[0].sin()
        case "cos": x[0].cos()
        case "gelu": x[0].gelu()
        case "gelu_tanh": x[0].activated(.geluTanh)
        case "gelu_quick": x[0].activated(.quickGelu)
        case "silu": x[0].silu()
        case "relu": x[0].relu()
        case "where": try x[1].selecting(where: x[0], else: x[2])
        case "clamp": x[0].clamped(Float(o.number("min") ?? -.infinity)...Float(o.number("max") ?? .infinity))
        case "cast": x[0].asType(DType.allCases.first { $0.description == o.parameters["to"]?.string }!)
        default: nil
        }
    }

    private func reduction(_ o: StoredOperation, _ x: [Tensor]) throws -> Tensor? {
        let dims = o.ints("dims") ?? [], keep = o.flag("keepdim")
        return switch o.name {
        case "sum": try x[0].sum(dims, keepDims: keep)
        case "mean": try x[0].mean(dims, keepDims: keep)
        case "max": try x[0].max(dims, keepDims: keep)
        case "min": try x[0].min(dims, keepDims: keep)
        case "variance": try x[0].variance(dims, correction: o.int("correction")!, keepDims: keep)
        case "argmax": try x[0].argmax(o.int("dim")!, keepDims: keep)
        case "cumsum": try x[0].cumulativeSum(o.int("dim")!)
        default: nil
        }
    }

    private func layer(_ o: StoredOperation, _ x: [Tensor]) throws -> Tensor? {
        let epsilon = Float(o.number("eps") ?? 0), second = x.count > 1 ? x[1] : nil, third = x.count > 2 ? x[2] : nil
        switch o.name {
        case "matmul": return try x[0].matmul(x[1])
        case "linear": return try WeightMatrix(x[1]).apply(x[0], bias: third)
        case "conv2d": return try x[0].conv2d(weight: x[1], bias: third, window: o.window, groups: o.int("groups") ?? 1)
        case "max_pool2d": return try x[0].maxPool2d(kernel: o.pair("kernel_size", 1), window: o.window)
        case "avg_pool2d":
            return try x[0].averagePool2d(kernel: o.pair("kernel_size", 1), window: o.window, countPadding: o.flag("count_include_pad"))
        case "softmax": return try x[0].softmax(o.int("dim")!)
        case "log_softmax": return try x[0].logSoftmax(o.int("dim")!)
        case "layer_norm": return try x[0].layerNorm(weight: second, bias: third, epsilon: epsilon)
        case "rms_norm": return try x[0].rmsNorm(weight: second, epsilon: epsilon)
        case "group_norm": return try x[0].groupNorm(groups: o.int("groups")!, weight: second, bias: third, epsilon: epsilon)
        case "batch_norm": return try x[0].batchNorm(mean: x[1], variance: x[2], weight: x[3], bias: x[4], epsilon: epsilon)
        case "attention":
            let mask = x.count > 3 ? x[3] : nil
            let mixed = try Tensor.attention(
                queries: x[0], keys: x[1], values: x[2], scale: o.number("scale").map { Float($0) }, mask: mask, causal: o.flag("causal"))
            return try mixed.permuted([0, 2, 1, 3])
        case "interpolate":
            let mode = Interpolation(rawValue: o.parameters["mode"]!.string!)!
            var size = o.ints("size") ?? [], scale: (Double, Double)?
            if case let .array(factors)? = o.parameters["scale_factor"], case let .number(y) = factors[0], case let .number(x1) = factors[1]
            {
                scale = (y, x1)
                size = [Int(Double(x[0].shape[2]) * y), Int(Double(x[0].shape[3]) * x1)]
            }
            return try x[0].interpolated(
                height: size[0], width: size[1], mode, alignCorners: o.flag("align_corners"), antialias: o.flag("antialias"), scale: scale)
        default: return nil
        }
    }

    private func arrangement(_ o: StoredOperation, _ x: [Tensor]) throws -> [Tensor] {
        switch o.name {
        case "gather": return [try x[0].takenAlong(x[1], axis: o.int("dim")!)]
        case "index_select": return [try x[0].gathered(x[1], axis: o.int("dim")!)]
        case "take_along_dim":
            var shape = x[0].shape
            shape[o.int("dim")!] = x[1].shape[o.int("dim")!]
            return [try x[0].takenAlong(x[1].broadcast(to: shape), axis: o.int("dim")!)]
        case "topk":
            let (values, indices) = try x[0].topK(o.int("k")!, axis: o.int("dim")!, largest: o.flag("largest"))
            return [values, indices]
        case "sort", "argsort":
            let (values, indices) = try x[0].sorted(o.int("dim")!, descending: o.flag("descending"))
            return o.name == "sort" ? [values, indices] : [indices]
        case "cat": return [try .concatenated(x, axis: o.int("dim")!)]
        case "stack": return [try .stacked(x, axis: o.int("dim")!)]
        case "split":
            let axis = o.int("dim")!, length = x[0].shape[axis]
            let sizes = o.ints("sizes") ?? stride(from: 0, to: length, by: o.int("size")!).map { min(o.int("size")!, length - $0) }
            return try x[0].split(axis, sizes: sizes)
        case "pad":
            let pads = o.ints("pads")!
            let amounts = (0..<x[0].rank).map { axis in
                let fromEnd = x[0].rank - 1 - axis
                return fromEnd * 2 < pads.count ? (pads[fromEnd * 2], pads[fromEnd * 2 + 1]) : (0, 0)
            }
            return [try x[0].padded(amounts, value: Float(o.number("value")!))]
        case "flip": return [try x[0].flipped(o.ints("dims")!)]
        case "roll": return [try zip(o.ints("shifts")!, o.ints("dims")!).reduce(x[0]) { try $0.rolled($1.0, axis: $1.1) }]
        case "tril": return [try x[0].lowerTriangle(o.int("diagonal")!)]
        case "one_hot": return [try x[0].oneHot(o.int("classes")!)]
        case "permute": return [try x[0].permuted(o.ints("dims")!)]
        case "transpose": return [try x[0].transposed(o.ints("dims")![0], o.ints("dims")![1])]
        case "expand": return [try x[0].broadcast(to: o.ints("shape")!)]
        case "reshape": return [try x[0].reshaped(o.ints("shape")!)]
        default:
            throw UnknownCase(description: "no test for the stored operation \(o.name)")
        }
    }
}
