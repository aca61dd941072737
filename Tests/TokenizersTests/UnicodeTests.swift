import Testing

import Tokenizers

@Suite("Unicode as the reference knows it")
struct UnicodeTests {
    @Test("every scalar through every normaliser")
    func scalars() throws {
        let bytes = try Golden.bytes("scalars.hashes")
        let expected = stride(from: 0, to: bytes.count, by: 8).map { start in
            (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[start + $1]) }
        }
        let normalizers: [(String, Normalizer)] = [
            ("NFC", .unicode(.nfc)), ("NFD", .unicode(.nfd)), ("NFKC", .unicode(.nfkc)), ("NFKD", .unicode(.nfkd)),
            ("Lowercase", .lowercase),
            ("Bert", .bert(cleanText: true, chineseChars: true, stripAccents: true, lowercase: true)), ("StripAccents", .stripAccents),
            ("Nmt", .nmt),
        ]
        try #require(expected.count == normalizers.count * 272)
        for (row, (name, normalizer)) in normalizers.enumerated() {
            for block in 0..<272 {
                var hash = FNV()
                for scalar in UInt32(block * 4096)..<UInt32(block * 4096 + 4096) where !(0xD800..<0xE000).contains(scalar) {
                    var bytes: [UInt8] = [0x61]
                    UTF8Text.append(scalar, to: &bytes)
                    var text = AlignedText(bytes + [0x62])
                    normalizer.apply(to: &text)
                    for byte in text.slice { hash.add(byte) }
                }
                #expect(hash.value == expected[row * 272 + block], "\(name), scalars from \(block * 4096)")
            }
        }
    }

    @Test func brokenUTF8IsRepairedAsSwiftRepairsIt() {
        var state: UInt64 = 1
        for _ in 0..<2000 {
            let bytes = (0..<8).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return [0x61, 0x80, 0xBF, 0xC3, 0xE4, 0xED, 0xF0, 0xF4, 0xFF, 0xC0][Int(state >> 33) % 10]
            }
            let valid = String(validating: bytes, as: UTF8.self) != nil
            #expect(bytes.withUnsafeBufferPointer(UTF8Text.isValid) == valid)
            #expect(UTF8Text.repaired(bytes).withUnsafeBufferPointer(UTF8Text.isValid))
        }
    }
}

@Suite("Regular expressions")
struct RegexTests {
    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        let program = try RegexProgram(pattern)
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { RegexMatcher.matches(program, in: $0) }.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test(
        arguments: [
            ("a|ab", "ab", ["a"]), ("(?:ab|a)c", "abc ac", ["abc", "ac"]), ("a*", "baa", ["", "aa"]), ("a+?", "aaa", ["a", "a", "a"]),
            ("a{2,3}", "aaaaa", ["aaa", "aa"]), ("(?i:'LL|k)", "'ll'Ll\u{212A}", ["'ll", "'Ll", "\u{212A}"]),
            ("\\s+(?!\\S)|\\s+", "a   b", ["  ", " "]),
            ("[^\\r\\n\\p{L}]?\\p{L}+", "!ab cd", ["!ab", " cd"]), ("(?<=a)b", "ab b", ["b"]), ("(?<!a)b", "abb", ["b"]),
            ("\\bis\\b", "this is", ["is"]),
            ("[a-c\\]]+", "ab]d", ["ab]"]), ("(?>a+)ab", "aaab", []), ("a++b", "aab", ["aab"]), ("^b$", "a\nb\nc", ["b"]),
            ("\\u4e2d|\\x41", "中A", ["中", "A"]),
            ("(?:a|b)*c", "ababc", ["ababc"]), ("(?:ab){2}", "ababab", ["abab"]), ("[\\p{Han}&&x]", "", []), ("(?=ab)a", "ac ab", ["a"]),
            ("(?:x*)*y", "xxy", ["xxy"]),
        ] as [(String, String, [String])])
    func matching(pattern: String, text: String, expected: [String]) throws {
        if pattern.contains("&&") {
            #expect(throws: RegexParser.Failure.self) { try RegexProgram(pattern) }
        } else {
            #expect(try matches(pattern, text) == expected)
        }
    }

    @Test(arguments: [
        "(", ")", "[a", "a{2000}", "\\1", "*", "\\p{Nope}", "(?<name>a)", "[b-a]", "\\", "(?<=ab)c", "[[a]]",
        String(repeating: "(", count: 100),
    ])
    func refused(pattern: String) {
        #expect(throws: RegexParser.Failure.self) { try RegexProgram(pattern) }
    }

    @Test(
        "patterns that explode elsewhere end here",
        arguments: ["(?:a*)*b", "(?:a|a)*b", "(?:a+)+(?!a)b", "a*a*a*a*a*a*b", "(?:(?:a?){50}a{50})+b"])
    func hostile(pattern: String) throws {
        #expect(try matches(pattern, String(repeating: "a", count: 60)) == [])
    }
}
