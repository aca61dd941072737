import Tensors

/// What a student learns from another model. That model's side is a constant.
extension Losses {
    /// Kullback-Leibler divergence of the distributions softmax(`taught`) from softmax(`logits`), `[rows, classes]` each, averaged over
    /// rows.
    public static func divergence(_ logits: Tensor, from taught: Tensor) throws(TensorError) -> Tensor {
        let certain = try taught.detached().logSoftmax(), shares = certain.exp()
        return try crossEntropy(logits, targets: shares) + (shares * certain).sum([-1]).mean()
    }

    /// The divergence between matrices of similarity `[pictures, texts]` along both axes: affinity mimicking (TinyCLIP, Wu et al. 2023),
    /// contrastive relations (CLIP-KD, Yang et al. 2024), score distillation (DIME-FM, Sun et al. 2023).
    public static func affinity(_ logits: Tensor, from taught: Tensor) throws(TensorError) -> Tensor {
        try (divergence(logits, from: taught) + divergence(logits.transposed(), from: taught.transposed())).scaled(by: 0.5)
    }

    /// The divergence between matrices of similarity of pictures to each other, none to itself (DIME-FM's distances within one kind):
    /// `[n, n]`, cosines times a scale.
    public static func relations(_ logits: Tensor, from taught: Tensor) throws(TensorError) -> Tensor {
        let n = logits.dim(0), apart = exclusion(n, n)
        return try divergence(logits + apart, from: taught.detached() + apart)
    }

    /// ALBEF's contrast of pictures and texts (Li et al. 2021) with vectors of unit length: of the trained towers `[n, width]`, of their
    /// slow copies `[n, width]`, and what the slow copies gave for this batch and remembered ones `[candidates, width]`. The slow copies'
    /// distributions are mixed into `targets`, `[n, candidates]`.
    /// - Parameter alpha: the share of the slow copies' distributions.
    public static func momentumContrastive(
        _ found: (images: Tensor, texts: Tensor), slow: (images: Tensor, texts: Tensor), candidates: (images: Tensor, texts: Tensor),
        targets: Tensor, scale: Tensor, alpha: Float
    ) throws(TensorError) -> Tensor {
        func side(_ found: Tensor, _ slow: Tensor, _ all: Tensor) throws(TensorError) -> Tensor {
            let columns = try all.detached().transposed()
            var wanted = targets
            if alpha > 0 {
                let soft = try (slow.detached().matmul(columns) * scale.detached()).softmax()
                wanted = try soft.scaled(by: alpha) + targets.scaled(by: 1 - alpha)
            }
            return try crossEntropy(found.matmul(columns) * scale, targets: wanted)
        }
        return try (side(found.images, slow.images, candidates.texts) + side(found.texts, slow.texts, candidates.images)).scaled(by: 0.5)
    }

    /// What takes a row's own place out of a softmax: `[rows, columns]`, far below zero at `(i, i)`.
    static func exclusion(_ rows: Int, _ columns: Int) -> Tensor {
        Tensor.makeFloats([rows, columns]) { out in for i in 0..<rows * columns { out[i] = i / columns == i % columns ? -1e9 : 0 } }
    }
}
