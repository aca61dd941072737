import Tensors

/// What training minimises. Each is a mean over the batch, a scalar.
public enum Losses {
    /// Mean cross-entropy of `logits` `[n, classes]` and class numbers `[n]`; rows whose class is `ignored` don't count.
    public static func crossEntropy(_ logits: Tensor, _ classes: [Int], ignored: Int = -100) throws(TensorError) -> Tensor {
        guard logits.rank == 2, logits.dim(0) == classes.count else {
            throw .shape(operation: "cross-entropy", shapes: [logits.shape, [classes.count]], expected: "[n, classes] and n class numbers")
        }
        let rows = classes.indices.filter { classes[$0] != ignored }
        guard !rows.isEmpty else { throw .shape(operation: "cross-entropy", shapes: [logits.shape], expected: "at least one class") }
        let kept = rows.count == classes.count ? logits : try logits.gathered(Tensor(rows.map(Int64.init), [rows.count]))
        let wanted = try Tensor(rows.map { Int64(classes[$0]) }, [rows.count, 1])
        return try kept.logSoftmax().takenAlong(wanted, axis: 1).mean().negated()
    }

    /// Cross-entropy of `logits` `[n, classes]` and a distribution for each row, `[n, classes]`.
    public static func crossEntropy(_ logits: Tensor, targets: Tensor) throws(TensorError) -> Tensor {
        try (logits.logSoftmax() * targets).sum([-1]).mean().negated()
    }

    /// CLIP's loss (Radford et al. 2021): of `scale` times the cosines of pictures and texts, `[n, width]` each of unit length, row i
    /// belonging to row i, the mean of cross-entropy over texts and over pictures.
    /// - Parameter groups: rows of one picture: where two rows have the same number, neither is a wrong answer for the other.
    public static func contrastive(
        _ images: Tensor, _ texts: Tensor, scale: Tensor, groups: [Int]? = nil
    ) throws(TensorError) -> Tensor {
        let logits = try images.matmul(texts.transposed()) * scale  // [pictures, texts]
        let n = logits.dim(0)
        guard let groups, Set(groups).count < n else {
            let own = Array(0..<n)
            return try (crossEntropy(logits, own) + crossEntropy(logits.transposed(), own)).scaled(by: 0.5)
        }
        let targets = Tensor.makeFloats([n, n]) { out in
            for i in 0..<n {
                var same = 0
                for j in 0..<n where groups[i] == groups[j] { same += 1 }
                for j in 0..<n { out[i * n + j] = groups[i] == groups[j] ? 1 / Float(same) : 0 }
            }
        }
        return try (crossEntropy(logits, targets: targets) + crossEntropy(logits.transposed(), targets: targets)).scaled(by: 0.5)
    }

    /// SigLIP's loss (Zhai et al. 2023): each pair of the batch a yes-or-no question.
    public static func sigmoid(_ images: Tensor, _ texts: Tensor, scale: Tensor, bias: Tensor) throws(TensorError) -> Tensor {
        let logits = try images.matmul(texts.transposed()) * scale + bias, n = logits.dim(0)
        let signs = Tensor.makeFloats([n, n]) { out in for i in 0..<n * n { out[i] = i / n == i % n ? 1 : -1 } }
        // log sigmoid(x) = -(max(-x, 0) + log(1 + exp(-|x|)))
        let x = try logits * signs
        let soft = try x.negated().maximum(0) + x.abs().negated().exp().adding(1).log()
        return try soft.sum().scaled(by: 1 / Float(n))
    }

    /// `1 - cosine`, averaged over rows `[n, width]`.
    public static func cosine(_ found: Tensor, _ wanted: Tensor) throws(TensorError) -> Tensor {
        try (found.unitLength() * wanted.unitLength()).sum([-1]).mean().negated().adding(1)
    }

    public static func meanSquare(_ found: Tensor, _ wanted: Tensor) throws(TensorError) -> Tensor {
        let difference = try found - wanted
        return try (difference * difference).mean()
    }
}
