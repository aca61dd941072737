import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

/// Files that must be refused, each with what its message must say.
@Suite struct RefusalTests {
    @Test(arguments: [
        ("evil_system.pt", "asks for posix.system at byte"), ("evil_eval.pt", "eval"), ("evil_inst.pt", "opcode 0x53"),
        ("bomb_memo.pt", "nest without end"), ("bomb_deep.pt", "nest without end"), ("bomb_self.pt", "nest without end"),
        ("bomb_length.pt", "2147483647 bytes are expected"), ("bomb_mark.pt", "no mark"), ("bomb_underflow.pt", "empty stack"),
        ("bomb_copies.pt", "copied without end"), ("bad_beyond.pt", "reach beyond the storage of 4"),
        ("bad_negative.pt", "aren't possible"),
        ("bad_huge.pt", "aren't possible"), ("bad_overflow.pt", "too large"), ("bad_zeros.pt", "aren't possible"),
        ("bad_rank.pt", "aren't possible"), ("objects.npy", "Python objects"), ("records.npy", "plain element type"),
        ("broken_overlap.safetensors", "overlap"), ("broken_beyond.safetensors", "outside the 16 bytes"),
        ("broken_size.safetensors", "doesn't take the 8 bytes"), ("broken_negative.safetensors", "negative"),
        ("broken_huge.safetensors", "too large"), ("broken_backwards.safetensors", "outside"), ("broken_length.safetensors", "format"),
        ("broken_truncated.safetensors", "more than the file's"), ("broken_twice.safetensors", "stands there twice"),
        ("broken_missing.safetensors", "is missing"), ("f8.safetensors", "F8_E4M3 is not supported"),
        ("bad_lies.pt", "reaches beyond the 4 elements"), ("bad_absent.pt", "archive/data/9"), ("bad_windows.pt", "overlapping windows"),
    ])
    func refuses(file: String, text: String) {
        let said = message { try Self.readAll(Fixture.path(file)) }
        #expect(said.contains(text), "\(said)")
        #expect(said.contains(file), "the message names the file: \(said)")
        #expect(!FileManager.default.fileExists(atPath: "/tmp/sensorium_was_here"))
    }

    @Test func aStateThatIsItsOwnObjectEnds() throws {
        #expect(try PyTorchFile(path: Fixture.path("bomb_object.pt")).entries.isEmpty)
    }

    @Test func safetensorsHeaderTooDeep() {
        #expect(message { _ = try SafetensorsFile(path: Fixture.path("broken_deep.safetensors")) }.contains("nested deeper than 8"))
    }

    static func readAll(_ path: String) throws {
        let source = try CheckpointFile.open(path)
        for entry in source.entries { _ = try source.tensor(entry.name).contiguous() }
    }
}

/// Every reader on thousands of damaged files: it may refuse or read, but not trap, hang or take memory beyond reason.
@Suite struct MutationTests {
    static let files = [
        "kinds.pt", "kinds_legacy.pt", "protocol4.pt", "nested.pt", "script.pt", "kinds.npz", "packed.npz", "fortran.npy",
        "kinds.safetensors",
        "small.onnx", "bad_zeros.pt", "broken_overlap.safetensors",
    ]

    @Test(arguments: files) func damagedFilesDoNotTrap(file: String) throws {
        let original = try Fixture.bytes(file), scratch = try Scratch()
        var generator = RandomGenerator(seed: file.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        var refused = 0
        for round in 0..<1000 {
            let path = try scratch.file("\(round)", Self.mutate(original, &generator))
            do { try RefusalTests.readAll(path) } catch is CheckpointError { refused += 1 }
            try FileManager.default.removeItem(atPath: path)
        }
        #expect(refused > 100, "damage is noticed: \(refused) of 1000")
    }

    private static func mutate(_ original: [UInt8], _ generator: inout RandomGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard !bytes.isEmpty else { break }
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[at] = .random(in: 0...255, using: &generator)
            case 2: bytes[at] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
            case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &generator)))
            case 4:
                let end = min(bytes.count, at + Int.random(in: 1...40, using: &generator))
                bytes.insert(contentsOf: Array(bytes[at..<end]), at: Int.random(in: 0...bytes.count, using: &generator))
            case 5: for i in at..<min(bytes.count, at + 8) { bytes[i] = 0xFF }
            case 6: bytes.insert(.random(in: 0...255, using: &generator), at: at)
            default: if Int.random(in: 0..<4, using: &generator) == 0 { bytes.removeSubrange(at...) }
            }
        }
        return bytes
    }

    @Test func damagedJSONDoesNotTrap() throws {
        let original = Array(#"{"a": [1, -2.5e-3, true, null, "x\u00e9\ud83d\ude00\n"], "b": {"c": {}}, "d": NaN}"#.utf8)
        var generator = RandomGenerator(seed: 11), refused = 0
        for _ in 0..<20_000 {
            let bytes = Self.mutate(original, &generator)
            bytes.withUnsafeBytes { raw in
                do { _ = try JSONValue.parse(raw, file: "damaged.json") } catch { refused += 1 }
            }
        }
        #expect(refused > 1000)
    }
}
