import Tensors
import VectorIndex

/// What every `NearestNeighborIndex` must do, whatever it stores its vectors in. `make` gives an empty index of a dimension
/// and metric; `tolerance` is what a stored component may be off by. Returns what was wrong, in words: empty when all is well.
public func checkIndex(
    _ metric: Metric, tolerance: Float, dimensions: [Int] = [1, 3, 64, 77],
    make: (_ dimension: Int, _ metric: Metric) throws -> any NearestNeighborIndex
) throws -> [String] {
    var check = IndexCheck(metric: metric, tolerance: tolerance)
    for dimension in dimensions {
        check.dimension = dimension
        try check.changes(try make(dimension, metric))
        try check.searches(try make(dimension, metric))
        try check.refusals(try make(dimension, metric))
    }
    return check.failures
}

private struct IndexCheck {
    let metric: Metric
    let tolerance: Float
    var dimension = 0
    var failures: [String] = []
    var random = RandomGenerator(seed: 7)

    mutating func expect(_ condition: Bool, _ what: @autoclosure () -> String) {
        if !condition { failures.append("\(metric), dimension \(dimension): \(what())") }
    }

    mutating func rows(_ count: Int) -> [[Float]] {
        (0..<count).map { _ in (0..<dimension).map { _ in random.normal() } }
    }

    func tensor(_ rows: [[Float]]) throws -> Tensor { try Tensor(rows.flatMap { $0 }, [rows.count, dimension]) }

    func score(_ query: [Float], _ row: [Float]) -> Double {
        let dot = zip(query, row).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        func length(_ v: [Float]) -> Double { v.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
        switch metric {
        case .innerProduct: return dot
        case .cosine: return dot / max(length(query) * length(row), 1e-30)
        case .l2: return -zip(query, row).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
        }
    }

    mutating func changes(_ index: any NearestNeighborIndex) throws {
        expect(index.count == 0 && index.dimension == dimension && index.metric == metric, "a new index isn't empty")
        expect(try index.search(try tensor(rows(2)), k: 3, filter: nil) == [[], []], "an empty index finds something")
        let first = rows(10)
        try index.upsert(ids: Array(100..<110), vectors: try tensor(first))
        expect(try index.ids() == Array(100..<110), "ids after upsert")
        let second = rows(2)
        try index.upsert(ids: [105, -3], vectors: try tensor(second))
        expect(index.count == 11, "an id that was there was not replaced")
        let stored = try index.vectors(ids: [-3, 999, 105])
        expect(stored.ids == [-3, 105], "vectors of ids: \(stored.ids)")
        let expected = [second[1], second[0]].flatMap(direction)
        let worst = zip(stored.vectors.floats(), expected).map { abs($0 - $1) }.max() ?? .infinity
        expect(worst <= tolerance, "stored vectors are off by \(worst)")
        expect(try index.remove(ids: [100, 100, 101, 12345]) == 2, "number of removed ids")
        expect(try index.remove(ids: [100]) == 0, "a removed id is there")
        let before = try index.search(try tensor(first), k: 20, filter: nil)
        try index.compact()
        expect(try index.search(try tensor(first), k: 20, filter: nil) == before, "compaction changes answers")
        expect(try index.ids() == [-3] + Array(102..<110), "ids after removal and compaction")
        try index.upsert(ids: [100, 7, 7], vectors: try tensor(rows(2) + [second[0]]))
        expect(try index.ids() == [-3, 7, 100] + Array(102..<110), "ids after adding again")
        expect(try index.remove(ids: try index.ids()) == 11 && index.count == 0, "removing everything")
        expect(try index.search(try tensor(rows(1)), k: 3, filter: nil) == [[]], "removed vectors are found")
    }

    private func direction(_ row: [Float]) -> [Float] {
        guard metric == .cosine else { return row }
        let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / max(length, 1e-30) }
    }

