import CKernels
import Checkpoints
import Foundation
import Testing

@testable import Tensors

/// Gradients and steps of optimisers against what PyTorch stored (tools/reference/gradients.py).
struct StoredGradient: Sendable, CustomTestStringConvertible {
    let name, variant: String
    let parameters: JSONValue
    var testDescription: String { "\(name) \(variant)" }

    static let file = try! SafetensorsFile(
        path: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/gradients.safetensors").path)

    static let all: [StoredGradient] = try! JSONValue.parse(file.metadata["cases"]!, file: "gradients.safetensors").array!.map {
        StoredGradient(name: $0["op"]!.string!, variant: $0["case"]!.string!, parameters: $0["params"]!)
    }
    static func named(_ names: String...) -> [StoredGradient] { all.filter { names.contains($0.name) } }

    func tensor(_ part: String) throws -> Tensor { try Self.file.tensor("\(name).\(variant).\(part)") }
    func floats(_ part: String) throws -> [Float] { try tensor(part).floats() }
    func int(_ key: String) -> Int { parameters[key]?.int ?? 1 }
    func flag(_ key: String) -> Bool { parameters[key] == .bool(true) }
    func number(_ key: String) -> Float {
        switch parameters[key] {
        case let .int(value): Float(value)
        case let .number(value): Float(value)
        default: 0
        }
    }

    func check(_ part: String, _ a: [Float], tolerance: Float = 1e-4) throws {
        let b = try floats(part)
        #expect(a.count == b.count)
        for i in a.indices where !(abs(a[i] - b[i]) <= tolerance) {
            Issue.record("\(part): element \(i) is \(a[i]), expected \(b[i])")
            return
        }
    }

    func convShape(_ x: [Int], _ dy: [Int], kernel: (Int, Int)) -> sn_conv_shape {
        let (stride, padding, dilation) = (int("stride"), int("padding"), int("dilation"))
        return sn_conv_shape(
            batch: x[0], in_channels: x[1], in_height: x[2], in_width: x[3], out_channels: dy[1], kernel_height: kernel.0,
            kernel_width: kernel.1, out_height: dy[2], out_width: dy[3], groups: int("groups"), stride_height: stride,
            stride_width: stride, pad_top: padding, pad_left: padding, dilation_height: dilation, dilation_width: dilation)
    }
}

/// Arrays that a kernel must write wholly.
private func unwritten(_ count: Int) -> [Float] { [Float](repeating: .nan, count: count) }

@Suite struct GradientTests {
    @Test(arguments: StoredGradient.named("unary")) func unary(_ stored: StoredGradient) throws {
        let codes = [
            "gelu": SN_GELU, "gelu_tanh": SN_GELU_TANH, "gelu_quick": SN_GELU_QUICK, "silu": SN_SILU, "relu": SN_RELU, "tanh": SN_TANH,
            "sigmoid": SN_SIGMOID, "erf": SN_ERF, "exp": SN_EXP, "abs": SN_ABS, "sin": SN_SIN, "cos": SN_COS,
        ]
        let x = try stored.floats("in0"), dy = try stored.floats("in1")
        var dx = unwritten(x.count)
        sn_unary_gradient_all(try #require(codes[stored.variant]), x, dy, &dx, x.count)
        let largest = try stored.floats("out0").map { abs($0) }.max()!
        try stored.check("out0", dx, tolerance: 1e-5 * max(1, largest))
    }

    @Test(arguments: StoredGradient.named("layer_norm", "rms_norm")) func norms(_ stored: StoredGradient) throws {
        let input = try stored.tensor("in0"), (rows, n) = (input.shape[0], input.shape[1]), x = input.floats()
        let weight = try stored.floats("in1"), dy = try stored.floats("in2")
        var dx = unwritten(x.count), dweight = unwritten(n), dbias = unwritten(n), alone = unwritten(n)
        if stored.name == "layer_norm" {
            sn_layer_norm_gradient_rows(x, weight, 1e-5, dy, &dx, &dweight, &dbias, rows, n)
            sn_layer_norm_gradient_rows(x, weight, 1e-5, dy, nil, &alone, nil, rows, n)
            try stored.check("out2", dbias)
            sn_sum_columns(dy, rows, n, &dbias)
            try stored.check("out2", dbias)
        } else {
            sn_rms_norm_gradient_rows(x, weight, 1e-6, dy, &dx, &dweight, rows, n)
            sn_rms_norm_gradient_rows(x, weight, 1e-6, dy, nil, &alone, rows, n)
        }
        try stored.check("out0", dx)
        try stored.check("out1", dweight)
        #expect(alone == dweight)
    }

    @Test(arguments: StoredGradient.named("softmax", "log_softmax")) func softmax(_ stored: StoredGradient) throws {
        let input = try stored.tensor("in0"), (rows, n) = (input.shape[0], input.shape[1]), dy = try stored.floats("in1")
        var dx = unwritten(rows * n), y = dx
        if stored.name == "softmax" {
            sn_softmax_gradient_rows(input.floats(), dy, &dx, rows, n)
            try stored.check("out0", dx)
        } else {
            sn_log_softmax_rows(input.floats(), &y, rows, n)
            sn_log_softmax_gradient_rows(y, dy, &dx, rows, n)
            try stored.check("out0", y)
            try stored.check("out1", dx)
        }
    }

    @Test func rowsThatAreHiddenWholly() {
        var y: [Float] = [1, 1], dx = unwritten(2)
        sn_log_softmax_rows([-.infinity, -.infinity], &y, 1, 2)
        #expect(y == [-.infinity, -.infinity])
        sn_softmax_gradient_rows([0, 0], [1, 2], &dx, 1, 2)
        #expect(dx == [0, 0])
    }

    @Test(arguments: StoredGradient.named("attention")) func attention(_ stored: StoredGradient) throws {
        let q = try stored.tensor("in0"), k = try stored.tensor("in1"), v = try stored.tensor("in2"), dy = try stored.floats("in3")
        let (batch, n, heads, width) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
        let (m, keyHeads, valueWidth) = (k.shape[1], k.shape[2], v.shape[3])
        let mask = stored.variant == "mask" ? try stored.floats("in4") : [0]
        var dq = unwritten(batch * n * heads * width), dk = unwritten(batch * m * keyHeads * width)
        var dv = unwritten(batch * m * keyHeads * valueWidth)
        mask.withUnsafeBufferPointer { mask in
            var shape = sn_attention_shape()
            (shape.batch, shape.heads, shape.key_heads, shape.queries, shape.keys) = (batch, heads, keyHeads, n, m)
            (shape.width, shape.value_width, shape.causal) = (width, valueWidth, stored.flag("causal"))
            shape.scale = 1 / Float(width).squareRoot()
            (shape.q_batch, shape.q_head, shape.q_row) = (n * heads * width, width, heads * width)
            (shape.k_batch, shape.k_head, shape.k_row) = (m * keyHeads * width, width, keyHeads * width)
            (shape.v_batch, shape.v_head, shape.v_row) = (m * keyHeads * valueWidth, valueWidth, keyHeads * valueWidth)
            (shape.o_batch, shape.o_head, shape.o_row) = (n * heads * valueWidth, valueWidth, heads * valueWidth)
            if stored.variant == "mask" { (shape.mask, shape.mask_row) = (mask.baseAddress, m) }
            var places = shape  // heads one after another
            (places.q_batch, places.q_head, places.q_row) = (n * heads * width, n * width, width)
            (places.k_batch, places.k_head, places.k_row) = (m * keyHeads * width, m * width, width)
            (places.v_batch, places.v_head, places.v_row) = (m * keyHeads * valueWidth, m * valueWidth, valueWidth)
            sn_attention_gradient(q.floats(), k.floats(), v.floats(), dy, &dq, &dk, &dv, &shape, &places)
        }
        try stored.check("out0", dq)
        try stored.check("out1", dk)
        try stored.check("out2", dv)
    }

    @Test(arguments: StoredGradient.named("conv2d")) func convolution(_ stored: StoredGradient) throws {
        let x = try stored.tensor("in0"), weight = try stored.tensor("in1"), dy = try stored.tensor("in2")
        var shape = stored.convShape(x.shape, dy.shape, kernel: (weight.shape[2], weight.shape[3]))
        var dx = unwritten(x.count), dweight = unwritten(weight.count), dbias = unwritten(weight.shape[0]), alone = dweight
        sn_conv2d_gradient(x.floats(), weight.floats(), dy.floats(), &dx, &dweight, &dbias, &shape)
        sn_conv2d_gradient(x.floats(), weight.floats(), dy.floats(), nil, &alone, nil, &shape)
        try stored.check("out0", dx)
        try stored.check("out1", dweight)
        try stored.check("out2", dbias)
        #expect(alone == dweight)
    }

    @Test(arguments: StoredGradient.named("max_pool2d", "mean_pool2d")) func pools(_ stored: StoredGradient) throws {
        let x = try stored.tensor("in0"), dy = try stored.tensor("in1"), kernel = stored.int("kernel")
        var shape = stored.convShape(x.shape, dy.shape, kernel: (kernel, kernel)), dx = unwritten(x.count)
        if stored.name == "max_pool2d" {
            sn_max_pool2d_gradient(x.floats(), dy.floats(), &dx, &shape)
        } else {
            let padding = stored.int("padding")
            sn_mean_pool2d_gradient(dy.floats(), &dx, &shape, padding, padding, stored.flag("count_padding") ? 1 : 0)
        }
        try stored.check("out0", dx)
    }

    @Test(arguments: StoredGradient.named("scatter")) func scatter(_ stored: StoredGradient) throws {
        let index = try stored.tensor("in0").ints().map(Int64.init), dy = try stored.tensor("in1")
        var table = unwritten(9 * dy.shape[1])
        sn_scatter_add_rows(index + [-1, 9], dy.floats() + dy.floats().prefix(2 * dy.shape[1]), index.count + 2, dy.shape[1], &table, 9)
        try stored.check("out0", table)
    }

    @Test(arguments: StoredGradient.named("sgd", "adamw", "lion", "lamb")) func optimisers(_ stored: StoredGradient) throws {
        var w = try stored.floats("in0")
        let slopes = try stored.floats("in1"), n = w.count
        var m = [Float](repeating: 0, count: n), v = m, scratch = m
        let (rate, decay, beta1, beta2) = (stored.number("rate"), stored.number("decay"), stored.number("beta1"), stored.number("beta2"))
        let epsilon = stored.number("epsilon")
        for step in 1...10 {
            let g = Array(slopes[(step - 1) * n..<step * n])
            switch stored.name {
            case "sgd":
                sn_sgd(
                    &w, g, &m, n, rate, stored.number("momentum"), stored.number("dampening"), stored.flag("nesterov") ? 1 : 0, decay, 0.5,
                    step == 1 ? 1 : 0)
            case "adamw": sn_adamw(&w, g, &m, &v, n, rate, beta1, beta2, epsilon, decay, step, 0.5)
            case "lion": sn_lion(&w, g, &m, n, rate, beta1, beta2, decay, 0.5)
            default: sn_lamb(&w, g, &m, &v, &scratch, n, rate, beta1, beta2, epsilon, decay, step, 0.5)
            }
        }
        try stored.check("out0", w, tolerance: 1e-5)
    }

    /// Sums over many rows are cut into blocks, and parameters into pieces.
    @Test func largeSums() {
        var generator = RandomGenerator(seed: 1)
        let rows = 3000, n = 70, x = (0..<rows * n).map { _ in generator.normal() }
        var sums = unwritten(n)
        sn_sum_columns(x, rows, n, &sums)
        for j in 0..<n {
            let exact = stride(from: j, to: x.count, by: n).reduce(0.0) { $0 + Double(x[$1]) }
            #expect(abs(Double(sums[j]) - exact) < 1e-4)
        }
        let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(sn_sum_of_squares(x, x.count) - squares) < 1e-6)
        var broken = x
        broken[3] = .nan
        broken[150_000] = .infinity
        #expect(sn_count_not_finite(broken, broken.count) == 2)
    }

