import Autograd
import Tensors
import TestSupport
import Testing

/// Gradients of every operation: against PyTorch's, and against differences of the operation's own values.
@Suite struct OperationGradientTests {
    /// Cases that PyTorch has gradients for.
    static let differentiable = StoredOperation.all.filter { (try? $0.gradient("seed")) != nil || (try? $0.gradient("seed1")) != nil }

    @Test func coverMostOperations() {
        #expect(Set(Self.differentiable.map(\.name)).count >= 50)
        #expect(Self.differentiable.count >= 200)
    }

    @Test(arguments: differentiable) func equalsPyTorch(_ operation: StoredOperation) throws {
        let inputs = try operation.stored.map { $0.dtype == .f32 ? $0.traced() : $0 }
        let gradients = try scalar(operation, inputs).gradients()
        for (index, input) in inputs.enumerated() {
            guard let expected = try operation.gradient("grad\(index)") else { continue }
            let found = gradients[input] ?? Tensor.zeros(input.shape)
            #expect(found.shape == expected.shape)
            let (a, b) = (found.floats(), expected.floats())
            for i in a.indices where !(a[i] == b[i] || (a[i].isNaN && b[i].isNaN)) {
                let close = abs(a[i] - b[i]) <= 1e-4 + 1e-4 * abs(b[i])
                #expect(close, "input \(index), element \(i): \(a[i]), expected \(b[i])")
                if !close { break }
            }
        }
    }

    /// Kinks and steps have no difference quotient worth comparing.
    static let smooth = differentiable.filter {
        !["abs", "relu", "max", "min", "maximum", "minimum", "max_pool2d", "clamp", "topk", "sort"].contains($0.name)
            && !["special", "extreme", "edges", "masked", "large_mean", "large"].contains($0.variant)
            // Elements so near a pole, or rows so short, that a step of f32 leaps over what is to be measured.
            && !["log plain", "sqrt plain", "rsqrt plain", "layer_norm no_affine"].contains($0.description)
    }

    @Test(arguments: smooth) func equalsDifferences(_ operation: StoredOperation) throws {
        let inputs = try operation.stored
        let variables = inputs.map { $0.dtype == .f32 ? $0.traced() : $0 }
        let gradients = try scalar(operation, variables).gradients()
        var generator = RandomGenerator(seed: 7)
        for (index, input) in inputs.enumerated() where input.dtype == .f32 && input.count > 0 {
            guard let gradient = gradients[variables[index]] else { continue }
            // Along a random direction: one quotient tests every element at once. Chosen small, as far as f32 allows.
            let direction = Tensor.randomNormal(input.shape, using: &generator).unitScale()
            let step: Float = 4e-3
            var ahead = inputs, behind = inputs
            ahead[index] = try input + direction.scaled(by: step)
            behind[index] = try input - direction.scaled(by: step)
            let quotient = try (total(operation, ahead) - total(operation, behind)) / Double(2 * step)
            let expected = zip(gradient.floats(), direction.floats()).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            let scale = Swift.max(1, Swift.abs(expected), gradient.sumOfSquares().squareRoot())
            #expect(Swift.abs(quotient - expected) <= 2e-2 * scale, "input \(index): \(expected), by differences \(quotient)")
        }
    }

    /// The results weighted by the stored seeds, summed: a scalar whose gradients are the stored ones.
    private func scalar(_ operation: StoredOperation, _ inputs: [Tensor]) throws -> Tensor {
        var sum = Tensor(Float(0))
        for (index, result) in try operation.run(inputs).enumerated() {
            guard let seed = try operation.gradient(index == 0 ? "seed" : "seed\(index)") else { continue }
            sum = try sum + (result * seed).sum()
        }
        return sum
    }

    /// The same in f64.
    private func total(_ operation: StoredOperation, _ inputs: [Tensor]) throws -> Double {
        var sum = 0.0
        for (index, result) in try operation.run(inputs).enumerated() {
            guard let seed = try operation.gradient(index == 0 ? "seed" : "seed\(index)") else { continue }
            for (a, b) in zip(result.floats(), seed.floats()) { sum += Double(a) * Double(b) }
        }
        return sum
    }
}

extension Tensor {
    /// Scaled so that the largest element is 1.
    fileprivate func unitScale() -> Tensor { scaled(by: 1 / Swift.max(1e-6, floats().map { Swift.abs($0) }.max() ?? 1)) }
}
