import Tensors

/// What is minimised where pictures come without labels.
extension Losses {
    /// NT-Xent (Chen et al. 2020) of two views `[n, width]`: cross-entropy of each of the 2n vectors' cosines to all others, the other view
    /// of its picture being the right one.
    public static func normalizedContrast(_ a: Tensor, _ b: Tensor, temperature: Float) throws(TensorError) -> Tensor {
        let n = a.dim(0), all = try Tensor.concatenated([a, b]).unitLength()
        let logits = try all.matmul(all.transposed()).scaled(by: 1 / temperature) + exclusion(2 * n, 2 * n)
        return try crossEntropy(logits, (0..<2 * n).map { ($0 + n) % (2 * n) })
    }

    /// DINO's loss (Caron et al. 2021): the mean over pairs of different views of the cross-entropy of a student's view with a teacher's.
    /// - Parameters:
    ///   - found: the student's logits `[n, prototypes]` of each view; the first ones are views that the teacher saw.
    ///   - taught: the teacher's, constants.
    ///   - centre: `[1, prototypes]`, taken off the teacher's.
    ///   - temperatures: the student's and the teacher's.
    public static func selfDistillation(
        _ found: [Tensor], from taught: [Tensor], centre: Tensor, temperatures: (student: Float, teacher: Float)
    ) throws(TensorError) -> Tensor {
        var total = Tensor(Float(0)), terms = 0
        for (place, teacher) in taught.enumerated() {
            let wanted = try (teacher.detached() - centre).scaled(by: 1 / temperatures.teacher).softmax()
            for (view, student) in found.enumerated() where view != place {
                total = try total + crossEntropy(student.scaled(by: 1 / temperatures.student), targets: wanted)
                terms += 1
            }
        }
        return total.scaled(by: 1 / Float(max(1, terms)))
    }

    /// The mean over hidden patches of absolute or squared differences, `[pictures, patches, values]` each.
    /// - Parameter hidden: `[pictures, patches]`, 1 for hidden patches and 0 for the others.
    public static func reconstruction(_ found: Tensor, _ wanted: Tensor, hidden: Tensor, absolute: Bool) throws(TensorError) -> Tensor {
        let difference = try found - wanted, distance = try absolute ? difference.abs() : difference * difference
        let count = hidden.floats().reduce(0, +)
        return try (distance.mean([-1]) * hidden).sum().scaled(by: 1 / max(1, count))
    }
}
