import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors
import TestSupport
import Testing

/// What a forward pass and a loaded model take of memory. Each in a process of its own: the counts are of the whole process.
@Suite struct MemoryTests {
    /// After a few passes every buffer and all scratch is there: for pictures, words and tokens, with weights as stored and in every
    /// kind of precision.
    @Test func aForwardPassAllocatesNothingOnceItHasRun() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            ThreadPool.limit(to: 1)
            let precisions: [WeightFormat?] = [nil, .int8, .q8_0, .q4_0, .q4_K, .f16, .bf16]
            try SteadyState.forEachPass(precisions) { name, pass in
                // The one copy that weights get after many passes has a test of its own, below.
                try Tensor.readingWeightsInPlace {
                    // A buffer that served a smaller tensor at first may be wanted by a larger one later.
                    for _ in 0..<4 { try pass() }
                    let before = BufferPool.systemAllocations
                    for _ in 0..<3 { try pass() }
                    let more = BufferPool.systemAllocations - before
                    return more == 0 ? nil : "\(name): \(more) bytes in 3 passes"
                }
            }
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    /// Which thread takes what part differs from pass to pass, so that its scratch may grow for a while, but it comes to an end.
    @Test func allThreadsReachASteadyState() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try SteadyState.forEachPass([nil, .int8]) { name, pass in
                var quiet = 0
                for _ in 0..<500 where quiet < 10 {
                    let before = BufferPool.systemAllocations
                    try pass()
                    quiet = BufferPool.systemAllocations == before ? quiet + 1 : 0
                }
                return quiet == 10 ? nil : "\(name): still allocating after 500 passes"
            }
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    /// Weights are read where the file's mapping has them: no copy is made, no page of it is written, so that processes share them. What
    /// many pictures have met lies packed in memory, and the file's pages are given back.
    @Test func weightsStayInTheirFile() async throws {
        defer { try? FileManager.default.removeItem(at: MappedWeights.folder(of: getpid())) }
        // Written by another process: what writing leaves behind would be room for a copy to hide in.
        await #expect(processExitsWith: .success) { try MappedWeights.write(to: MappedWeights.folder(of: getppid())) }
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let folder = MappedWeights.folder(of: getppid())
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent("model.safetensors").path)
            let bytes = try #require(attributes[.size] as? Int), before = MappedWeights.anonymous()
            let model = try Catalog.load(path: folder.path)
            let grown = MappedWeights.anonymous() - before
            let encoder = try #require(model.image)
            _ = try encoder.embed([encoder.prepare(Golden.picture("photo_160x120.png"))])
            let mapping = MappedWeights.mapping(of: folder.lastPathComponent)
            let told = "file \(bytes), anonymous +\(grown), resident \(mapping.resident), dirty \(mapping.dirty)"
            FileHandle.standardError.write(Data((told + "\n").utf8))
            guard bytes > 80 << 20, grown < bytes / 10 else { exit(2) }
            guard mapping.resident > bytes / 10 * 9 else { exit(3) }
            guard mapping.dirty == 0 else { exit(4) }
            let pictures = [Tensor](repeating: try encoder.prepare(Golden.picture("photo_160x120.png")), count: 4)
            for _ in 0..<3 { _ = try encoder.embed(pictures) }
            let after = MappedWeights.mapping(of: folder.lastPathComponent), packed = MappedWeights.anonymous() - before - grown
            FileHandle.standardError.write(Data("packed: anonymous +\(packed), resident \(after.resident), dirty \(after.dirty)\n".utf8))
            guard after.resident < bytes / 10, after.dirty == 0 else { exit(5) }
            guard packed > bytes / 10 * 9, packed < bytes / 2 * 3 else { exit(6) }
            ThreadPool.limit(to: 1)
            for _ in 0..<3 { _ = try encoder.embed(pictures) }
            let allocations = BufferPool.systemAllocations
            for _ in 0..<3 { _ = try encoder.embed(pictures) }
            guard BufferPool.systemAllocations == allocations else { exit(7) }
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }
}

