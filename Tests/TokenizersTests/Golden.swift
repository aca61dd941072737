import Foundation
import Testing

import Tokenizers

/// The reference's answers, written by tools/reference/tokenizer_goldens.py.
enum Golden {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden")

    static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: folder.appendingPathComponent(name))) }

    /// 10,000 lines of mixed scripts, emoji, combining marks, control characters and hostile text.
    static let corpus: [String] = {
        guard let bytes = try? bytes("corpus.txt") else { return [] }
        let newline = Array("\u{240A}".utf8)
        return bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast().map { line in
            var text: [UInt8] = []
            var index = line.startIndex
            while index < line.endIndex {
                if line[index...].starts(with: newline) {
                    text.append(10)
                    index += newline.count
                } else {
                    text.append(line[index])
                    index += 1
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }()

    static func hashes(_ name: String) throws -> [UInt64] {
        let bytes = try bytes("\(name).hashes")
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[start + $1]) }
        }
    }

    /// Ids and offsets of the first lines in words.
    static func shown(_ name: String) throws -> [String] {
        String(decoding: try bytes("\(name).lines"), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    static func show(_ encoding: Encoding) -> String {
        zip(encoding.ids, encoding.offsets).map { "\($0):\($1.lowerBound)-\($1.upperBound)" }.joined(separator: " ")
    }
}

struct FNV {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }

    mutating func add(_ number: Int32) {
        for shift in stride(from: 0, to: 32, by: 8) { add(UInt8(truncatingIfNeeded: number >> Int32(shift))) }
    }

    static func hash(_ encoding: Encoding) -> UInt64 {
        var hash = FNV()
        for id in encoding.ids { hash.add(id) }
        for token in encoding.tokens {
            for byte in token.utf8 { hash.add(byte) }
            hash.add(0 as UInt8)
        }
        for range in encoding.offsets {
            hash.add(Int32(range.lowerBound))
            hash.add(Int32(range.upperBound))
        }
        for flag in encoding.specialTokensMask { hash.add(flag) }
        return hash.value
    }

    static func hash(_ text: String) -> UInt64 {
        var hash = FNV()
        for byte in text.utf8 { hash.add(byte) }
        return hash.value
    }
}

/// Compares every line of the corpus and reports the first that differs.
func expectEqual(_ tokenizer: Tokenizer, to name: String) throws {
    let expected = try Golden.hashes(name)
    let shown = try Golden.shown(name)
    let corpus = Golden.corpus
    try #require(corpus.count == 10_000 && expected.count == 12_000)
    var wrong: [Int] = []
    var wrongTexts: [Int] = []
    for (index, line) in corpus.enumerated() {
        let encoding = tokenizer.encode(line)
        if FNV.hash(encoding) != expected[index] { wrong.append(index) }
        if index < 2000, FNV.hash(tokenizer.decode(encoding.ids)) != expected[10_000 + index] { wrongTexts.append(index) }
    }
    if let first = wrong.first {
        let encoding = tokenizer.encode(corpus[first])
        Issue.record(
            """
            \(name): \(wrong.count) of \(corpus.count) lines differ: \(wrong.prefix(20)); first, line \(first + 1): \(corpus[first].debugDescription)
            expected \(first < shown.count ? shown[first] : "(only its hash is kept)")
            found    \(Golden.show(encoding))
            tokens   \(encoding.tokens)
            """)
    }
    if let first = wrongTexts.first {
        Issue.record(
            "\(name): \(wrongTexts.count) decoded lines differ: \(wrongTexts.prefix(20)); first, line \(first + 1): \(tokenizer.decode(tokenizer.encode(corpus[first]).ids).debugDescription)"
        )
    }
}
