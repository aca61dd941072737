/// Text as metadata holds it: of any encoding, any length, with anything in it.
enum MetadataText {
    /// Longest text that is kept, in characters.
    static let longest = 4096
    /// Longest keyword and most of them.
    static let longestKeyword = 200, mostKeywords = 500

    /// UTF-8 where the bytes are, Latin-1 otherwise, without control characters and white space around; nil when nothing is left.
    static func clean(_ bytes: ArraySlice<UInt8>) -> String? {
        let text = String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        return clean(text)
    }

    static func clean(_ text: String) -> String? {
        var scalars = String.UnicodeScalarView()
        var pendingSpace = false
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            if isControl || scalar.properties.isWhitespace {
                pendingSpace = !scalars.isEmpty
                continue
            }
            if pendingSpace { scalars.append(" ") }
            pendingSpace = false
            scalars.append(scalar)
            if scalars.count >= longest { break }
        }
        return scalars.isEmpty ? nil : String(scalars)
    }

    /// Adds keywords in order, each once whatever its case.
    static func add(_ words: some Sequence<String>, to keywords: inout [String]) {
        var known = Set(keywords.map { $0.lowercased() })
        for word in words {
            guard keywords.count < mostKeywords else { return }
            guard let text = clean(word), text.unicodeScalars.count <= longestKeyword, known.insert(text.lowercased()).inserted else {
                continue
            }
            keywords.append(text)
        }
    }
}
