import Imaging
import Tensors

/// Finds pictures that are nearly the same and joins them to groups.
public struct NearDuplicates: Sendable, Equatable {
    /// Bits of the perceptual hash that may differ, at most 15.
    public var bits = 6
    /// Root mean square difference of 8x8 colours that is allowed, of 255.
    public var colours = 16.0
    /// Cosine of two embeddings from which on pictures count as the same.
    public var cosine = 0.95

    public init() {}

    /// Groups of indices, one for each picture that is alone.
    /// - Parameter hashes: nil for a picture that couldn't be read: it is alone.
    func groups(_ hashes: [PerceptualHash?]) -> Groups {
        var groups = Groups(count: hashes.count)
        var equal: [PerceptualHash: Int] = [:]
        var distinct: [(index: Int, hash: PerceptualHash)] = []
        for (index, hash) in hashes.enumerated() {
            guard let hash else { continue }
            if let first = equal[hash] {
                groups.join(first, index)
            } else {
                equal[hash] = index
                distinct.append((index, hash))
            }
        }
        // Two hashes that differ in at most n bits agree in one of n + 1 pieces.
        let limit = min(max(bits, 0), 15)
        for piece in 0...limit {
            let low = 64 * piece / (limit + 1), high = 64 * (piece + 1) / (limit + 1)
            let mask = high - low == 64 ? UInt64.max : ((1 << UInt64(high - low)) - 1) << UInt64(low)
            var buckets: [UInt64: [Int]] = [:]
            for (place, entry) in distinct.enumerated() { buckets[entry.hash.bits & mask, default: []].append(place) }
            for bucket in buckets.values { join(bucket, of: distinct, limit, &groups) }
        }
        return groups
    }

    private func join(_ bucket: [Int], of entries: [(index: Int, hash: PerceptualHash)], _ limit: Int, _ groups: inout Groups) {
        for (place, first) in bucket.enumerated() {
            for second in bucket[(place + 1)...] {
                let a = entries[first], b = entries[second]
                guard (a.hash.bits ^ b.hash.bits).nonzeroBitCount <= limit, a.hash.colourDistance(to: b.hash) <= colours else { continue }
                groups.join(a.index, b.index)
            }
        }
    }

    /// - Parameter embeddings: f32 `[pictures, width]`, of any length.
    func groups(embeddings: Tensor) throws(DataError) -> Groups {
        guard embeddings.rank == 2, embeddings.dtype.isFloatingPoint else {
            throw DataError(
                "embeddings", "a floating-point matrix [pictures, width] is expected, found \(embeddings.dtype) \(embeddings.shape)")
        }
        let count = embeddings.shape[0], width = embeddings.shape[1]
        var groups = Groups(count: count)
        let rows = try unit(embeddings.asType(.f32), count, width)
        let block = 512
        do throws(TensorError) {
            for start in stride(from: 0, to: count, by: block) {
                let end = min(start + block, count)
                // Only pairs with what comes behind: `[rows, rest]`.
                let products = try rows.sliced(0, start..<end).matmul(rows.sliced(0, start..<count).transposed())
                products.withElements(Float.self) { values in
                    for row in 0..<end - start {
                        for column in (row + 1)..<max(count - start, row + 1) where Double(values[row * (count - start) + column]) >= cosine
                        {
                            groups.join(start + row, start + column)
                        }
                    }
                }
            }
        } catch {
            throw DataError("embeddings", "\(error)")
        }
        return groups
    }

    private func unit(_ embeddings: Tensor, _ count: Int, _ width: Int) throws(DataError) -> Tensor {
        var values = embeddings.floats()
        for row in 0..<count {
            let range = row * width..<(row + 1) * width
            let norm = values[range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            guard norm.isFinite, norm > 0 else { throw DataError("embeddings", "row \(row) has the length \(norm)") }
            for place in range { values[place] = Float(Double(values[place]) / norm) }
        }
        return Tensor.makeFloats([count, width]) { $0.update(from: values, count: values.count) }
    }
}

/// Disjoint sets over `0..<count`.
struct Groups {
    private var parent: [Int]

    init(count: Int) { parent = Array(0..<count) }

    mutating func root(_ index: Int) -> Int {
        var place = index
        while parent[place] != place {
            parent[place] = parent[parent[place]]
            place = parent[place]
        }
        return place
    }

    mutating func join(_ first: Int, _ second: Int) {
        let a = root(first), b = root(second)
        // The smaller index stays the root, so that the result doesn't depend on the order of joining.
        if a != b { parent[max(a, b)] = min(a, b) }
    }

    /// Members of each set, sets and members in increasing order.
    mutating func members() -> [[Int]] {
        var places: [Int: Int] = [:], all: [[Int]] = []
        for index in parent.indices {
            let root = root(index)
            if let place = places[root] {
                all[place].append(index)
            } else {
                places[root] = all.count
                all.append([index])
            }
        }
        return all
    }
}
