// Builds an index of base.npy and answers queries.npy in the ways asked for; prints ids and seconds as JSON lines.
//
//     bench-vector-search FOLDER base.npy OUT.faiss  build, and write the vectors to OUT ("-": don't)
//     bench-vector-search FOLDER queries.npy K MODE [IDS]  MODE: exact, quantised, approximate; then reads
//                                                    "batch|single THREADS" lines and answers each with one line of JSON
//                                                    (single: the first 200 queries, one after the other). IDS: a file of 64-bit
//                                                    ids, the only ones that may be found
//     bench-vector-search FOLDER change.npy          adds the vectors under new ids, then removes them: seconds of each
//     bench-vector-search FOLDER compact             gives back the room of what was removed
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
    if out != "-" { try index.export(to: out) }
    print("{\"vectors\": \(index.count), \"seconds\": \(time), \"peak\": \(resident("VmHWM"))}")
}

/// Adds and removes again what is in a file, 1000 at a time as a program would.
func change(_ folder: String, _ path: String) throws {
    let reader = try VectorFileReader(path: path), index = try LocalIndex.open(at: folder), first: Int64 = 1 << 40
    let parts = stride(from: 0, to: reader.count, by: 1000).map { $0..<min($0 + 1000, reader.count) }
    let adding = try seconds {
        for part in parts { try index.upsert(ids: part.map { first + Int64($0) }, vectors: try reader.rows(part)) }
    }
    let removing = try seconds {
        for part in parts { try index.remove(ids: part.map { first + Int64($0) }) }
    }
    print("{\"vectors\": \(reader.count), \"adding\": \(adding), \"removing\": \(removing)}")
}

/// Bytes of this process's memory as the system counts them: VmRSS (now, mapped files included), RssAnon (its own), VmHWM (most).
func resident(_ field: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
}

/// 64-bit ids, one after the other.
func filter(_ path: String) throws -> IDSet {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    return bytes.withUnsafeBytes { bytes in
        IDSet((0..<bytes.count / 8).map { Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) })
    }
}

func answer(_ folder: String, _ path: String, _ k: Int, _ mode: String, _ ids: String?) throws {
    let reader = try VectorFileReader(path: path)
    let queries = try reader.rows(0..<reader.count)
    var index = try LocalIndex.open(at: folder)
    let opening = try seconds { index = try LocalIndex.open(at: folder) }
    let exactness: Exactness = mode == "quantised" ? .quantised : mode == "approximate" ? .approximate : .exact
    let filter = try ids.map(filter)
    let single = try (0..<min(reader.count, alone)).map { try queries.sliced(0, $0..<$0 + 1) }
    while let line = readLine() {
        let words = line.split(separator: " ")
        guard words.count == 2, let threads = Int(words[1]) else { break }
        ThreadPool.limit(to: threads)
        var hits: [[Hit]] = [], each: [Double] = []
        let time = try seconds {
            if words[0] == "batch" {
                hits = try index.search(queries, k: k, filter: filter, exactness: exactness)
            } else {
                for query in single {
                    each.append(try seconds { hits += try index.search(query, k: k, filter: filter, exactness: exactness) })
                }
            }
        }
        let memory = "\"resident\": \(resident("VmRSS")), \"own\": \(resident("RssAnon"))"
        let times = "\"open\": \(opening), \"seconds\": \(time), \"each\": \(each)"
        let found = "\"ids\": \(hits.map { $0.map(\.id) }), \"scores\": \(hits.map { $0.map(\.score) })"
        let answer = "{\(times), \(memory), \(found)}\n"
        try FileHandle.standardOutput.write(contentsOf: Data(answer.utf8))
    }
}

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.count {
    case 2 where arguments[1] == "compact": try LocalIndex.open(at: arguments[0]).compact()
    case 2: try change(arguments[0], arguments[1])
    case 3: try build(arguments[0], arguments[1], arguments[2])
    case 4, 5: try answer(arguments[0], arguments[1], Int(arguments[2]) ?? 10, arguments[3], arguments.count > 4 ? arguments[4] : nil)
    default:
        print("usage: bench-vector-search FOLDER base.npy OUT.faiss | FOLDER queries.npy K exact|quantised|approximate [IDS]")
        exit(2)
    }
} catch {
    try? FileHandle.standardError.write(contentsOf: Data("bench-vector-search: \(error)\n".utf8))
    exit(1)
}
