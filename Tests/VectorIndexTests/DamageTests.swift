import Foundation
import TestSupport
import Tensors
import Testing
import VectorIndex

/// An index after each of some changes: its files and what it held.
private struct History {
    var states: [(files: [String: [UInt8]], held: [Int64: [Float]])] = []

    init(_ folder: TemporaryFolder) throws {
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 3, metric: .innerProduct)
        var random = RandomGenerator(seed: 21), held: [Int64: [Float]] = [:]
        for step in 0..<6 {
            if step == 3 {
                try index.remove(ids: [1, 2])
                held[1] = nil
                held[2] = nil
            } else if step > 0 {
                let ids = (0..<4).map { Int64($0 + step) }, values = (0..<12).map { _ in random.normal() }
                try index.upsert(ids: ids, vectors: try Tensor(values, [4, 3]))
                for (place, id) in ids.enumerated() { held[id] = Array(values[place * 3..<place * 3 + 3]) }
            }
            states.append((try History.files(folder), held))
        }
    }

    static let names = ["manifest", "journal-1", "vectors-1"]

    static func files(_ folder: TemporaryFolder) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in names { files[name] = try folder.bytes("index/" + name) }
        return files
    }
}

private func restore(_ folder: TemporaryFolder, _ files: [String: [UInt8]]) throws {
    try? FileManager.default.removeItem(atPath: folder.file("copy"))
    try FileManager.default.createDirectory(atPath: folder.file("copy"), withIntermediateDirectories: true)
    for (name, bytes) in files { try folder.write(bytes, "copy/" + name) }
}

/// What an index holds, or nil if it is refused, when it is opened or when its vectors are read.
private func contents(_ folder: TemporaryFolder) -> [Int64: [Float]]? {
    do {
        let index = try LocalIndex.open(at: folder.file("copy")), ids = try index.ids()
        let rows = try index.vectors(ids: ids).vectors.floats()
        var held: [Int64: [Float]] = [:]
        for (place, id) in ids.enumerated() { held[id] = Array(rows[place * 3..<place * 3 + 3]) }
        try index.verify()
        return held
    } catch { return nil }
}

@Suite struct DamageTests {
    /// The maps of an open index reach beyond a file that another program cut off; touching them would end the process.
    @Test func aFileCutOffWhileItIsOpenIsRefused() throws {
        let folder = try TemporaryFolder()
        let index = try LocalIndex.create(at: folder.file("index"), dimension: 2048, metric: .innerProduct)
        let ids = (0..<16).map { Int64($0) }
        try index.upsert(ids: ids, vectors: Tensor.zeros([16, 2048]))
        #expect(truncate(folder.file("index/vectors-1"), 5000) == 0)
        #expect(throws: IndexError.self) { try index.search(Tensor.zeros([1, 2048]), k: 1) }
        #expect(throws: IndexError.self) { try index.vectors(ids: ids) }
        #expect(throws: IndexError.self) { try index.upsert(ids: [99], vectors: Tensor.zeros([1, 2048])) }
        #expect(throws: IndexError.self) { try index.compact() }
    }

    /// The files as a killed writer leaves them: the state before, with any part of what the next change writes, in its order.
    @Test func survivesAKilledWriter() throws {
        let folder = try TemporaryFolder(), history = try History(folder)
        for (before, after) in zip(history.states, history.states.dropFirst()) {
            func check(_ files: [String: [UInt8]], _ what: String) throws {
                try restore(folder, files)
                #expect(contents(folder) == before.held, "\(what)")
                // The next writer goes on from there.
                let index = try LocalIndex.open(at: folder.file("copy"))
                try index.upsert(ids: [77], vectors: Tensor.ones([1, 3]))
                var expected = before.held
                expected[77] = [1, 1, 1]
                #expect(contents(folder) == expected, "\(what), then a change")
            }
            var files = before.files
            for name in ["vectors-1", "journal-1"] {
                let old = before.files[name]!, new = after.files[name]!
                for size in old.count...new.count where (size - old.count) % 5 == 0 || size == new.count {
                    files[name] = Array(new[..<size])
                    try check(files, "\(name) up to \(size) of \(old.count)...\(new.count)")
                    if size > old.count {
                        files[name] = old + [UInt8](repeating: 0, count: size - old.count)
                        try check(files, "\(name) with \(size - old.count) bytes that were never written")
                    }
                }
                files[name] = new
            }
            // The write of the commit block, cut off within: the change may count or not, but nothing else.
            let old = before.files["manifest"]!, new = after.files["manifest"]!
            let changed = old.indices.filter { old[$0] != new[$0] }
            for cut in stride(from: changed[0], through: changed.last!, by: 3) {
                files["manifest"] = Array(new[..<cut] + old[cut...])
                try restore(folder, files)
                let held = try #require(contents(folder), "manifest cut at \(cut)")
                #expect(held == before.held || held == after.held)
                let index = try LocalIndex.open(at: folder.file("copy"))
                for _ in 0..<2 { try index.remove(ids: Array(held.keys.prefix(1))) }
                #expect(index.count == max(held.count - 1, 0))
                #expect(contents(folder) != nil)
            }
        }
    }

