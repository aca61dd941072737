import Tensors
import TestSupport
import Testing

/// Every operation against arrays that PyTorch stored (tools/reference/operations.py).
@Suite struct OperationTests {
    @Test(arguments: StoredOperation.all) func equalsPyTorch(_ operation: StoredOperation) throws {
        let inputs = try operation.stored, results = try operation.run(inputs)
        #expect(results.count == operation.outputs)
        for (index, result) in results.enumerated() {
            let expected = try operation.tensor(index == 0 ? "out" : "out\(index)")
            #expect(result.shape == expected.shape)
            let (a, b) = (result.floats(), expected.floats())
            // Ours saturates where the reference leaves the result undefined.
            let source = operation.name == "cast" && operation.parameters["to"]?.string == "u8" ? inputs[0].floats() : []
            for i in a.indices
            where !(source.indices.contains(i) && !(0..<256).contains(source[i])) && !(a[i] == b[i] || (a[i].isNaN && b[i].isNaN)) {
                let close = abs(a[i] - b[i]) <= 2e-5 + 2e-5 * abs(b[i])
                #expect(close, "element \(i): \(a[i]), expected \(b[i])")
                if !close { break }
            }
        }
    }
}
