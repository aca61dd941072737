/// Names with braces, as shells and the braceexpand package write them: `{000..012}` and `{a,b}`, nested too.
enum BraceExpansion {
    static let most = 1_000_000

    struct Problem: Error, Equatable {
        let text: String
    }

    static func expand(_ pattern: String) throws(Problem) -> [String] {
        guard pattern.utf8.count <= 4_096 else { throw Problem(text: "names with braces may have 4096 bytes") }
        var results = [""]
        var rest = pattern[...]
        while let open = rest.firstIndex(of: "{"), let close = matching(rest, from: open) {
            let choices = try choices(rest[rest.index(after: open)..<close])
            guard results.count * choices.count <= most else { throw Problem(text: "more than \(most) names") }
            let before = rest[..<open]
            results = results.flatMap { start in choices.map { start + before + $0 } }
            rest = rest[rest.index(after: close)...]
        }
        return results.map { $0 + rest }
    }

    private static func matching(_ text: Substring, from open: Substring.Index) -> Substring.Index? {
        var depth = 0
        for index in text[open...].indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }

    private static func choices(_ body: Substring) throws(Problem) -> [String] {
        let ends = body.split(separator: ".", omittingEmptySubsequences: false)
        if ends.count == 3, ends[1].isEmpty, let range = try range(ends[0], ends[2]) { return range }
        var parts: [Substring] = [], depth = 0, start = body.startIndex
        for index in body.indices {
            switch body[index] {
            case "{": depth += 1
            case "}": depth -= 1
            case "," where depth == 0:
                parts.append(body[start..<index])
                start = body.index(after: index)
            default: break
            }
        }
        // `{word}` is no choice: it stays as it is.
        guard !parts.isEmpty else { return ["{\(body)}"] }
        parts.append(body[start...])
        var all: [String] = []
        for part in parts { all += try expand(String(part)) }
        guard all.count <= most else { throw Problem(text: "more than \(most) names") }
        return all
    }

    private static func range(_ first: Substring, _ last: Substring) throws(Problem) -> [String]? {
        guard let from = Int(first), let to = Int(last), from >= 0, to >= 0 else { return nil }
        guard from <= to, to - from < most else { throw Problem(text: "{\(first)..\(last)} is no range of at most \(most) names") }
        // Zeros in front say how many digits all of them have.
        let isPadded = [first, last].contains { $0.count > 1 && $0.hasPrefix("0") }
        let digits = isPadded ? max(first.count, last.count) : 0
        return (from...to).map { number in
            let text = String(number)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
    }
}