    /// Every byte of every file, altered: refused, or what was held is there unchanged.
    @Test func noticesAlteredBytes() throws {
        let folder = try TemporaryFolder(), history = try History(folder), last = history.states.last!
        var refused = 0, tried = 0
        for name in History.names {
            let bytes = last.files[name]!
            let places = name == "vectors-1" ? Array(0..<32) + Array(stride(from: 4090, to: bytes.count, by: 1)) : Array(bytes.indices)
            for place in places {
                var files = last.files
                files[name]![place] ^= 1 << UInt8(place % 8)
                try restore(folder, files)
                let held = contents(folder)
                tried += 1
                if held == nil { refused += 1 }
                #expect(held == nil || (name == "manifest" && place >= 512 && held == last.held), "\(name) at \(place)")
            }
        }
        #expect(refused >= tried - 1024)
    }

    @Test func noticesShortenedFiles() throws {
        let folder = try TemporaryFolder(), history = try History(folder), last = history.states.last!
        for name in History.names {
            for size in 0..<last.files[name]!.count where name != "vectors-1" || size % 7 == 0 || size > 4090 {
                var files = last.files
                files[name]!.removeLast(files[name]!.count - size)
                try restore(folder, files)
                #expect(throws: IndexError.self, "\(name) of \(size) bytes") { try LocalIndex.open(at: folder.file("copy")) }
            }
            var files = last.files
            files[name] = nil
            try restore(folder, files)
            #expect(throws: IndexError.self, "without \(name)") { try LocalIndex.open(at: folder.file("copy")) }
        }
    }

    @Test func searchRefusesAlteredVectors() throws {
        let folder = try TemporaryFolder(), history = try History(folder), last = history.states.last!
        var files = last.files
        files["vectors-1"]![4096 + 5 * 12] ^= 0x40
        try restore(folder, files)
        let index = try LocalIndex.open(at: folder.file("copy"))
        let error = #expect(throws: IndexError.self) { try index.search(Tensor.ones([1, 3]), k: 2) }
        guard case let .corrupt(file, offset, _, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(file.hasSuffix("vectors-1") && offset == 4096 + 5 * 12)
        #expect(throws: IndexError.self) { try index.verify() }
    }

    /// A writer killed during a compaction: the old state counts, and its leftovers go with the next change.
    @Test func survivesAKilledCompaction() throws {
        let folder = try TemporaryFolder(), history = try History(folder), last = history.states.last!
        var files = last.files
        files["vectors-2"] = [1, 2, 3]
        files["journal-2"] = []
        files["manifest.new"] = [9]
        files["codes-7"] = [1]
        try restore(folder, files)
        #expect(contents(folder) == last.held)
        try LocalIndex.open(at: folder.file("copy")).remove(ids: [4])
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("copy"))
        #expect(names.sorted() == ["journal-1", "lock", "manifest", "vectors-1"])
    }

    /// A file that may not grow (as on a full disk): an error, and the index is as it was.
    @Test func aFailedWriteChangesNothing() throws {
        let folder = try TemporaryFolder(), history = try History(folder), last = history.states.last!
        try restore(folder, last.files)
        let index = try LocalIndex.open(at: folder.file("copy"))
        try FileManager.default.removeItem(atPath: folder.file("copy/journal-1"))
        #expect(throws: IndexError.self) { try index.upsert(ids: [500], vectors: Tensor.ones([1, 3])) }
        try folder.write(last.files["journal-1"]!, "copy/journal-1")
        #expect(contents(folder) == last.held)
        #expect(try folder.bytes("copy/vectors-1") == last.files["vectors-1"]!)
    }

    @Test func refusesFoldersThatAreNoIndex() throws {
        let folder = try TemporaryFolder()
        #expect(throws: IndexError.self) { try LocalIndex.open(at: folder.file("nowhere")) }
        #expect(throws: IndexError.self) { try LocalIndex.create(at: folder.file("a"), dimension: 0, metric: .l2) }
        #expect(throws: IndexError.self) { try LocalIndex.create(at: folder.file("a"), dimension: 1 << 20, metric: .l2) }
        _ = try LocalIndex.create(at: folder.file("a"), dimension: 4, metric: .l2)
        #expect(throws: IndexError.self) { try LocalIndex.create(at: folder.file("a"), dimension: 4, metric: .l2) }
        try folder.write([], "file")
        #expect(throws: IndexError.self) { try LocalIndex.create(at: folder.file("file/x"), dimension: 4, metric: .l2) }
    }
}
