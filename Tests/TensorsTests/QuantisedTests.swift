import CKernels
import Checkpoints
import Foundation
import Testing

@testable import Tensors

/// A weight format by the name that its stored arrays have.
struct WeightFormat: Sendable, CustomTestStringConvertible {
    let name: String
    let code: sn_weight_format
    var testDescription: String { name }

    static let blocks: [WeightFormat] = [
        ("q8_0", SN_WEIGHT_Q8_0), ("q4_0", SN_WEIGHT_Q4_0), ("q4_1", SN_WEIGHT_Q4_1), ("q5_0", SN_WEIGHT_Q5_0), ("q5_1", SN_WEIGHT_Q5_1),
        ("q4_K", SN_WEIGHT_Q4_K), ("q5_K", SN_WEIGHT_Q5_K), ("q6_K", SN_WEIGHT_Q6_K),
    ].map(WeightFormat.init)
    static let all =
        [("f32", SN_WEIGHT_F32), ("f16", SN_WEIGHT_F16), ("bf16", SN_WEIGHT_BF16), ("int8", SN_WEIGHT_INT8)].map(WeightFormat.init) + blocks

    /// Elements of k that share a scale of activations; 0 where activations stay f32.
    var group: Int {
        switch code {
        case SN_WEIGHT_F32, SN_WEIGHT_F16, SN_WEIGHT_BF16: 0
        case SN_WEIGHT_INT8: 128
        case SN_WEIGHT_Q6_K: 16
        default: 32
        }
    }

    /// A length of rows of about `k` elements that the format can store.
    func length(near k: Int) -> Int {
        let block = sn_weight_block_length(code)
        return (k + block - 1) / block * block
    }
}

/// Weights stored in a format, with the values that they stand for.
struct StoredWeights {
    let format: WeightFormat
    let n, k, rowBytes: Int
    let scales, values: [Float]
    let bytes: [UInt8]

    init(_ x: [Float], n: Int, k: Int, as format: WeightFormat) {
        (self.format, self.n, self.k) = (format, n, k)
        rowBytes = sn_weight_row_bytes(format.code, k)
        var bytes = [UInt8](repeating: 0, count: rowBytes * n)
        var scales = [Float](repeating: 0, count: n), values = [Float](repeating: 0, count: n * k)
        sn_quantize_rows(format.code, x, n, k, &bytes, &scales)
        sn_dequantize_rows(format.code, bytes, rowBytes, n, k, scales, &values)
        (self.bytes, self.scales, self.values) = (bytes, scales, values)
    }

    /// y[m][n] = x W^T
    func product(_ x: [Float], m: Int, epilogue: UnsafePointer<sn_epilogue>? = nil) -> [Float] {
        bytes.withUnsafeBytes { product(x, m: m, rows: $0.baseAddress!, epilogue: epilogue) }
    }

    func product(_ x: [Float], m: Int, rows: UnsafeRawPointer, epilogue: UnsafePointer<sn_epilogue>? = nil) -> [Float] {
        var y = [Float](repeating: .nan, count: m * n)
        scales.withUnsafeBufferPointer { scales in
            let scales = format.code == SN_WEIGHT_INT8 ? scales.baseAddress : nil
            var weights = sn_weights(format: format.code, rows: rows, row_bytes: rowBytes, n: n, k: k, scales: scales)
            sn_linear_quantised(m, x, k, &weights, &y, n, epilogue)
        }
        return y
    }
}

/// Formats of weights against bytes that ggml wrote (tools/reference/quantised.py), and products with them.
@Suite(.serialized) struct QuantisedTests {
    static let levels = ["avx512", "avx2vnni", "avx2", "neondot", "neon", "scalar"].filter {
        defer { _ = sn_quantised_use(nil) }
        return sn_quantised_use($0)
    }

    private func normal(_ count: Int, seed: UInt64) -> [Float] {
        var generator = RandomGenerator(seed: seed)
        return (0..<count).map { _ in generator.normal() }
    }