    mutating func searches(_ index: any NearestNeighborIndex) throws {
        let data = rows(700)
        try index.upsert(ids: (0..<700).map { Int64($0 * 3 % 700) }, vectors: try tensor(data))
        var byID: [Int64: [Float]] = [:]
        for row in 0..<700 { byID[Int64(row * 3 % 700)] = data[row] }
        let queries = rows(9)
        let batch = try index.search(try tensor(queries), k: 10, filter: nil)
        expect(batch.count == 9, "one answer for each query")
        for (number, query) in queries.enumerated() {
            let single = try index.search(try tensor([query]), k: 10, filter: nil)
            expect(single == [batch[number]], "a query alone and among others answers differently")
            try compare(batch[number], query, byID, k: 10)
        }
        for filter in [IDSet(0..<50), IDSet([5, 6, 4000, 699]), IDSet((0..<600).reversed()), IDSet([])] {
            let hits = try index.search(try tensor(queries), k: 10, filter: filter)
            for (number, query) in queries.enumerated() { try compare(hits[number], query, byID.filter { filter.contains($0.key) }, k: 10) }
        }
        try index.upsert(ids: [1000, 1002, 1001], vectors: try tensor([data[0], data[0], data[0]]))
        let ties = try index.search(try tensor([data[0]]), k: 703, filter: IDSet([1000, 1001, 1002]))[0]
        expect(ties.map(\.id) == [1000, 1001, 1002], "equal scores come by smaller id")
        expect(try index.search(try tensor(queries), k: 5000, filter: nil).allSatisfy { $0.count == 703 }, "k above the number of vectors")
        expect(try index.search(try tensor(queries), k: 0, filter: nil).allSatisfy(\.isEmpty), "k of 0")
    }

    /// Hits against a plain computation in double: scores right, in order, and nothing left out that is better by more than
    /// rounding.
    private mutating func compare(_ hits: [Hit], _ query: [Float], _ rows: [Int64: [Float]], k: Int) throws {
        let truth = rows.map { (id: $0.key, score: score(query, $0.value)) }.sorted { $0.score > $1.score }
        expect(hits.count == min(k, rows.count), "\(hits.count) hits of \(rows.count) vectors")
        let slack = 1e-5 + 8 * Double(tolerance) * (1 + abs(truth.first?.score ?? 0))
        for (hit, best) in zip(hits, truth) {
            guard let row = rows[hit.id] else {
                expect(false, "id \(hit.id) isn't there or was filtered out")
                continue
            }
            let right = score(query, row)
            expect(abs(Double(hit.score) - right) <= slack, "score \(hit.score) of \(hit.id), expected \(right)")
            expect(abs(Double(hit.score) - best.score) <= slack, "\(hit.id) stands where \(best.id) belongs")
        }
        expect(zip(hits, hits.dropFirst()).allSatisfy { $0.score > $1.score || ($0.score == $1.score && $0.id < $1.id) }, "order of hits")
        expect(Set(hits.map(\.id)).count == hits.count, "an id twice")
    }

    mutating func refusals(_ index: any NearestNeighborIndex) throws {
        func refused(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch { return true }
        }
        let wide = Tensor.zeros([1, dimension + 1])
        var broken = rows(1)
        broken[0][0] = .nan
        let holed = try tensor(broken)
        expect(refused { try index.upsert(ids: [1], vectors: wide) }, "a vector of another dimension is taken")
        expect(refused { try index.upsert(ids: [1, 2], vectors: Tensor.zeros([1, dimension])) }, "fewer vectors than ids are taken")
        expect(refused { try index.upsert(ids: [1], vectors: holed) }, "NaN is taken")
        expect(refused { _ = try index.search(wide, k: 1, filter: nil) }, "a query of another dimension is taken")
        expect(refused { _ = try index.search(holed, k: 1, filter: nil) }, "a query of NaN is taken")
        expect(refused { _ = try index.search(Tensor.zeros([1, dimension]), k: -1, filter: nil) }, "a negative k is taken")
        expect(index.count == 0, "a refused change left something")
    }
}
