/// FTS5 expressions for a query in words. Only letters and digits of the query reach them, each in quotes,
/// so nothing that is typed can be taken for FTS5's syntax.
struct TextQuery: Equatable {
    /// Every word, and of Chinese every two neighbouring characters.
    var strict: String
    /// Any of them; whole runs count as well, so that bm25 puts them first.
    var loose: String
    /// Any single character of Chinese; only for when nothing else is found. Nil without Chinese.
    var characters: String?

    /// Nil when the query holds no words.
    init?(_ text: String) {
        let units = WordSplitting.units(text)
        guard !units.isEmpty else { return nil }
        strict = units.map(Self.strict).joined(separator: " AND ")
        loose = units.map(Self.loose).joined(separator: " OR ")
        let single = units.flatMap { unit -> [String] in
            if case .ideographs(let run) = unit, run.count > 1 { run.map { Self.phrase([$0]) } } else { [] }
        }
        characters = single.isEmpty ? nil : single.joined(separator: " OR ")
    }

    private static func strict(_ unit: WordSplitting.Unit) -> String {
        switch unit {
        case .word(let word): "\"\(word)\""
        case .ideographs(let run): "(" + pairs(run).joined(separator: " AND ") + ")"
        }
    }

    private static func loose(_ unit: WordSplitting.Unit) -> String {
        switch unit {
        case .word(let word): return "\"\(word)\""
        case .ideographs(let run):
            let whole = run.count > 2 ? [phrase(run)] : []
            return "(" + (whole + pairs(run)).joined(separator: " OR ") + ")"
        }
    }

    private static func pairs(_ run: [Unicode.Scalar]) -> [String] {
        run.count < 2 ? [phrase(run)] : zip(run, run.dropFirst()).map { phrase([$0, $1]) }
    }

    private static func phrase(_ characters: [Unicode.Scalar]) -> String {
        "\"" + characters.map(String.init).joined(separator: " ") + "\""
    }
}

extension QueryTerm {
    /// Nil for pictures and for text that holds no words.
    var textQuery: TextQuery? {
        guard case .words(let text) = subject else { return nil }
        return TextQuery(text)
    }
}
