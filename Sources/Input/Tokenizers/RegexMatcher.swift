/// Leftmost, first-alternative matching by backtracking over a `RegexProgram`.
///
/// Backtracking is quick on the patterns that tokenizers use. When a match takes more steps than such patterns ever need,
/// it starts again with a note of every (instruction, position) already tried, which bounds it by their product whatever
/// the pattern and the text.
package struct RegexMatcher {
    private struct Choice {
        var instruction: Int
        var position: Int
        /// The end to which a run may still shrink, or -1; where it grows, the number of scalars it may still take.
        var least: Int
        var grows: Bool
    }

    private let program: RegexProgram
    private let bytes: UnsafeBufferPointer<UInt8>
    private var choices: [Choice] = []
    private var steps = 0
    private var tried: Set<UInt64>?

    init(_ program: RegexProgram, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.program = program
        self.bytes = bytes
    }

    /// All matches as Oniguruma's iteration finds them: no empty match directly after a match.
    package static func matches(_ program: RegexProgram, in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        var matcher = RegexMatcher(program, bytes)
        var found: [Range<Int>] = []
        var start = 0
        var lastEnd = -1
        while start <= bytes.count {
            guard let match = matcher.search(from: start) else { break }
            if match.isEmpty, match.lowerBound == lastEnd {
                start += start < bytes.count ? UTF8Text.length(leading: bytes[start]) : 1
                continue
            }
            found.append(match)
            start = match.upperBound
            lastEnd = match.upperBound
        }
        return found
    }

    private mutating func search(from start: Int) -> Range<Int>? {
        var position = start
        while position <= bytes.count {
            if let end = match(at: position) { return position..<end }
            guard position < bytes.count else { return nil }
            position += UTF8Text.length(leading: bytes[position])
        }
        return nil
    }

    private mutating func match(at position: Int) -> Int? {
        steps = 4096 + 16 * min(bytes.count - position, 1 << 20)
        tried = nil
        choices.removeAll(keepingCapacity: true)
        let end = run(0, position)
        if end != Self.exhausted { return end < 0 ? nil : end }
        steps = Int.max
        tried = []
        choices.removeAll(keepingCapacity: true)
        let slow = run(0, position)
        tried = nil
        return slow < 0 ? nil : slow
    }

    private static let none = -1
    private static let exhausted = -2

    @inline(__always)
    private func scalar(at position: Int) -> (scalar: UInt32, length: Int) {
        UTF8Text.decode(bytes, at: position, end: bytes.count)
    }

    @inline(__always)
    private func accepts(_ set: Int, _ position: Int) -> Int {
        guard position < bytes.count else { return 0 }
        let (scalar, length) = scalar(at: position)
        return program.sets[set].contains(scalar) ? length : 0
    }

    /// The end of the match from an instruction on, `none`, or `exhausted` when the steps are used up.
    private mutating func run(_ first: Int, _ from: Int) -> Int {
        let floor = choices.count
        var instruction = first
        var position = from
        while true {
            steps -= 1
            if steps < 0 { return Self.exhausted }
            var failed = false
            if tried != nil, !tried!.insert(UInt64(instruction) << 40 | UInt64(position)).inserted {
                failed = true
            } else {
                switch program.instructions[instruction] {
                case .match:
                    choices.removeSubrange(floor...)
                    return position
                case .set(let set):
                    let length = accepts(set, position)
                    failed = length == 0
                    position += length
                    instruction += 1
                case .run(let set, let minimum, let maximum, let mode):
                    failed = !takeRun(set, minimum, maximum, mode, instruction, &position)
                    instruction += 1
                case .split(let preferred, let other):
                    choices.append(Choice(instruction: other, position: position, least: -1, grows: false))
                    instruction = preferred
                case .jump(let target): instruction = target
                case .look(let end, let negative):
                    let result = runApart(instruction + 1, position)
                    if result == Self.exhausted { return result }
                    failed = (result >= 0) == negative
                    instruction = end
                case .atomic(let end):
                    let result = runApart(instruction + 1, position)
                    if result == Self.exhausted { return result }
                    failed = result < 0
                    position = max(result, 0)
                    instruction = end
                case .lookBehind(let set, let negative):
                    failed = scalarBefore(position).map { program.sets[set].contains($0) } ?? false == negative
                    instruction += 1
                case .anchor(let anchor):
                    failed = !holds(anchor, position)
                    instruction += 1
                }
            }
            if failed {
                guard let choice = resume(floor) else { return Self.none }
                (instruction, position) = choice
            }
        }
    }

    /// Matches enclosed instructions; what was tried outside says nothing about them.
    private mutating func runApart(_ first: Int, _ from: Int) -> Int {
        guard let outer = tried else { return run(first, from) }
        tried = []
        defer { tried = outer }
        return run(first, from)
    }

    /// Takes the scalars of a run and leaves a choice for the other lengths it may have.
    @inline(__always)
    private mutating func takeRun(
        _ set: Int, _ minimum: Int, _ maximum: Int, _ mode: RegexParser.Mode, _ instruction: Int, _ position: inout Int
    ) -> Bool {
        var count = 0
        var least = position
        let wanted = mode == .lazy ? minimum : maximum
        while count < wanted {
            let length = accepts(set, position)
            if length == 0 { break }
            position += length
            count += 1
            if count == minimum { least = position }
        }
        steps -= count >> 3
        if count < minimum { return false }
        if mode == .greedy, position > least {
            choices.append(Choice(instruction: instruction + 1, position: position, least: least, grows: false))
        } else if mode == .lazy, count < maximum {
            choices.append(Choice(instruction: instruction, position: position, least: maximum - count, grows: true))
        }
        return true
    }

    /// Takes up the latest choice above `floor`.
    private mutating func resume(_ floor: Int) -> (Int, Int)? {
        while choices.count > floor {
            let last = choices.count - 1
            let choice = choices[last]
            if choice.grows, case .run(let set, _, _, _) = program.instructions[choice.instruction] {
                let length = choice.least > 0 ? accepts(set, choice.position) : 0
                guard length > 0 else {
                    choices.removeLast()
                    continue
                }
                choices[last].position += length
                choices[last].least -= 1
                return (choice.instruction + 1, choice.position + length)
            }
            guard choice.least >= 0 else {
                choices.removeLast()
                return (choice.instruction, choice.position)
            }
            var position = choice.position - 1
            while position > choice.least, bytes[position] & 0xC0 == 0x80 { position -= 1 }
            if position > choice.least { choices[last].position = position } else { choices.removeLast() }
            return (choice.instruction, position)
        }
        return nil
    }

    private func scalarBefore(_ position: Int) -> UInt32? {
        guard position > 0 else { return nil }
        var start = position - 1
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start).scalar
    }

    private func isWord(_ scalar: UInt32?) -> Bool { scalar.map { UnicodeProperties.has($0, UnicodeProperties.word) } ?? false }

    private func holds(_ anchor: RegexParser.Anchor, _ position: Int) -> Bool {
        switch anchor {
        case .textStart: position == 0
        case .textEnd: position == bytes.count
        case .textEndBeforeNewline: position == bytes.count || position + 1 == bytes.count && bytes[position] == 10
        case .lineStart: position == 0 || bytes[position - 1] == 10 && position < bytes.count
        case .lineEnd: position == bytes.count || bytes[position] == 10
        case .wordBoundary, .notWordBoundary:
            (isWord(scalarBefore(position)) != isWord(position < bytes.count ? scalar(at: position).scalar : nil))
                == (anchor == .wordBoundary)
        }
    }
}
