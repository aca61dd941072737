import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

/// Writes GGUF bytes piece by piece, right or wrong.
struct GGUFBytes {
    var bytes: [UInt8] = []

    init(version: UInt32 = 3, tensors: UInt64, values: UInt64, letters: String = "GGUF") {
        bytes = Array(letters.utf8)
        add(version)
        add(tensors)
        add(values)
    }

    mutating func add(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    mutating func value(_ key: String, _ kind: UInt32, _ body: (inout GGUFBytes) -> Void) {
        add(key)
        add(kind)
        body(&self)
    }

    mutating func list(_ key: String, _ kind: UInt32, _ count: UInt64, _ body: (inout GGUFBytes) -> Void) {
        value(key, 9) {
            $0.add(kind)
            $0.add(count)
            body(&$0)
        }
    }

    /// `axes` as the file lists them, the fastest first.
    mutating func tensor(_ name: String, _ axes: [UInt64], _ type: UInt32, at offset: UInt64) {
        add(name)
        add(UInt32(axes.count))
        axes.forEach { add($0) }
        add(type)
        add(offset)
    }

    mutating func pad(to alignment: Int = 32) { while bytes.count % alignment != 0 { bytes.append(0) } }

    /// One value of every kind and tensors of several types.
    static func sample() -> [UInt8] {
        var file = GGUFBytes(tensors: 4, values: 16)
        file.value("general.architecture", 8) { $0.add("sample") }
        file.value("u8", 0) { $0.add(UInt8(200)) }
        file.value("i8", 1) { $0.add(Int8(-3)) }
        file.value("u16", 2) { $0.add(UInt16(60000)) }
        file.value("i16", 3) { $0.add(Int16(-300)) }
        file.value("u32", 4) { $0.add(UInt32(4_000_000_000)) }
        file.value("i32", 5) { $0.add(Int32(-70000)) }
        file.value("f32", 6) { $0.add(Float(0.5).bitPattern) }
        file.value("bool", 7) { $0.add(UInt8(1)) }
        file.value("u64", 10) { $0.add(UInt64.max) }
        file.value("i64", 11) { $0.add(Int64.min) }
        file.value("f64", 12) { $0.add(Double(-0.25).bitPattern) }
        file.list("words", 8, 2) {
            $0.add("one")
            $0.add("zwei")
        }
        file.list("numbers", 5, 3) { for number in [Int32(-1), 0, 7] { $0.add(number) } }
        file.list("fractions", 6, 2) { for number in [Float(0.5), 2] { $0.add(number.bitPattern) } }
        file.list("lists", 9, 1) {
            $0.add(UInt32(4))
            $0.add(UInt64(1))
            $0.add(UInt32(9))
        }
        file.tensor("plain", [3, 2], 0, at: 0)
        file.tensor("half", [4], 1, at: 32)
        file.tensor("blocks", [32, 2], 8, at: 64)
        file.tensor("future", [32], 99, at: 160)
        file.pad()
        for number in 0..<6 { file.add(Float(number).bitPattern) }
        file.pad()
        for number in [UInt16(0x3C00), 0x4000, 0xC000, 0x3800] { file.add(number) }
        file.pad()
        for row in 0..<2 {
            // A scale of 0.5 or 2, bytes -16 ... 15.
            file.add(UInt16(row == 0 ? 0x3800 : 0x4000))
            for number in -16..<16 { file.add(Int8(number)) }
        }
        file.pad()
        file.bytes += [UInt8](repeating: 7, count: 32)
        return file.bytes
    }
}

@Suite struct GGUFTests {
    private let scratch = try! Scratch()

    private func open(_ bytes: [UInt8]) throws -> GGUFFile { try GGUFFile(path: scratch.file("\(UUID().uuidString).gguf", bytes)) }

