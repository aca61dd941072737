import CKernels

/// What linear layers and attention multiply while training.
public enum ProductPrecision: String, Sendable, Hashable, CaseIterable {
    case f32
    /// Operands rounded to bf16, sums in f32, and what is kept for the gradients in bf16 (Micikevicius et al. 2018, "Mixed precision
    /// training", with bf16's range, which needs no scaling of the loss). Parameters, statistics of norms, softmax and sums stay f32.
    case bf16

    /// False where the CPU has no instructions for it: bf16 then saves memory, and f32 is faster.
    public var isFast: Bool { self == .f32 || sn_bfloat_is_fast() }

    /// What `Tensor.computing(in:)` asks for.
    @TaskLocal static var current = ProductPrecision.f32
}

extension Tensor {
    /// Runs `body` with the products of linear layers and of attention in `precision`, theirs on the way back as well.
    public static func computing<Result, Failure: Error>(
        in precision: ProductPrecision, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try ProductPrecision.$current.keepingErrors(precision, body)
    }

    /// The same values as products read them: rounded to bf16 where that is asked for.
    public func inProductPrecision() -> Tensor { ProductPrecision.current == .bf16 ? asType(.bf16) : self }

    /// Elements of bf16: the first one. The tensor must be kept alive by the caller while the pointer is used.
    package var bfloatElements: UnsafeMutablePointer<UInt16> {
        precondition(dtype == .bf16 && isContiguous, "bf16 read of \(dtype), contiguous: \(isContiguous)")
        return elements(UInt16.self)
    }

    /// The product of two matrices rounded to bf16, with sums in f32: `left` `[m, k]` (turned: `[k, m]`) and the rows of `right` one after
    /// another, `[k, n]` (turned: `[n, k]`). Of f32 or bf16.
    package static func roundedProduct(
        _ left: StoredRows, leftTurned: Bool = false, _ right: [StoredRows], rightTurned: Bool = false, bias: Tensor? = nil,
        shape: [Int], _ result: DType = .f32, level: UnsafePointer<sn_bfloat_table> = sn_bfloat()
    ) -> Tensor {
        let bias = bias?.asType(.f32).contiguous()
        return make(shape, result) { out in
            withExtendedLifetime((left, right, bias)) {
                withUnsafeTemporaryAllocation(of: sn_weights.self, capacity: right.count) { list in
                    for (place, part) in right.enumerated() { list.initializeElement(at: place, to: part.weights) }
                    var a = left.weights
                    sn_bfloat_product(
                        &a, leftTurned, list.baseAddress!, right.count, rightTurned, out.baseAddress!, result == .bf16,
                        bias.map { UnsafePointer($0.floatPointer) }, level)
                }
            }
        }
    }
}