    /// Activations as networks have them: not centred, some far larger than the rest.
    private func activations(_ count: Int, seed: UInt64) -> [Float] {
        zip(normal(count, seed: seed), normal(count, seed: seed + 1)).map { $0 * exp($1) + 0.3 }
    }

    @Test(arguments: WeightFormat.blocks) func storesAndReadsAsGGML(_ format: WeightFormat) throws {
        let file = try SafetensorsFile(
            path: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/quantised.safetensors").path)
        let x = try file.tensor("x").floats(), n = 6, k = x.count / 6
        let expected = try file.tensor(format.name).floats().map { UInt8($0) }
        let stored = StoredWeights(x, n: n, k: k, as: format)
        #expect(stored.bytes == expected)
        let values = try file.tensor(format.name + ".values").floats()
        #expect(stored.values.map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test func rowSizes() {
        #expect(sn_weight_row_bytes(SN_WEIGHT_Q4_K, 512) == 288)
        #expect(sn_weight_row_bytes(SN_WEIGHT_Q6_K, 256) == 210)
        #expect(sn_weight_row_bytes(SN_WEIGHT_INT8, 7) == 7)
        #expect(sn_weight_row_bytes(SN_WEIGHT_Q4_0, 33) == -1)
        #expect(sn_weight_row_bytes(SN_WEIGHT_Q8_0, -32) == -1)
        #expect(sn_weight_row_bytes(SN_WEIGHT_F32, .max) == -1)
    }

    @Test(arguments: WeightFormat.blocks) func storesWhatIsNotFinite(_ format: WeightFormat) {
        for odd: Float in [.nan, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            var x = normal(256, seed: 5)
            x[3] = odd
            x[200] = -odd
            #expect(StoredWeights(x, n: 1, k: 256, as: format).bytes.count == sn_weight_row_bytes(format.code, 256))
        }
    }

    /// Activations rounded as the header says, in double precision; with the largest error of each.
    private func rounded(_ x: [Float], m: Int, k: Int, group: Int) -> (values: [Double], errors: [Double]) {
        guard group > 0 else { return (x.map(Double.init), x.map { _ in 0 }) }
        var values: [Double] = [], errors: [Double] = []
        for row in 0..<m {
            for start in stride(from: 0, to: k, by: group) {
                let part = x[row * k + start..<row * k + min(start + group, k)]
                if group == 128 {
                    let low = min(part.min()!, 0), high = max(part.max()!, 0), inverse = 255 / (high - low),
                        scale = Double((high - low) / 255)
                    let zero = (-(low * inverse)).rounded(.toNearestOrEven)
                    values += part.map { Double(min(($0 * inverse).rounded(.toNearestOrEven) + zero, 255) - zero) * scale }
                    errors += part.map { _ in scale }
                } else {
                    let most = part.map(abs).max()!, inverse = 127 / most, scale = Double(most / 127)
                    values += part.map { Double(($0 * inverse).rounded(.toNearestOrEven)) * scale }
                    errors += part.map { _ in scale / 2 * 1.0001 }
                }
            }
        }
        return (values, errors)
    }

    /// Every level, tiles and dot products, rows and tokens that fill no tile, k that fills no chunk: the product of the rounded
    /// activations to f32 rounding, and the exact product within what rounding the activations can do.
    @Test(arguments: levels, WeightFormat.all) func products(level: String, format: WeightFormat) {
        #expect(sn_quantised_use(level))
        defer { _ = sn_quantised_use(nil) }
        for (n, near) in [(50, 256), (13, 1300), (5, 99), (3, 1)] {
            let k = format.length(near: near), stored = StoredWeights(normal(n * k, seed: UInt64(n)), n: n, k: k, as: format)
            for m in [1, 2, 3, 7, 14, 33, 70] {
                let x = activations(m * k, seed: UInt64(m)), y = stored.product(x, m: m)
                let (values, errors) = rounded(x, m: m, k: k, group: format.group)
                for i in 0..<m * n {
                    var same = 0.0, exact = 0.0, size = 0.0, bound = 0.0
                    for p in 0..<k {
                        let w = Double(stored.values[i % n * k + p]), at = i / n * k + p
                        same += values[at] * w
                        exact += Double(x[at]) * w
                        size += abs(values[at] * w)
                        bound += errors[at] * abs(w)
                    }
                    guard abs(Double(y[i]) - same) <= 2e-6 * size, abs(Double(y[i]) - exact) <= bound + 2e-6 * size else {
                        Issue.record(
                            "\(level) \(m)x\(n)x\(k): element \(i) is \(y[i]), rounded activations give \(same), exact ones \(exact)")
                        return
                    }
                }
            }
        }
    }

    @Test(arguments: levels, [SN_WEIGHT_F16, SN_WEIGHT_INT8, SN_WEIGHT_Q4_1].map { WeightFormat(name: "\($0.rawValue)", code: $0) })
    func epilogue(level: String, format: WeightFormat) {
        #expect(sn_quantised_use(level))
        defer { _ = sn_quantised_use(nil) }
        let n = 53, k = 160, stored = StoredWeights(normal(n * k, seed: 1), n: n, k: k, as: format)
        for m in [2, 35] {
            let x = activations(m * k, seed: 3), plain = stored.product(x, m: m)
            let bias = normal(n, seed: 4), scale = normal(n, seed: 5), residual = normal(m * (n + 3), seed: 6)
            let y = bias.withUnsafeBufferPointer { bias in
                scale.withUnsafeBufferPointer { scale in
                    residual.withUnsafeBufferPointer { residual in
                        var e = sn_epilogue(
                            alpha: 0.5, bias: bias.baseAddress, scale: scale.baseAddress, activation: Int32(SN_RELU.rawValue),
                            residual: residual.baseAddress, residual_stride: n + 3)
                        return stored.product(x, m: m, epilogue: &e)
                    }
                }
            }
            for i in 0..<m * n {
                let expected = max((plain[i] * 0.5 + bias[i % n]) * scale[i % n], 0) + residual[i / n * (n + 3) + i % n]
                #expect(abs(y[i] - expected) <= 1e-5 * max(1, abs(expected)))
            }
        }
    }

    /// A token that isn't finite spoils its own row only, and says so.
    @Test(arguments: levels, WeightFormat.all) func tokensThatAreNotFinite(level: String, format: WeightFormat) {
        #expect(sn_quantised_use(level))
        defer { _ = sn_quantised_use(nil) }
        let n = 4, k = 256, stored = StoredWeights(normal(n * k, seed: 1).map { abs($0) + 0.1 }, n: n, k: k, as: format)
        for m in [3, 20] {
            let clean = activations(m * k, seed: 2)
            for odd: Float in [.nan, .infinity, -.infinity] {
                var x = clean
                x[k + 17] = odd
                let y = stored.product(x, m: m), expected = stored.product(clean, m: m)
                #expect(y[n..<2 * n].allSatisfy { !$0.isFinite })
                #expect(zip(y, expected).enumerated().allSatisfy { $0.offset / n == 1 || $0.element.0 == $0.element.1 })
            }
        }
    }

    /// Rows of a mapped file may end where the mapping ends: nothing beyond them is read.
    @Test(arguments: levels, WeightFormat.all) func readsNothingBeyondTheRows(level: String, format: WeightFormat) {
        #expect(sn_quantised_use(level))
        defer { _ = sn_quantised_use(nil) }
        for near in [288, 77] {
            let n = 7, k = format.length(near: near), stored = StoredWeights(normal(n * k, seed: 1), n: n, k: k, as: format)
            let page = Int(sysconf(Int32(_SC_PAGESIZE))), room = (stored.bytes.count + page - 1) / page * page
            let memory = mmap(nil, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
            defer { munmap(memory, room + page) }
            #expect(mprotect(memory + room, page, PROT_NONE) == 0)
            let rows = memory + room - stored.bytes.count
            stored.bytes.withUnsafeBytes { rows.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            for m in [1, 4, 20] {
                let x = activations(m * k, seed: 2)
                #expect(stored.product(x, m: m, rows: rows) == stored.product(x, m: m))
            }
        }
    }
}