    @Test func everyKindOfValueAndTensor() throws {
        let path = try scratch.file("sample.gguf", GGUFBytes.sample())
        let file = try #require(try CheckpointFile.open(path) as? GGUFFile)
        let config = try file.config()
        #expect(try config.string("general.architecture") == "sample" && config.int("u8") == 200 && config.int("i8") == -3)
        #expect(try config.int("u16") == 60000 && config.int("i16") == -300 && config.int("i32") == -70000 && config.bool("bool"))
        #expect(try config.int("u32", in: 0...Int.max) == 4_000_000_000 && config.float("f32") == 0.5 && config.double("f64") == -0.25)
        #expect(try config.double("u64") == Double(UInt64.max) && config.int("i64", in: Int.min...0) == Int.min)
        #expect(try config.strings("words") == ["one", "zwei"] && config.ints("numbers") == [-1, 0, 7] && !config.has("lists"))
        #expect(try file.values["words"]?.list?.texts() == [Array("one".utf8), Array("zwei".utf8)])
        #expect(try file.values["numbers"]?.list?.ints() == [-1, 0, 7] && file.values["fractions"]?.list?.floats() == [0.5, 2])
        let notWhole = message { _ = try file.values["words"]?.list?.ints() }
        #expect(notWhole.contains("words: expected a list of whole numbers"), "\(notWhole)")
        let notTexts = message { _ = try file.values["numbers"]?.list?.texts() }
        #expect(notTexts.contains("expected a list of texts"), "\(notTexts)")
        #expect(file.metadata["words"] == "a list of 2" && file.metadata["i8"] == "-3")

        #expect(file.entries.map(\.name) == ["blocks", "future", "half", "plain"])
        #expect(file.entry("plain")?.shape == [2, 3] && file.entry("blocks")?.shape == [2, 32])
        #expect(try file.tensor("plain").floats() == [0, 1, 2, 3, 4, 5])
        #expect(try file.tensor("half").floats() == [1, 2, -2, 0.5])
        let wanted = (-16..<16).map { Float($0) * 0.5 } + (-16..<16).map { Float($0) * 2 }
        #expect(try file.tensor("blocks").floats() == wanted)
        #expect(message { _ = try file.tensor("future") }.contains("ggml type 99 is not supported"))
        #expect(message { _ = try file.tensor("plan") }.contains("near names: plain"))
    }

