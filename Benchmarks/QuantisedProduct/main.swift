// Products of activations and quantised weights, timed. Reads lines and answers each with the seconds of one product:
//
//     FORMAT M N K THREADS REPEATS WEIGHTS X Y    FORMAT: q8_0, q4_1 ...; WEIGHTS: N rows of K as GGUF stores them;
//                                                 X: M rows of K f32; the product, M rows of N f32, is written to Y
import CKernels
import Foundation

let formats: [Substring: sn_weight_format] = [
    "f16": SN_WEIGHT_F16, "bf16": SN_WEIGHT_BF16, "q8_0": SN_WEIGHT_Q8_0, "q4_0": SN_WEIGHT_Q4_0, "q4_1": SN_WEIGHT_Q4_1,
    "q5_0": SN_WEIGHT_Q5_0,
    "q5_1": SN_WEIGHT_Q5_1, "q4_K": SN_WEIGHT_Q4_K, "q5_K": SN_WEIGHT_Q5_K, "q6_K": SN_WEIGHT_Q6_K,
]

struct Refusal: Error, CustomStringConvertible { let description: String }

func answer(_ line: String) throws -> Double {
    let words = line.split(separator: " "), numbers = words.dropFirst().prefix(5).compactMap { Int($0) }
    guard words.count == 9, let format = formats[words[0]], numbers.count == 5, numbers.allSatisfy({ $0 > 0 && $0 < 1 << 24 }) else {
        throw Refusal(description: "not a request: \(line)")
    }
    let (m, n, k, repeats) = (numbers[0], numbers[1], numbers[2], numbers[4])
    let weights = try Data(contentsOf: URL(fileURLWithPath: String(words[6])), options: .alwaysMapped)
    let x = try Data(contentsOf: URL(fileURLWithPath: String(words[7])))
    let row = sn_weight_row_bytes(format, k)
    guard row > 0, weights.count == row * n, x.count == m * k * 4 else { throw Refusal(description: "the files don't fit: \(line)") }
    sn_thread_limit(Int32(clamping: numbers[3]))
    var y = [Float](repeating: 0, count: m * n), seconds = 0.0
    weights.withUnsafeBytes { rows in
        x.withUnsafeBytes { x in
            var stored = sn_weights(format: format, rows: rows.baseAddress!, row_bytes: row, n: n, k: k, scales: nil)
            let from = x.baseAddress!.assumingMemoryBound(to: Float.self)
            // The other threads wake and the processor settles before the clock starts.
            for _ in 0..<max(1, repeats / 4) { sn_linear_quantised(m, from, k, &stored, &y, n, nil) }
            let start = DispatchTime.now().uptimeNanoseconds
            for _ in 0..<repeats { sn_linear_quantised(m, from, k, &stored, &y, n, nil) }
            seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 / Double(repeats)
        }
    }
    try y.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: String(words[8])))
    return seconds
}

while let line = readLine() {
    do {
        try FileHandle.standardOutput.write(contentsOf: Data("\(answer(line))\n".utf8))
    } catch {
        try? FileHandle.standardError.write(contentsOf: Data("bench-quantised-product: \(error)\n".utf8))
        exit(1)
    }
}
