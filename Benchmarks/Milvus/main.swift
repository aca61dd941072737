// Times the local index and collections of a Milvus server on the same vectors, query by query in turn; prints JSON lines.
//
//     bench-milvus milvus://host:port COUNT...   for each number of vectors: 512 components, cosine, ten hits
import Foundation
import MilvusIndex
import Tensors
import VectorIndex

let dimension = 512, k = 10, queryCount = 100

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
}

/// Vectors in loose clusters, as embeddings of pictures lie.
func vectors(_ count: Int, _ random: inout RandomGenerator, _ centres: [[Float]]) throws -> Tensor {
    var values: [Float] = []
    values.reserveCapacity(count * dimension)
    for _ in 0..<count {
        let centre = centres[Int.random(in: 0..<centres.count, using: &random)]
        for place in 0..<dimension { values.append(centre[place] + random.normal()) }
    }
    return try Tensor(values, [count, dimension])
}

struct Candidate {
    var name: String
    var index: any NearestNeighborIndex
    var storing = 0.0
    var times: [String: [Double]] = [:]
    var found: [String: [[Int64]]] = [:]
}

func measure(_ server: String, _ count: Int) throws {
    var random = RandomGenerator(seed: 1)
    let centres = (0..<50).map { _ in (0..<dimension).map { _ in 0.7 * random.normal() } }
    let base = try vectors(count, &random, centres), queries = try vectors(queryCount, &random, centres), ids = Array(0..<Int64(count))
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bench-milvus-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func milvus(_ name: String, _ options: String) throws -> MilvusIndex {
        try MilvusIndex.openOrCreate(
            try MilvusAddress("\(server)/bench_\(name)_\(count)?timeout=300\(options)"), dimension: dimension, metric: .cosine)
    }
    var candidates = [
        Candidate(name: "local, exact", index: try LocalIndex.create(at: folder, dimension: dimension, metric: .cosine)),
        Candidate(name: "Milvus, flat", index: try milvus("flat", "")),
        Candidate(name: "Milvus, hnsw", index: try milvus("hnsw", "&index=hnsw")),
    ]
    for place in candidates.indices {
        candidates[place].storing = try seconds {
            for start in stride(from: 0, to: count, by: 4_096) {
                let rows = start..<min(count, start + 4_096)
                try candidates[place].index.upsert(ids: Array(ids[rows]), vectors: try base.sliced(0, rows))
            }
        }
    }
    candidates.insert(
        Candidate(name: "local, approximate", index: try LocalIndex.open(at: folder, exactness: .approximate)), at: 1)
    candidates.append(Candidate(name: "Milvus, flat, strong", index: try milvus("flat", "&consistency=strong")))
    let kept = IDSet(ids.filter { $0 % 100 == 7 })
    // Once without the clock, then in turn.
    for row in -1..<queryCount {
        let query = try queries.sliced(0, max(row, 0)..<max(row, 0) + 1)
        for place in candidates.indices {
            for (kind, filter) in [("all", nil), ("1 in 100", kept as IDSet?)] {
                var hits: [[Hit]] = []
                let time = try seconds { hits = try candidates[place].index.search(query, k: k, filter: filter) }
                guard row >= 0 else { continue }
                candidates[place].times[kind, default: []].append(time)
                candidates[place].found[kind, default: []].append(hits[0].map(\.id))
            }
        }
    }
    let truth = candidates[0].found
    for candidate in candidates {
        for (kind, times) in candidate.times.sorted(by: { $0.key > $1.key }) {
            let sorted = times.sorted()
            let right = zip(candidate.found[kind] ?? [], truth[kind] ?? []).reduce(0) { $0 + Set($1.0).intersection($1.1).count }
            print(
                """
                {"vectors": \(count), "index": "\(candidate.name)", "search": "\(kind)", "median": \(sorted[sorted.count / 2]), \
                "p95": \(sorted[sorted.count * 95 / 100]), "recall": \(Double(right) / Double(k * queryCount)), "storing": \(candidate.storing)}
                """)
        }
    }
    for case let index as MilvusIndex in candidates.dropLast().map(\.index) { try index.drop() }
}

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count >= 2 else {
    print("usage: bench-milvus milvus://host:port COUNT...")
    exit(2)
}
do {
    for count in arguments.dropFirst().compactMap({ Int($0) }) { try measure(arguments[0], count) }
} catch {
    try? FileHandle.standardError.write(contentsOf: Data("bench-milvus: \(error)\n".utf8))
    exit(1)
}
