/// Splits a `--where` expression into tokens, each with the place where it starts.
struct WhereLexer {
    enum Kind: Equatable {
        case word(String)
        case quoted(String)
        case symbol(String)
        case end
    }

    struct Token: Equatable {
        var kind: Kind
        var position: Int

        /// As it is named in messages.
        var shown: String {
            switch kind {
            case .word(let text), .symbol(let text): "\"\(text)\""
            case .quoted(let text): "the text \"\(text)\""
            case .end: "the end"
            }
        }

        func isKeyword(_ keyword: String) -> Bool {
            if case .word(let text) = kind { text.lowercased() == keyword } else { false }
        }
    }

    static let longestExpression = 10_000

    private let characters: [Character]
    private let source: String
    private var index = 0

    init(_ source: String) throws(WhereError) {
        guard source.utf8.count <= Self.longestExpression else {
            throw WhereError(
                expression: String(source.prefix(80)), position: 0, reason: "the filter is longer than \(Self.longestExpression) bytes")
        }
        self.source = source
        characters = Array(source)
    }

    mutating func tokens() throws(WhereError) -> [Token] {
        var tokens: [Token] = []
        while true {
            while index < characters.count, characters[index].isWhitespace { index += 1 }
            let start = index
            guard index < characters.count else {
                tokens.append(Token(kind: .end, position: start))
                return tokens
            }
            tokens.append(Token(kind: try next(), position: start))
        }
    }

    private mutating func next() throws(WhereError) -> Kind {
        let character = characters[index]
        if character == "\"" || character == "'" { return try quoted(by: character) }
        for symbol in ["<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")", ","] where matches(symbol) {
            index += symbol.count
            return .symbol(symbol == "==" ? "=" : symbol == "<>" ? "!=" : symbol)
        }
        guard Self.isWordPart(character) else {
            throw WhereError(
                expression: source, position: index, reason: "\"\(character)\" has no meaning in a filter; put texts in quotes")
        }
        let start = index
        while index < characters.count, Self.isWordPart(characters[index]) { index += 1 }
        return .word(String(characters[start..<index]))
    }

    private func matches(_ symbol: String) -> Bool {
        index + symbol.count <= characters.count && characters[index..<(index + symbol.count)].elementsEqual(symbol)
    }

    /// A doubled quote stands for one, as in SQL.
    private mutating func quoted(by quote: Character) throws(WhereError) -> Kind {
        let start = index
        var text = ""
        index += 1
        while index < characters.count {
            if characters[index] == quote {
                index += 1
                guard index < characters.count, characters[index] == quote else { return .quoted(text) }
            }
            text.append(characters[index])
            index += 1
        }
        throw WhereError(expression: source, position: start, reason: "this quote isn't closed")
    }

    /// Bare words hold what numbers, dates, paths and names need, so that few values want quotes.
    private static func isWordPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "_-+.:/%*~@#".contains(character)
    }
}
