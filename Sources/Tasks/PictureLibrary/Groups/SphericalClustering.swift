import Tensors

/// k-means of unit vectors by their cosines (Dhillon, Modha, "Concept decompositions for large sparse text data using clustering"),
/// begun as by k-means++ (Arthur, Vassilvitskii). The same vectors and seed give the same clusters.
struct SphericalClustering: Sendable {
    private static let iterations = 15
    private static let rowsTogether = 2_048

    /// Unit vectors `[count, dimension]`.
    private(set) var centres: Tensor
    private let dimension: Int

    /// - Parameter vectors: `[n, dimension]`, n at least `count`.
    init(_ vectors: Tensor, count: Int, seed: UInt64) throws(TensorError) {
        dimension = vectors.dim(1)
        var random = RandomGenerator(seed: seed)
        centres = try Self.spread(vectors, count, &random)
        var owners: [Int] = []
        for _ in 0..<Self.iterations {
            let next = try nearest(vectors).map(\.centre)
            if next == owners { break }
            owners = next
            try move(vectors.floats(), owners)
        }
    }

    /// The centre nearest to each vector, and the cosine to it.
    func nearest(_ vectors: Tensor) throws(TensorError) -> [(centre: Int, cosine: Float)] {
        let turned = try centres.transposed(), count = centres.dim(0)
        var found: [(centre: Int, cosine: Float)] = []
        found.reserveCapacity(vectors.dim(0))
        for start in stride(from: 0, to: vectors.dim(0), by: Self.rowsTogether) {
            let end = min(vectors.dim(0), start + Self.rowsTogether)
            let cosines = try vectors.sliced(0, start..<end).matmul(turned).floats()  // [rows, count]
            for row in 0..<end - start {
                var best = (centre: 0, cosine: -Float.infinity)
                for centre in 0..<count where cosines[row * count + centre] > best.cosine { best = (centre, cosines[row * count + centre]) }
                found.append(best)
            }
        }
        return found
    }

    /// Centres far from one another: each a vector by the chance of its distance to those before.
    private static func spread(_ vectors: Tensor, _ count: Int, _ random: inout RandomGenerator) throws(TensorError) -> Tensor {
        let rows = vectors.dim(0)
        var chosen = [Int.random(in: 0..<rows, using: &random)]
        var distances = [Double](repeating: .infinity, count: rows)
        while chosen.count < count {
            let last = chosen[chosen.count - 1]
            let cosines = try vectors.matmul(vectors.sliced(0, last..<last + 1).transposed()).floats()
            var sum = 0.0
            for row in 0..<rows {
                distances[row] = min(distances[row], Double(max(0, 1 - cosines[row])))
                sum += distances[row]
            }
            var left = Double.random(in: 0..<1, using: &random) * sum, next = rows - 1
            for row in 0..<rows {
                left -= distances[row]
                if left < 0 {
                    next = row
                    break
                }
            }
            chosen.append(next)
        }
        var parts: [Tensor] = []
        for row in chosen { parts.append(try vectors.sliced(0, row..<row + 1).reshaped([vectors.dim(1)])) }
        return try .stacked(parts)
    }

    /// Each centre becomes the direction of its vectors; one without any stays.
    private mutating func move(_ values: [Float], _ owners: [Int]) throws(TensorError) {
        let count = centres.dim(0)
        var sums = [Float](repeating: 0, count: count * dimension)
        for (row, owner) in owners.enumerated() {
            for place in 0..<dimension { sums[owner * dimension + place] += values[row * dimension + place] }
        }
        let before = centres.floats()
        for centre in 0..<count {
            let range = centre * dimension..<(centre + 1) * dimension
            let length = sums[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
            for place in range { sums[place] = length > 1e-6 ? sums[place] / length : before[place] }
        }
        centres = try Tensor(sums, [count, dimension])
    }
}
