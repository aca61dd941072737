import Foundation
import Tensors

/// SVCCA: the mean canonical correlation of both sides' leading left singular vectors, of columns centred and scaled.
///
/// The published code draws a random approximation of the singular vectors and fits canonical components one after the other; both are
/// computed to convergence here, so numbers agree as far as the published ones repeat.
enum CanonicalCorrelation {
    static func mean(_ x: Tensor, _ y: Tensor, components: Int) throws -> Double {
        let most = min(x.dim(1), y.dim(1), x.dim(0) - 1)
        guard components >= 1, components <= most else {
            throw EvaluationError.unusable("svcca of \(components) components; 1 to \(most) can be had")
        }
        let (u, v) = (try leading(standardised(x), components), try leading(standardised(y), components))
        // Both are orthonormal, so the canonical correlations are the singular values of U'V.
        var gram = [[Double]](repeating: [Double](repeating: 0, count: components), count: components)
        let cross = u.map { left in v.map { dot(left, $0) } }
        for i in 0..<components {
            for j in 0..<components { gram[i][j] = (0..<components).reduce(0.0) { $0 + cross[$1][i] * cross[$1][j] } }
        }
        return SymmetricEigen(gram).values.reduce(0) { $0 + max($1, 0).squareRoot() } / Double(components)
    }

    /// Each column less its mean, over its deviation plus 1e-8.
    private static func standardised(_ rows: Tensor) throws -> Tensor {
        let centred = try rows - rows.mean([0], keepDims: true)
        return try centred / rows.variance([0], keepDims: true).sqrt().adding(1e-8)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for place in a.indices { sum += a[place] * b[place] }
        return sum
    }

    /// The first left singular vectors of `[n, width]`, by orthogonal iteration with some more vectors than are wanted, until the space
    /// that they span stands still.
    private static func leading(_ matrix: Tensor, _ count: Int) throws -> [[Double]] {
        let n = matrix.dim(0), width = min(count + 16, n, matrix.dim(1)), transposed = try matrix.transposed()
        var generator = SplitMix(seed: 0), found: [[Double]] = []
        var basis = try image(of: (0..<width).map { _ in (0..<matrix.dim(1)).map { _ in Double(generator.normal()) } }, under: matrix)
        for _ in 0..<mostIterations {
            basis = orthonormal(basis)
            guard basis.count >= count else {
                throw EvaluationError.unusable("svcca of \(count) components: the embeddings span only \(basis.count) directions")
            }
            let projected = try image(of: basis, under: transposed)  // rows of Q'A, [width][columns]
            let eigen = SymmetricEigen(projected.map { row in projected.map { dot(row, $0) } })
            let best = eigen.order.prefix(count).map { place in
                (0..<n).map { row in basis.indices.reduce(0.0) { $0 + basis[$1][row] * eigen.vectors[$1][place] } }
            }
            // The squared cosines of the angles between the old space and the new add up to `count` where they are one.
            let overlap = found.reduce(0) { sum, old in sum + best.reduce(0) { $0 + dot(old, $1) * dot(old, $1) } }
            if !found.isEmpty, Double(count) - overlap < 1e-9 * Double(count) { return best }
            found = best
            basis = try image(of: projected, under: matrix)
        }
        return found
    }

    private static let mostIterations = 1_000

    /// Each vector multiplied by the matrix.
    private static func image(of vectors: [[Double]], under matrix: Tensor) throws -> [[Double]] {
        let rows = try Tensor(vectors.flatMap { $0.map { Float($0) } }, [vectors.count, vectors[0].count])
        let images = try rows.matmul(matrix.transposed()).floats(), length = matrix.dim(0)
        return vectors.indices.map { images[$0 * length..<($0 + 1) * length].map(Double.init) }
    }

    /// Gram and Schmidt, twice, as once isn't enough for nearly parallel vectors.
    private static func orthonormal(_ vectors: [[Double]]) -> [[Double]] {
        var result: [[Double]] = []
        for vector in vectors {
            var rest = vector
            let length = dot(vector, vector).squareRoot()
            for _ in 0..<2 {
                for other in result {
                    let share = dot(rest, other)
                    for place in rest.indices { rest[place] -= share * other[place] }
                }
            }
            let norm = dot(rest, rest).squareRoot()
            // What is left of a vector within the others' space is rounding.
            if norm > 1e-6 * length { result.append(rest.map { $0 / norm }) }
        }
        return result
    }
}