    @Test func storedRowsAreReadWhereTheyLie() throws {
        let file = try open(GGUFBytes.sample()), rows = try #require(try file.rows("blocks"))
        #expect(rows.format == .q8_0 && rows.rows == 2 && rows.columns == 32 && rows.rowBytes == 34 && rows.storage.isReadOnly)
        #expect(try rows.floats().floats() == file.tensor("blocks").floats())
        let some = try rows.gathered(Tensor([Int32(1), 0, 1], [3, 1]))
        #expect(some.shape == [3, 1, 32] && some.floats()[0] == -32 && some.floats()[32] == -8)
        for row in [Int32(2), -1] { #expect(throws: TensorError.self) { try rows.gathered(Tensor([row], [1])) } }
        #expect(try file.rows("half") == nil && file.rows("future") == nil && file.rows("plain")?.format == .f32)
        // A loader hands them on and counts them as used; what a rename changes has no rows.
        let loaded = try WeightLoader.load(
            from: file, renames: [.rename("blocks", to: "a.weight"), .transpose("plain")], ignoring: ["half", "future"], label: "rows"
        ) {
            weights in
            #expect(weights.storedRows("plain", [3, 2]) == nil && weights.storedRows("a.weight", [2, 33]) == nil)
            _ = weights.tensor("plain", [3, 2])
            return weights["a"].storedRows("weight", [2, 32])
        }
        #expect(loaded?.rows == 2)
    }

    static let refused: [(String, String, @Sendable () -> [UInt8])] = [
        ("letters", "begins with the letters", { GGUFBytes(tensors: 0, values: 0, letters: "GGUG").bytes }),
        ("old", "version 1 of GGUF", { GGUFBytes(version: 1, tensors: 0, values: 0).bytes }),
        ("big-endian", "big-endian", { GGUFBytes(version: 3 << 24, tensors: 0, values: 0).bytes }),
        ("counts", "can't lie in", { GGUFBytes(tensors: 1 << 40, values: 0).bytes }),
        ("huge counts", "too large for a length", { GGUFBytes(tensors: .max, values: .max).bytes }),
        ("cut", "bytes are expected", { Array(GGUFBytes.sample().prefix(300)) }),
        ("data cut", "reaches beyond", { Array(GGUFBytes.sample().dropLast(100)) }),
        ("kind", "no type of a value", { made { $0.value("a", 13) { $0.add(UInt64(0)) } } }),
        ("text length", "bytes are expected", { made { $0.value("a", 8) { $0.add(UInt64(1) << 62) } } }),
        ("list length", "can't lie in", { made { $0.list("a", 0, 1 << 60) { $0.add(UInt64(0)) } } }),
        ("texts", "can't lie in", { made { $0.list("a", 8, 1 << 20) { for _ in 0..<100 { $0.add("") } } } }),
        (
            "deep", "nested deeper",
            {
                made { file in
                    file.list("a", 9, 1) { inner in
                        for _ in 0..<5 { inner.add(UInt32(9)); inner.add(UInt64(1)) }; inner.bytes += [UInt8](repeating: 0, count: 64)
                    }
                }
            }
        ),
        (
            "twice", "stands there twice",
            {
                made(values: 2) {
                    $0.value("a", 0) { $0.add(UInt8(1)) }; $0.value("a", 0) { $0.add(UInt8(1)) }
                }
            }
        ),
        ("alignment", "general.alignment", { made { $0.value("general.alignment", 4) { $0.add(UInt32(48)) } } }),
        ("no alignment", "general.alignment", { made { $0.value("general.alignment", 8) { $0.add("32") } } }),
        ("axes", "axes", { tensors { $0.tensor("t", [UInt64](repeating: 1, count: 9), 0, at: 0) } }),
        ("shape", "too large", { tensors { $0.tensor("t", [1 << 40, 1 << 40], 0, at: 0) } }),
        ("negative", "too large", { tensors { $0.tensor("t", [.max], 0, at: 0) } }),
        ("beyond", "reaches beyond", { tensors { $0.tensor("t", [1 << 20], 0, at: 0) } }),
        ("offset", "reaches beyond", { tensors { $0.tensor("t", [4], 0, at: 1 << 40) } }),
        ("unaligned", "isn't a multiple", { tensors { $0.tensor("t", [4], 0, at: 4) } }),
        ("blocks", "no whole number", { tensors { $0.tensor("t", [31, 2], 8, at: 0) } }),
        (
            "names", "two tensors have one name",
            {
                tensors(2) {
                    $0.tensor("t", [4], 0, at: 0); $0.tensor("t", [4], 0, at: 32)
                }
            }
        ),
        (
            "overlap", "overlap",
            {
                tensors(2) {
                    $0.tensor("t", [16], 0, at: 0); $0.tensor("u", [4], 0, at: 32)
                }
            }
        ),
        ("long name", "a name of", { tensors { $0.tensor(String(repeating: "n", count: 5000), [4], 0, at: 0) } }),
    ]

    private static func made(values: UInt64 = 1, _ body: (inout GGUFBytes) -> Void) -> [UInt8] {
        var file = GGUFBytes(tensors: 0, values: values)
        body(&file)
        return file.bytes
    }

    private static func tensors(_ count: UInt64 = 1, _ body: (inout GGUFBytes) -> Void) -> [UInt8] {
        var file = GGUFBytes(tensors: count, values: 0)
        body(&file)
        file.pad()
        file.bytes += [UInt8](repeating: 0, count: 64)
        return file.bytes
    }

    @Test(arguments: refused.indices) func refuses(_ index: Int) {
        let (name, text, bytes) = Self.refused[index]
        let said = message { _ = try open(bytes()) }
        #expect(said.contains(text), "\(name): \(said)")
    }

    @Test func whatIsEmptyIsFine() throws {
        #expect(try open(GGUFBytes(version: 2, tensors: 0, values: 0).bytes).entries.isEmpty)
        let file = try open(
            Self.tensors(2) {
                $0.tensor("none", [0, 5], 0, at: 0); $0.tensor("scalar", [], 0, at: 0)
            })
        #expect(try file.tensor("none").shape == [5, 0] && file.tensor("scalar").floats() == [0])
    }

    /// Bytes changed, cut and doubled at random: refused or read, but nothing traps.
    @Test func damagedFilesDontTrap() throws {
        let whole = GGUFBytes.sample()
        var generator = RandomGenerator(seed: 4), refused = 0
        for round in 0..<3000 {
            var bytes = whole
            for _ in 0...generator.next() % 3 {
                let place = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80][Int(generator.next() % 4)]
                case 2: bytes.removeSubrange(place..<min(place + 5, bytes.count))
                default: bytes.insert(contentsOf: bytes[place..<min(place + 9, bytes.count)], at: place)
                }
            }
            let path = try scratch.file("round-\(round % 8).gguf", bytes)
            do {
                let file = try GGUFFile(path: path)
                _ = try file.config()
                for value in file.values.values { _ = try? value.list?.texts() }
                for entry in file.entries { _ = try file.tensor(entry.name).contiguous() }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 500)
    }
}