enum SteadyState {
    /// Calls `measure` with every tower of every tiny checkpoint in every precision; ends the process where it finds a fault.
    static func forEachPass(_ precisions: [WeightFormat?], _ measure: (String, () throws -> Void) throws -> String?) throws {
        var faults: [String] = [], passes = 0
        for golden in try Golden.all(of: Catalog.all) {
            for precision in precisions {
                let model = try Catalog.load(path: golden.path, precision: precision)
                for (role, pass) in try towers(of: model, golden) {
                    passes += 1
                    if let fault = try measure("\(golden) \(role) \(precision?.rawValue ?? "as stored")", pass) { faults.append(fault) }
                }
            }
        }
        let told = faults + ["\(passes) towers, \(faults.count) faults"]
        FileHandle.standardError.write(Data((told.joined(separator: "\n") + "\n").utf8))
        guard faults.isEmpty, passes > 30 else { exit(2) }
    }

    private static func towers(of model: LoadedModel, _ golden: Golden) throws -> [(String, () throws -> Void)] {
        var towers: [(String, () throws -> Void)] = []
        if let encoder = model.image {
            let prepared = try golden.pictureNames.map { try encoder.prepare(Golden.picture($0)) }
            towers.append(("pictures", { _ = try encoder.embed(prepared) }))
        }
        if let reading = model.reading, golden.has("probabilities_input") {
            let pixels = try golden.tensor("probabilities_input"), lines = try golden.tensor("line_probabilities_input")
            towers.append(("text in pictures", { _ = try reading.detector.probabilities(pixels: pixels) }))
            towers.append(("lines", { _ = try reading.recognizer.logits(features: reading.recognizer.features(pixels: lines)) }))
        }
        if let encoder = model.text, golden.has("text_embeds") {
            let mask = golden.has("attention_mask") ? try golden.tensor("attention_mask") : nil
            let tokens = TokenBatch(ids: try golden.tensor("text_ids"), mask: mask)
            towers.append(("texts", { _ = try encoder.embed(tokens) }))
        }
        if let language = model.language, golden.has("token_logits") {
            let ids = try golden.tensor("token_ids")
            towers.append(("tokens", { _ = try language.logits(ids: ids) }))
        }
        return towers
    }
}

enum MappedWeights {
    static func folder(of process: pid_t) -> URL {
        FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-mapped-\(process)")
    }

    /// A checkpoint of DINOv2-small's size with made-up weights.
    static func write(to folder: URL) throws {
        let published = try #require(Catalog.all.flatMap(\.published).first { $0.name == "facebook/dinov2-small" })
        let family = try #require(Catalog.all.first { $0.published.contains { $0.name == published.name } })
        let config = try ConfigReader(text: published.config, file: "config.json")
        var shapes: [String: [Int]] = [:]
        do {
            _ = try family.load(ModelFolder(path: "empty", config: config, source: MadeUpSource(shapes: [:])))
        } catch let CheckpointError.mismatch(report) {
            for missing in report.missing { shapes[missing.name] = missing.shape }
        }
        let source = MadeUpSource(shapes: shapes)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try published.config.write(to: folder.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
        let file = folder.appendingPathComponent("model.safetensors").path
        try SafetensorsWriter.write(Dictionary(uniqueKeysWithValues: shapes.keys.map { ($0, try source.tensor($0)) }), to: file)
    }

    /// Bytes of memory that belongs to no file.
    static func anonymous() -> Int { field("RssAnon:", of: "/proc/self/status") }

    /// Resident and written bytes of the mapping whose path holds `name`.
    static func mapping(of name: String) -> (resident: Int, dirty: Int) {
        let lines = contents("/proc/self/smaps").split(separator: "\n")
        var sums = (resident: 0, dirty: 0), isOurs = false
        for line in lines {
            let words = line.split(separator: " ")
            // A mapping begins with its addresses; its fields follow.
            if let first = words.first, !first.hasSuffix(":") { isOurs = line.contains(name) }
            guard isOurs, words.count >= 2, let count = Int(words[1]) else { continue }
            if words[0] == "Rss:" { sums.resident += count << 10 }
            if words[0] == "Private_Dirty:" || words[0] == "Anonymous:" { sums.dirty += count << 10 }
        }
        return sums
    }

    private static func field(_ name: String, of path: String) -> Int {
        let lines = contents(path).split(separator: "\n")
        let words = lines.first { $0.hasPrefix(name) }?.split(whereSeparator: \.isWhitespace)
        return (words.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) << 10
    }

    /// The kernel gives such files in pieces and tells no size: Foundation would stop at the first.
    private static func contents(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
