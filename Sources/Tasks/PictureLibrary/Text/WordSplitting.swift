import Foundation

/// Text as the full-text index holds it. SQLite's tokenizer takes a run of Chinese for one word, so every ideograph,
/// kana and Hangul syllable becomes a word of its own here, and queries ask for neighbouring characters as phrases.
enum WordSplitting {
    /// Longer texts are cut: a sidecar or a metadata field can hold anything.
    static let longestText = 100_000

    /// Text to store: compatibility forms unified (full-width letters become plain), characters simplified, ideographs apart.
    static func indexed(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in normalised(text).unicodeScalars {
            if isIdeographic(scalar) { result.append(contentsOf: [" ", scalar, " "]) } else { result.append(scalar) }
        }
        return String(result)
    }

    /// Words of a file or folder name: as it stands, and cut where `camelCase` and `digits12` change.
    static func indexedName(_ name: String) -> String {
        let plain = indexed(name)
        var cut = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in plain.unicodeScalars {
            if let previous, isBoundary(previous, scalar) { cut.append(" ") }
            cut.append(scalar)
            previous = scalar
        }
        let parts = String(cut)
        return parts == plain ? plain : plain + " " + parts
    }

    /// Text that was read, for finding any part of it: compatibility forms unified, characters simplified, lower case, and white space as
    /// single spaces, of which there is none between ideographs: where they stand far apart, they are read so.
    static func folded(_ text: String) -> String {
        var result = String.UnicodeScalarView(), waits = false
        for scalar in normalised(text).lowercased().unicodeScalars {
            if scalar.properties.isWhitespace || scalar.properties.generalCategory == .control {
                waits = true
                continue
            }
            if waits, let last = result.last, !(isIdeographic(last) && isIdeographic(scalar)) { result.append(" ") }
            waits = false
            result.append(scalar)
        }
        return String(result)
    }

    /// What a query asks for, word by word: a word of letters, or a run of ideographs.
    static func units(_ query: String) -> [Unit] {
        var units: [Unit] = []
        var letters = String.UnicodeScalarView()
        var run: [Unicode.Scalar] = []
        func flush() {
            if !letters.isEmpty { units.append(.word(String(letters))) }
            if !run.isEmpty { units.append(.ideographs(run)) }
            letters = .init()
            run = []
        }
        for scalar in normalised(String(query.prefix(2_000))).unicodeScalars {
            if isIdeographic(scalar) {
                if !letters.isEmpty { flush() }
                if particles.contains(scalar) { flush() } else { run.append(scalar) }
            } else if isWordPart(scalar) {
                if !run.isEmpty { flush() }
                letters.append(scalar)
            } else {
                flush()
            }
        }
        flush()
        let meaningful = units.filter { if case .word(let word) = $0 { !stopWords.contains(word.lowercased()) } else { true } }
        return Array((meaningful.isEmpty ? units : meaningful).prefix(64))
    }

    enum Unit: Equatable {
        case word(String)
        case ideographs([Unicode.Scalar])
    }

    static func isIdeographic(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x3040...0x30FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0x20000...0x3FFFD: true
        default: false
        }
    }

    /// Traditional characters become simplified ones, in texts and queries alike, so that either finds both.
    private static func normalised(_ text: String) -> String {
        let plain = String(text.prefix(longestText)).precomposedStringWithCompatibilityMapping
        guard plain.unicodeScalars.contains(where: isIdeographic) else { return plain }
        return plain.applyingTransform(StringTransform("Traditional-Simplified"), reverse: false) ?? plain
    }

    /// As `unicode61` sees it: letters, digits and what combines with them.
    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber,
            .otherNumber, .nonspacingMark, .spacingMark, .privateUse:
            true
        default: false
        }
    }

    private static func isBoundary(_ left: Unicode.Scalar, _ right: Unicode.Scalar) -> Bool {
        let (a, b) = (left.properties, right.properties)
        return (a.isLowercase && b.isUppercase) || (a.isAlphabetic && b.numericType != nil) || (a.numericType != nil && b.isAlphabetic)
    }

    /// Words that say nothing about a picture; they count only when there is no other.
    private static let stopWords: Set<String> = [
        "a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "or", "some", "that", "the", "their",
        "there", "this", "to", "with", "photo", "picture", "image",
    ]

    /// Chinese function characters: they part words and are written or left out at will.
    private static let particles: Set<Unicode.Scalar> = ["的", "了", "着", "和", "与", "在", "是", "之", "及"]
}
