import Tensors

/// The sums over two linear kernels K = XX' and L = YY' that HSIC is made of, gathered from blocks of rows: the kernels themselves,
/// n x n, are never held.
struct KernelSums {
    /// Sum of K_ij L_ij, with the diagonal and without.
    private var product = 0.0, offDiagonal = 0.0
    /// Sums of the rows, with the diagonal and without.
    private var k: [Double] = [], l: [Double] = []
    private var kOff: [Double] = [], lOff: [Double] = []

    /// CKA and its unbiased form, with the 1e-6 that the published code adds to the denominator.
    static func alignment(_ x: Tensor, _ y: Tensor) throws -> (biased: Double, unbiased: Double) {
        var own = KernelSums(), other = KernelSums(), both = KernelSums()
        try x.forEachProductBlock(with: x) { first, kernel in
            let rows = try y.sliced(0, first..<first + kernel.dim(0)).matmul(y.transposed())
            kernel.withElements(Float.self) { k in
                rows.withElements(Float.self) { l in
                    let n = rows.dim(1)
                    for row in 0..<rows.dim(0) {
                        let range = row * n..<(row + 1) * n
                        let (kRow, lRow) = (UnsafeBufferPointer(rebasing: k[range]), UnsafeBufferPointer(rebasing: l[range]))
                        both.add(kRow, lRow, diagonal: first + row)
                        own.add(kRow, kRow, diagonal: first + row)
                        other.add(lRow, lRow, diagonal: first + row)
                    }
                }
            }
        }
        func ratio(_ value: (KernelSums) -> Double) -> Double {
            value(both) / ((value(own) * value(other)).squareRoot() + 1e-6)
        }
        return (ratio(\.biased), ratio(\.unbiased))
    }

    private mutating func add(_ kRow: UnsafeBufferPointer<Float>, _ lRow: UnsafeBufferPointer<Float>, diagonal: Int) {
        var sum = 0.0, kSum = 0.0, lSum = 0.0
        for column in kRow.indices {
            let (a, b) = (Double(kRow[column]), Double(lRow[column]))
            sum += a * b
            kSum += a
            lSum += b
        }
        let (a, b) = (Double(kRow[diagonal]), Double(lRow[diagonal]))
        product += sum
        offDiagonal += sum - a * b
        k.append(kSum)
        l.append(lSum)
        kOff.append(kSum - a)
        lOff.append(lSum - b)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// trace(K H L H) with H = I - 1/n: the biased HSIC without its factor.
    private var biased: Double {
        let n = Double(k.count)
        return product - 2 / n * Self.dot(k, l) + k.reduce(0, +) * l.reduce(0, +) / (n * n)
    }

    private var unbiased: Double {
        Self.unbiased(
            rows: kOff.count, product: offDiagonal, totals: kOff.reduce(0, +) * lOff.reduce(0, +), rowProducts: Self.dot(kOff, lOff))
    }

    /// Song et al. 2012, equation 5, of kernels whose diagonals are 0.
    /// - Parameters:
    ///   - product: sum of K_ij L_ji.
    ///   - totals: the product of both kernels' sums.
    ///   - rowProducts: the sum of all elements of K L.
    static func unbiased(rows: Int, product: Double, totals: Double, rowProducts: Double) -> Double {
        let m = Double(rows)
        return (product + totals / ((m - 1) * (m - 2)) - 2 * rowProducts / (m - 2)) / (m * (m - 3))
    }
}