    /// How sums are cut up follows from shapes alone: the same bits with one thread and with all.
    @Test func oneThreadGivesTheSameBits() {
        var generator = RandomGenerator(seed: 2)
        let x = (0..<120_000).map { _ in generator.normal() }
        var conv = sn_conv_shape()
        (conv.batch, conv.in_channels, conv.out_channels, conv.groups) = (9, 5, 40, 1)
        (conv.in_height, conv.in_width, conv.out_height, conv.out_width) = (20, 20, 20, 20)
        (conv.kernel_height, conv.kernel_width, conv.pad_top, conv.pad_left) = (3, 3, 1, 1)
        (conv.stride_height, conv.stride_width, conv.dilation_height, conv.dilation_width) = (1, 1, 1, 1)
        var heads = sn_attention_shape()
        (heads.batch, heads.heads, heads.key_heads, heads.queries, heads.keys) = (1, 2, 1, 300, 90)
        (heads.width, heads.value_width, heads.scale) = (16, 16, 0.25)
        (heads.q_head, heads.q_row, heads.k_row, heads.v_row, heads.o_head, heads.o_row) = (300 * 16, 16, 16, 16, 300 * 16, 16)
        var places = heads
        func all() -> [[Float]] {
            var sums = unwritten(60), weights = sums, biases = sums, dx = unwritten(120_000)
            sn_sum_columns(x, 2000, 60, &sums)
            sn_layer_norm_gradient_rows(x, nil, 1e-5, x, &dx, &weights, &biases, 2000, 60)
            var dinput = unwritten(9 * 5 * 400), dweight = unwritten(40 * 45), dbias = unwritten(40)
            let dy = (0..<9 * 40 * 400).map { x[$0 % x.count] }
            sn_conv2d_gradient(x, x, dy, &dinput, &dweight, &dbias, &conv)
            var dq = unwritten(2 * 300 * 16), dk = unwritten(90 * 16), dv = dk
            sn_attention_gradient(x, dy, x, x, &dq, &dk, &dv, &heads, &places)
            return [sums, dx, weights, biases, dinput, dweight, dbias, dq, dk, dv, [Float(sn_sum_of_squares(x, x.count))]]
        }
        let many = all()
        sn_thread_limit(1)
        let one = all()
        sn_thread_limit(.max)
        #expect(many == one)
        #expect(many.allSatisfy { $0.allSatisfy(\.isFinite) })
    }
}
