import Autograd
import Tensors
import TestSupport
import Testing

/// The largest difference of each operation from PyTorch's stored results and gradients: gradients.md.
@Suite struct GradientTableTests {
    private struct Worst {
        var cases = 0, value = 0.0, gradient = 0.0
    }

    @Test func everyOperationIsInTheTable() throws {
        var worst: [String: Worst] = [:]
        for operation in OperationGradientTests.differentiable {
            var found = worst[operation.name] ?? Worst()
            found.cases += 1
            let inputs = try operation.stored.map { $0.dtype == .f32 ? $0.traced() : $0 }, results = try operation.run(inputs)
            var sum = Tensor(Float(0))
            for (index, result) in results.enumerated() {
                found.value = max(found.value, try Self.difference(result, operation.tensor(index == 0 ? "out" : "out\(index)")))
                guard let seed = try operation.gradient(index == 0 ? "seed" : "seed\(index)") else { continue }
                sum = try sum + (result * seed).sum()
            }
            let gradients = try sum.gradients()
            for (index, input) in inputs.enumerated() {
                guard let expected = try operation.gradient("grad\(index)") else { continue }
                found.gradient = max(found.gradient, Self.difference(gradients[input] ?? Tensor.zeros(input.shape), expected))
            }
            worst[operation.name] = found
        }
        var table = ParityTable(
            "Tests/AutogradTests/gradients.md",
            head: """
                # Operations and their gradients beside PyTorch's

                The largest difference of an element, of all stored cases (tools/reference/operations.py, gradients.py): absolute where the
                element is below 1, of its size above. Written by `SENSORIUM_TABLES=1 swift test -c release --filter GradientTableTests`.
                """,
            columns: ["operation", "cases", "values", "gradients"])
        for (name, found) in worst.sorted(by: { $0.key < $1.key }) {
            #expect(found.value <= 2e-4 && found.gradient <= 2e-4, "\(name): \(found)")
            table.add(name, ["\(found.cases)", ParityTable.text(found.value), ParityTable.text(found.gradient)])
        }
        #expect(try table.missing().isEmpty)
    }

    /// Of finite elements; those that aren't must be the same.
    private static func difference(_ found: Tensor, _ expected: Tensor) -> Double {
        zip(found.floats(), expected.floats()).reduce(0.0) { worst, pair in
            if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
            let difference = Double(abs(pair.0 - pair.1)) / Double(max(1, abs(pair.1)))
            return difference.isNaN ? .infinity : max(worst, difference)
        }
    }
}
