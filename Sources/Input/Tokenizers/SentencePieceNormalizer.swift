/// SentencePiece's normalisation: the charsmap's longest rules, then its handling of spaces.
struct SentencePieceNormalizer: Sendable {
    private(set) var addsDummyPrefix = true
    private(set) var removesExtraSpaces = true
    private var escapesSpaces = true
    private var charsmapBytes: [UInt8] = []
    private var charsmap: Charsmap?
    private var spaceIsSuffix = false
    private var userDefined: ByteTrie?

    var hasCharsmap: Bool { !charsmapBytes.isEmpty || charsmap != nil }

    mutating func read(_ bytes: [UInt8], _ range: Range<Int>) throws(ProtobufReader.Malformed) {
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (2, .bytes(let range)): charsmapBytes = Array(bytes[range])
            case (3, .varint(let raw)): addsDummyPrefix = raw != 0
            case (4, .varint(let raw)): removesExtraSpaces = raw != 0
            case (5, .varint(let raw)): escapesSpaces = raw != 0
            default: break
            }
        }
    }

    mutating func prepare(spaceIsSuffix: Bool, userDefined: ByteTrie?, file: String) throws(TokenizerError) {
        self.spaceIsSuffix = spaceIsSuffix
        self.userDefined = userDefined
        guard !charsmapBytes.isEmpty else { return }
        guard let map = Charsmap(charsmapBytes) else {
            throw TokenizerError(file: file, field: "normalizer_spec.precompiled_charsmap", "the trie's size does not fit the data")
        }
        charsmap = map
        charsmapBytes = []
    }

    /// The normalised text and, for each of its bytes and its end, the original byte position.
    func apply(_ utf8: [UInt8]) -> (text: [UInt8], origins: [Int]) {
        var text: [UInt8] = []
        var origins: [Int] = []
        utf8.withUnsafeBufferPointer { bytes in
            var position = 0
            if removesExtraSpaces {
                while position < bytes.count {
                    let (rule, length) = prefix(bytes, position)
                    guard rule.elementsEqual(CollectionOfOne(32)) else { break }
                    position += length
                }
            }
            guard position < bytes.count else { return }
            let space: [UInt8] = escapesSpaces ? [0xE2, 0x96, 0x81] : [32]
            func put(_ bytes: some Sequence<UInt8>) {
                for byte in bytes {
                    text.append(byte)
                    origins.append(position)
                }
            }
            if !spaceIsSuffix, addsDummyPrefix { put(space) }
            var afterSpace = removesExtraSpaces
            while position < bytes.count {
                var (rule, length) = prefix(bytes, position)
                if afterSpace { rule = rule.drop { $0 == 32 } }
                for byte in rule { if byte == 32 { put(space) } else { put(CollectionOfOne(byte)) } }
                if let last = rule.last { afterSpace = last == 32 }
                if !removesExtraSpaces { afterSpace = false }
                position += max(length, 1)
                length = 0
            }
            if removesExtraSpaces {
                while text.count >= space.count, text[(text.count - space.count)...].elementsEqual(space) {
                    position = origins[text.count - space.count]
                    text.removeLast(space.count)
                    origins.removeLast(space.count)
                }
            }
            if spaceIsSuffix, addsDummyPrefix { put(space) }
            origins.append(position)
        }
        return (text, origins.isEmpty ? [0] : origins)
    }

    /// What stands for the text at `position` and how many bytes it stands for.
    private func prefix(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> (ArraySlice<UInt8>, Int) {
        if let symbol = userDefined?.longest(bytes, from: position, end: bytes.count) {
            return (Array(bytes[position..<symbol.end])[...], symbol.end - position)
        }
        if let rule = charsmap?.longest(bytes, position, bytes.count) { return (rule.replacement, rule.length) }
        let length = min(UTF8Text.length(leading: bytes[position]), bytes.count - position)
        return (Array(bytes[position..<position + length])[...], length)
    }
}
