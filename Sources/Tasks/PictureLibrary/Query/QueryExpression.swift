import Imaging

/// One thing that is asked for, with its weight: negative takes it away.
public struct QueryTerm: Sendable, Equatable {
    public enum Subject: Sendable, Equatable {
        case words(String)
        /// Text that can be read in pictures, and nothing else that is known of them.
        case readText(String)
        case picture(FilePath)
        /// A picture that was handed over, or a part of one.
        case pixels(Picture)
        /// A vector of the active index's model, of any length but 0.
        case vector([Float])
    }

    public var subject: Subject
    public var weight: Double

    public init(_ subject: Subject, weight: Double = 1) {
        self.subject = subject
        self.weight = weight
    }
}

/// Reads the terms of a query from the arguments of a command line:
///
///     "a red bicycle"                       one term
///     a red bicycle                         the same: words with no sign between them belong together
///     "2: sunset" + beach.jpg - people      weights before a colon, pictures by their file, + and - as words of their own
///     "2: sunset + beach.jpg - people"      the same in one argument
///     "text: exit + dog"                    words that can be read in pictures
///
/// An argument that names a file is a picture. A sign counts only with white space on both sides, or before the argument.
public enum QueryExpression {
    public static let mostTerms = 64
    public static let largestWeight = 1_000.0

    /// - Parameters:
    ///   - images: Files that are pictures whatever their names look like (`--image`), each `[weight:]path`.
    ///   - isPicture: Whether an argument names a file.
    public static func parse(
        _ arguments: [String], images: [String] = [], isPicture: @escaping (String) -> Bool = isFile
    ) throws(LibraryError) -> [QueryTerm] {
        var reader = Reader(isPicture: isPicture)
        for argument in arguments { try reader.read(argument: argument) }
        try reader.end()
        for image in images {
            let (weight, path) = isPicture(image) ? (nil, image) : try splitWeight(image)
            guard !path.isEmpty else { throw .badQuery(reason: "an empty name for a picture") }
            reader.terms.append(QueryTerm(.picture(FilePath(path)), weight: weight ?? 1))
        }
        guard !reader.terms.isEmpty else { throw .badQuery(reason: "say what to look for: words, pictures or both") }
        guard reader.terms.count <= mostTerms else { throw .badQuery(reason: "\(reader.terms.count) terms; at most \(mostTerms)") }
        guard reader.terms.contains(where: { $0.weight > 0 }) else {
            throw .badQuery(reason: "every term is taken away; at least one must be asked for")
        }
        return reader.terms
    }

    /// Whether a file that isn't a folder has this name.
    public static func isFile(_ name: String) -> Bool {
        let path = FilePath(name)
        return !path.bytes.isEmpty && path.existsByName && !path.isFolder
    }

    /// `2: sunset` is 2 and `sunset`. A colon after anything but a number belongs to the words.
    static func splitWeight(_ text: String) throws(LibraryError) -> (weight: Double?, rest: String) {
        guard let colon = text.firstIndex(of: ":") else { return (nil, text) }
        let head = text[..<colon].trimmed
        guard !head.isEmpty, head.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let weight = Double(head) else {
            return (nil, text)
        }
        let rest = String(text[text.index(after: colon)...].trimmed)
        guard !rest.isEmpty else { throw .badQuery(reason: "nothing follows the weight \"\(head):\"") }
        guard weight > 0, weight <= largestWeight else {
            throw .badQuery(reason: "the weight \(head) isn't above 0 and at most \(Int(largestWeight))")
        }
        return (weight, rest)
    }

    private struct Reader {
        let isPicture: (String) -> Bool
        var terms: [QueryTerm] = []
        /// A sign that waits for its term.
        var sign: Double?
        /// Whether more words would belong to the last term.
        var joins = false

        init(isPicture: @escaping (String) -> Bool) {
            self.isPicture = isPicture
        }

        mutating func read(argument: String) throws(LibraryError) {
            if isPicture(argument) { return try add(String(argument)) }
            var words: [Substring] = []
            for word in argument.split(whereSeparator: \.isWhitespace) {
                if word == "+" || word == "-" || word == "−" {
                    try flush(&words)
                    guard sign == nil else { throw .badQuery(reason: "two signs follow one another") }
                    sign = word == "+" ? 1 : -1
                } else {
                    words.append(word)
                }
            }
            try flush(&words)
        }

        private mutating func flush(_ words: inout [Substring]) throws(LibraryError) {
            guard !words.isEmpty else { return }
            var text = words.joined(separator: " ")
            words = []
            // `+beach.jpg` and, after `--`, `-people`.
            if sign == nil, let first = text.first, first == "+" || first == "-", text.count > 1, !isPicture(text) {
                sign = first == "+" ? 1 : -1
                text.removeFirst()
            }
            try add(text)
        }

        private mutating func add(_ text: String) throws(LibraryError) {
            let (weight, rest) = isPicture(text) ? (nil, text) : try splitWeight(text)
            let picture = isPicture(rest)
            let read = picture ? nil : readText(rest)
            if !picture, read == nil, weight == nil, sign == nil, joins, let before = terms.last?.subject {
                switch before {
                case .words(let before): terms[terms.count - 1].subject = .words(before + " " + rest)
                case .readText(let before): terms[terms.count - 1].subject = .readText(before.isEmpty ? rest : before + " " + rest)
                default: break
                }
                return
            }
            let subject = picture ? QueryTerm.Subject.picture(FilePath(rest)) : read.map { .readText($0) } ?? .words(rest)
            terms.append(QueryTerm(subject, weight: (sign ?? 1) * (weight ?? 1)))
            joins = !picture
            sign = nil
        }

        /// What follows `text:`.
        private func readText(_ text: String) -> String? {
            for prefix in ["text:", "text："] where text.lowercased().hasPrefix(prefix) {
                return String(text.dropFirst(prefix.count).drop { $0.isWhitespace })
            }
            return nil
        }

        func end() throws(LibraryError) {
            if terms.contains(where: { $0.subject == .readText("") }) { throw .badQuery(reason: "nothing follows \"text:\"") }
            if sign != nil { throw .badQuery(reason: "nothing follows the last sign") }
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return start[...last]
    }
}
