/// Eigenvalues and vectors of a small symmetric matrix by Jacobi's rotations.
struct SymmetricEigen {
    private(set) var values: [Double]
    /// `vectors[i][j]` is component i of vector j.
    private(set) var vectors: [[Double]]

    /// Places of the values, largest first.
    var order: [Int] { values.indices.sorted { (values[$1], $0) < (values[$0], $1) } }

    init(_ matrix: [[Double]]) {
        let n = matrix.count
        var a = matrix
        values = []
        vectors = (0..<n).map { row in (0..<n).map { $0 == row ? 1 : 0 } }
        for _ in 0..<64 {
            var off = 0.0, all = 0.0
            for i in 0..<n { for j in 0..<n { (all, off) = (all + a[i][j] * a[i][j], off + (i == j ? 0 : a[i][j] * a[i][j])) } }
            if off <= 1e-28 * all { break }
            for p in 0..<n { for q in p + 1..<max(n, p + 1) where a[p][q] != 0 { Self.rotate(&a, &vectors, p, q) } }
        }
        values = (0..<n).map { a[$0][$0] }
    }

    /// Makes element (p, q) zero.
    private static func rotate(_ a: inout [[Double]], _ vectors: inout [[Double]], _ p: Int, _ q: Int) {
        let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
        let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
        let c = 1 / (t * t + 1).squareRoot(), s = t * c
        for k in a.indices { (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]) }
        for k in a.indices { (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]) }
        for k in a.indices {
            (vectors[k][p], vectors[k][q]) = (c * vectors[k][p] - s * vectors[k][q], s * vectors[k][p] + c * vectors[k][q])
        }
    }
}
