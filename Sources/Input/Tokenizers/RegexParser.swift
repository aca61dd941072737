/// The part of Oniguruma's syntax that tokenizer files use: alternatives, groups (plain, `(?:)`, `(?i:)`, atomic), greedy,
/// lazy and possessive repetition, classes with ranges and `\p{...}`, look-ahead and single-scalar look-behind, anchors.
/// Back references, named groups and class intersections are refused.
package struct RegexParser {
    indirect enum Node {
        case set(ScalarSet)
        case sequence([Node])
        case alternatives([Node])
        case repetition(Node, minimum: Int, maximum: Int?, Mode)
        case look(Node, behind: Bool, negative: Bool)
        case atomic(Node)
        case anchor(Anchor)
    }

    enum Mode: Sendable { case greedy, lazy, possessive }

    enum Anchor: Sendable { case textStart, textEnd, textEndBeforeNewline, lineStart, lineEnd, wordBoundary, notWordBoundary }

    package struct Failure: Error { package let reason: String }

    private let pattern: [UInt32]
    private var position = 0
    private var foldsCase = false
    private var depth = 0

    private init(_ pattern: [UInt32]) { self.pattern = pattern }

    static func parse(_ pattern: String) throws(Failure) -> Node {
        var parser = RegexParser(pattern.unicodeScalars.map(\.value))
        let node = try parser.alternatives()
        guard parser.position == parser.pattern.count else { throw Failure(reason: "an unmatched ) at character \(parser.position)") }
        return node
    }

    private func failure(_ reason: String) -> Failure { Failure(reason: "\(reason) at character \(position)") }

    private func peek(_ offset: Int = 0) -> Character? {
        guard position + offset < pattern.count, let scalar = Unicode.Scalar(pattern[position + offset]) else { return nil }
        return Character(scalar)
    }

    private mutating func take(_ text: String) -> Bool {
        let scalars = text.unicodeScalars.map(\.value)
        guard pattern[position...].starts(with: scalars) else { return false }
        position += scalars.count
        return true
    }

    private mutating func next() throws(Failure) -> UInt32 {
        guard position < pattern.count else { throw failure("the pattern ends too early") }
        position += 1
        return pattern[position - 1]
    }

    private mutating func alternatives() throws(Failure) -> Node {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw failure("nested too deeply") }
        let outer = foldsCase
        defer { foldsCase = outer }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(Failure) -> Node {
        var items: [Node] = []
        while let character = peek(), character != "|", character != ")" {
            if let item = try repeated() { items.append(item) }
        }
        return items.count == 1 ? items[0] : .sequence(items)
    }

    /// One item with its repetitions; nil for `(?i)`, which only changes what follows.
    private mutating func repeated() throws(Failure) -> Node? {
        guard var node = try item() else { return nil }
        while let (minimum, maximum) = try quantifier() {
            let mode: Mode = take("?") ? .lazy : take("+") ? .possessive : .greedy
            node = .repetition(node, minimum: minimum, maximum: maximum, mode)
        }
        return node
    }

    private mutating func quantifier() throws(Failure) -> (Int, Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        guard peek() == "{", let closing = pattern[position...].firstIndex(of: UInt32(UInt8(ascii: "}"))) else { return nil }
        let body = String(String.UnicodeScalarView(pattern[(position + 1)..<closing].compactMap(Unicode.Scalar.init)))
        let bounds = body.split(separator: ",", omittingEmptySubsequences: false)
        guard bounds.count <= 2, body.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ",") }), body.contains(where: \.isNumber) else {
            return nil
        }
        position = closing + 1
        guard let minimum = Int(bounds[0].isEmpty ? "0" : bounds[0]) else { throw failure("a repetition count too large") }
        let maximum: Int? = bounds.count == 1 ? minimum : bounds[1].isEmpty ? nil : Int(bounds[1]) ?? Int.max
        guard minimum <= 1000, (maximum ?? minimum) <= 1000, (maximum ?? minimum) >= minimum else {
            throw failure("a repetition outside 0...1000")
        }
        return (minimum, maximum)
    }

    private func cased(_ set: ScalarSet) -> Node {
        guard foldsCase else { return .set(set) }
        var folded = set
        folded.foldCase()
        return .set(folded)
    }

    private mutating func item() throws(Failure) -> Node? {
        switch peek() {
        case "(": return try group()
        case "[": return try characterClass()
        case ".":
            position += 1
            var set = ScalarSet(10)
            set.negate()
            return .set(set)
        case "^":
            position += 1
            return .anchor(.lineStart)
        case "$":
            position += 1
            return .anchor(.lineEnd)
        case "\\": return try escaped()
        case "*", "+", "?": throw failure("nothing to repeat")
        default: return cased(ScalarSet(try next()))
        }
    }

    private mutating func group() throws(Failure) -> Node? {
        position += 1
        func closed(_ node: Node, _ parser: inout RegexParser) throws(Failure) -> Node {
            guard parser.take(")") else { throw parser.failure("a group without end") }
            return node
        }
        if take("?:") { return try closed(alternatives(), &self) }
        if take("?>") { return try closed(.atomic(alternatives()), &self) }
        if take("?=") { return try closed(.look(alternatives(), behind: false, negative: false), &self) }
        if take("?!") { return try closed(.look(alternatives(), behind: false, negative: true), &self) }
        for (opening, negative) in [("?<=", false), ("?<!", true)] where take(opening) {
            let body = try alternatives()
            guard case .set = body else { throw failure("look-behind of more than one character is not supported") }
            return try closed(.look(body, behind: true, negative: negative), &self)
        }
        if take("?i:") || take("?-i:") {
            let outer = foldsCase
            defer { foldsCase = outer }
            foldsCase = pattern[position - 3] != UInt32(UInt8(ascii: "-"))
            return try closed(alternatives(), &self)
        }
        if take("?i)") {
            foldsCase = true
            return nil
        }
        guard peek() != "?" else { throw failure("this kind of group is not supported") }
        return try closed(alternatives(), &self)
    }

    private mutating func escaped() throws(Failure) -> Node {
        switch peek(1) {
        case "A": return try anchor(.textStart)
        case "z": return try anchor(.textEnd)
        case "Z": return try anchor(.textEndBeforeNewline)
        case "b": return try anchor(.wordBoundary)
        case "B": return try anchor(.notWordBoundary)
        case let digit? where digit.isASCII && digit.isNumber && digit != "0": throw failure("back references are not supported")
        default:
            var set = ScalarSet()
            if let single = try escape(into: &set) { set.insert(single...single) }
            return cased(set)
        }
    }

    private mutating func anchor(_ anchor: Anchor) throws(Failure) -> Node {
        position += 2
        return .anchor(anchor)
    }

    /// Reads an escape. A single character is returned; a class goes into `set`.
    private mutating func escape(into set: inout ScalarSet) throws(Failure) -> UInt32? {
        position += 1
        let scalar = try next()
        let digits: UInt32 = 1 << 8
        switch Unicode.Scalar(scalar).map(Character.init) {
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "f": return 12
        case "v": return 11
        case "a": return 7
        case "e": return 27
        case "0": return 0
        case "s": set.insert(property: UnicodeProperties.whitespace, present: true)
        case "S": set.insert(property: UnicodeProperties.whitespace, present: false)
        case "w": set.insert(property: UnicodeProperties.word, present: true)
        case "W": set.insert(property: UnicodeProperties.word, present: false)
        case "d": set.insert(categories: digits)
        case "D": set.insert(categories: ScalarSet.allCategories & ~digits)
        case "h": for range: ClosedRange<UInt32> in [48...57, 65...70, 97...102] { set.insert(range) }
        case "p": try property(into: &set, negated: false)
        case "P": try property(into: &set, negated: true)
        case "x", "u": return try hexadecimal(isFour: scalar == UInt32(UInt8(ascii: "u")))
        default:
            guard !isLetterOrDigit(scalar) else { throw failure("an unknown escape") }
            return scalar
        }
        return nil
    }

    private func isLetterOrDigit(_ scalar: UInt32) -> Bool {
        scalar < 128 && (Character(Unicode.Scalar(UInt8(scalar))).isLetter || Character(Unicode.Scalar(UInt8(scalar))).isNumber)
    }

    private mutating func hexadecimal(isFour: Bool) throws(Failure) -> UInt32 {
        let braces = !isFour && take("{")
        var value: UInt32 = 0
        var count = 0
        while count < (braces ? 8 : isFour ? 4 : 2), position < pattern.count, pattern[position] < 128,
            let digit = JSONParser.hexadecimal(UInt8(pattern[position]))
        {
            value = value << 4 | UInt32(digit)
            count += 1
            position += 1
        }
        guard count > 0, !braces || take("}"), Unicode.Scalar(value) != nil else { throw failure("a malformed hexadecimal escape") }
        return value
    }

    private mutating func property(into set: inout ScalarSet, negated: Bool) throws(Failure) {
        var name = ""
        if take("{") {
            while let character = peek(), character != "}" {
                name.append(character)
                position += 1
            }
            guard take("}") else { throw failure("\\p{ without end") }
        } else {
            throw failure("\\p takes a name in braces")
        }
        let isNegated = negated != name.hasPrefix("^")
        let plain = name.drop { $0 == "^" }.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
        if let mask = Self.categoryMask(plain) {
            set.insert(categories: isNegated ? ScalarSet.allCategories & ~mask : mask)
        } else if let script = UnicodeTables.scripts.first(where: { $0.name.description == plain }) {
            var last: UInt32 = 0
            for range in UnicodeTableReader.ranges(script.runs) {
                if isNegated, range.lowerBound > last { set.insert(last...(range.lowerBound - 1)) }
                if !isNegated { set.insert(range) }
                last = range.upperBound + 1
            }
            if isNegated, last <= 0x10FFFF { set.insert(last...0x10FFFF) }
        } else {
            throw failure("the property \(name) is not supported")
        }
    }

    private static let longNames = [
        "letter": "l", "lowercaseletter": "ll", "uppercaseletter": "lu", "titlecaseletter": "lt", "modifierletter": "lm",
        "otherletter": "lo",
        "mark": "m", "nonspacingmark": "mn", "spacingmark": "mc", "enclosingmark": "me", "number": "n", "decimalnumber": "nd",
        "digit": "nd",
        "letternumber": "nl", "othernumber": "no", "punctuation": "p", "punct": "p", "symbol": "s", "separator": "z",
        "spaceseparator": "zs", "other": "c", "control": "cc", "format": "cf",
    ]

    /// Bits of the categories whose abbreviation starts with `name`, which is in lower case.
    private static func categoryMask(_ name: String) -> UInt32? {
        let short = longNames[name] ?? name
        guard short.count <= 2, !short.isEmpty else { return nil }
        var mask: UInt32 = 0
        for (index, category) in UnicodeProperties.categories.enumerated() where category.lowercased().hasPrefix(short) {
            mask |= 1 << UInt32(index)
        }
        return mask == 0 ? nil : mask
    }

    private static let posix: [(String, UInt32)] = [("alpha", 0b11111), ("digit", 1 << 8), ("upper", 1), ("lower", 2), ("cntrl", 1 << 25)]

    private mutating func characterClass() throws(Failure) -> Node {
        position += 1
        var set = ScalarSet()
        let negated = take("^")
        var isFirst = true
        while isFirst || peek() != "]" {
            guard position < pattern.count else { throw failure("a class without end") }
            isFirst = false
            if let (_, mask) = Self.posix.first(where: { take("[:\($0.0):]") }) {
                set.insert(categories: mask)
                continue
            }
            if take("[:space:]") {
                set.insert(property: UnicodeProperties.whitespace, present: true)
                continue
            }
            guard peek() != "[", !(peek() == "&" && peek(1) == "&") else { throw failure("nested classes and && are not supported") }
            guard let lower = try classScalar(&set) else { continue }
            guard peek() == "-", peek(1) != "]", peek(1) != nil else {
                set.insert(lower...lower)
                continue
            }
            position += 1
            guard let upper = try classScalar(&set), upper >= lower else { throw failure("a range that does not ascend") }
            set.insert(lower...upper)
        }
        position += 1
        if foldsCase { set.foldCase() }
        if negated { set.negate() }
        return .set(set)
    }

    private mutating func classScalar(_ set: inout ScalarSet) throws(Failure) -> UInt32? {
        if peek() == "\\" {
            if peek(1) == "b" {
                position += 2
                return 8
            }
            return try escape(into: &set)
        }
        return try next()
    }
}
