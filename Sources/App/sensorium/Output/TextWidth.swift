/// Columns that text takes on a terminal.
enum TextWidth {
    /// Chinese, Japanese, Korean and emoji take two columns, combining marks none (Unicode TR11, the wide and full-width blocks).
    static func of(_ text: some StringProtocol) -> Int { text.reduce(0) { $0 + of($1) } }

    static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F9FF,
            0x20000...0x3FFFD:
            return 2
        default:
            return scalar.properties.generalCategory == .nonspacingMark ? 0 : 1
        }
    }

    /// Cut to `columns`, with an ellipsis where something is left out.
    static func cut(_ text: String, to columns: Int) -> String {
        guard of(text) > columns else { return text }
        var (kept, used) = ("", 0)
        for character in text {
            used += of(character)
            if used > columns - 1 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// The end of a text, which of a path says the most.
    static func cutFront(_ text: String, to columns: Int) -> String {
        guard of(text) > columns else { return text }
        var (kept, used) = ([Character](), 0)
        for character in text.reversed() {
            used += of(character)
            if used > columns - 1 { break }
            kept.append(character)
        }
        return "…" + String(kept.reversed())
    }

    static func padded(_ text: String, to columns: Int) -> String { text + String(repeating: " ", count: max(0, columns - of(text))) }

    static func paddedFront(_ text: String, to columns: Int) -> String { String(repeating: " ", count: max(0, columns - of(text))) + text }

    /// Without characters that would move a terminal's cursor or change its state: names of files may hold anything.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        // Bidirectional overrides could show a name as another.
        scalar.properties.generalCategory == .control || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value)
    }
}

extension TextWidth {
    /// `printable` of each line.
    static func printableLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }.joined(separator: "\n")
    }
}
