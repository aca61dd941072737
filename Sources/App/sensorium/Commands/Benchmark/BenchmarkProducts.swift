import ArgumentParser
import Foundation
import PictureLibrary
import Tensors

extension BenchmarkCommand {
    struct Products: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "kernels",
            abstract: "Multiplies activations with weights of a mapped file, as the layers do, and prints a JSON line for each shape.")

        @Argument(help: "ROWSxINPUTSxOUTPUTS, as 197x768x3072.")
        var shapes: [String]

        @Option(name: .long, help: "Threads (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Products that are measured; more go before, after which weights lie as they stay.")
        var rounds = 20

        /// Elements of the result that are printed, evenly spread.
        private static let samples = 64
        private static let longestSide = 1 << 16

        func validate() throws {
            guard (1...1_000_000).contains(rounds), (threads ?? 1) >= 1 else {
                throw ValidationError("--rounds and --threads must be at least 1.")
            }
            for shape in shapes where Self.sides(shape) == nil {
                throw ValidationError("\(shape): a shape is ROWSxINPUTSxOUTPUTS, each 1 to \(Self.longestSide).")
            }
        }

        private static func sides(_ shape: String) -> [Int]? {
            let sides = shape.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            return sides.count == 3 && sides.allSatisfy { (1...longestSide).contains($0) } ? sides : nil
        }

        func run() throws {
            if let threads { ThreadPool.limit(to: threads) }
            for shape in shapes { try measure(shape) }
        }

        private func measure(_ shape: String) throws {
            guard let sides = Self.sides(shape) else { return }
            let (m, k, n) = (sides[0], sides[1], sides[2])
            let left = try Self.values([m, k], seed: 1), weight = try Self.values([n, k], seed: 2)
            let matrix = try Self.mapped(weight)
            var product = left
            for _ in 0..<(1_100 + m) / m where m > 1 { product = try matrix.apply(left) }
            let middle = try BenchmarkClock.median(of: rounds) { product = try matrix.apply(left) }
            let flat = try product.reshaped([m * n]).floats(), count = min(Self.samples, m * n)
            var line = JSONLine()
            line.add("shape", shape)
            line.add("threads", ThreadPool.threadCount)
            line.add("rounds", rounds)
            line.add("median_seconds", middle)
            line.add("gflops", 2e-9 * Double(m) * Double(k) * Double(n) / middle)
            line.add("sample", json: "[" + (0..<count).map { "\(flat[$0 * (m * n / count)])" }.joined(separator: ",") + "]")
            Console.standard.line(line.text)
        }

        /// The matrix as a checkpoint's: in a file, which is gone once it is mapped.
        private static func mapped(_ matrix: Tensor) throws -> WeightMatrix {
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-weights-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: file) }
            try matrix.floats().withUnsafeBytes { Data($0) }.write(to: file)
            let storage = try Storage.mapping(path: file.path)
            return WeightMatrix([
                try StoredRows(storage, byteOffset: 0, format: .f32, rows: matrix.shape[0], columns: matrix.shape[1])
            ])
        }

        /// Numbers in [-0.5, 0.5) that a peer can make again: the upper bits of (place + seed) times Knuth's constant.
        private static func values(_ shape: [Int], seed: Int) throws -> Tensor {
            let count = shape.reduce(1, *)
            return try Tensor(
                (0..<count).map { Float(UInt32(truncatingIfNeeded: ($0 + seed) &* 2_654_435_761) >> 8) * 0x1p-24 - 0.5 }, shape)
        }
    }
}
