// Builds an index of base.npy and answers queries.npy in the ways asked for; prints ids and seconds as JSON lines.
//
//     bench-vector-search FOLDER base.npy OUT.faiss  build, and write the vectors to OUT
//     bench-vector-search FOLDER queries.npy K MODE  MODE: exact, quantised; then reads "batch|single THREADS" lines and
//                                                    answers each (single: the first 200 queries) with one line of JSON
import Foundation
import Tensors
import VectorIndex

/// Queries of a "single" run.
let alone = 200

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
}

func build(_ folder: String, _ base: String, _ out: String) throws {
    let reader = try VectorFileReader(path: base)
    let index = try LocalIndex.create(at: folder, dimension: reader.dimension, metric: .innerProduct)
    let time = try seconds { try index.importVectors(reader) }
    try index.export(to: out)
    print("{\"vectors\": \(index.count), \"seconds\": \(time)}")
}

func answer(_ folder: String, _ path: String, _ k: Int, _ mode: String) throws {
    let reader = try VectorFileReader(path: path)
    let queries = try reader.rows(0..<reader.count)
    var index = try LocalIndex.open(at: folder)
    let opening = try seconds { index = try LocalIndex.open(at: folder) }
    let exactness: Exactness = mode == "quantised" ? .quantised : .exact
    let single = try (0..<min(reader.count, alone)).map { try queries.sliced(0, $0..<$0 + 1) }
    while let line = readLine() {
        let words = line.split(separator: " ")
        guard words.count == 2, let threads = Int(words[1]) else { break }
        ThreadPool.limit(to: threads)
        var hits: [[Hit]] = []
        let time = try seconds {
            if words[0] == "batch" {
                hits = try index.search(queries, k: k, exactness: exactness)
            } else {
                for query in single { hits += try index.search(query, k: k, exactness: exactness) }
            }
        }
        let answer = "{\"open\": \(opening), \"seconds\": \(time), \"ids\": \(hits.map { $0.map(\.id) }), \"scores\": \(hits.map { $0.map(\.score) })}\n"
        try FileHandle.standardOutput.write(contentsOf: Data(answer.utf8))
    }
}

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.count {
    case 3: try build(arguments[0], arguments[1], arguments[2])
    case 4: try answer(arguments[0], arguments[1], Int(arguments[2]) ?? 10, arguments[3])
    default:
        print("usage: bench-vector-search FOLDER base.npy OUT.faiss | FOLDER queries.npy K exact|quantised")
        exit(2)
    }
} catch {
    try? FileHandle.standardError.write(contentsOf: Data("bench-vector-search: \(error)\n".utf8))
    exit(1)
}
