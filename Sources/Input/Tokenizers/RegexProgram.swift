/// A regular expression compiled to a few kinds of instructions; run by `RegexMatcher`.
package struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        /// One scalar of a set.
        case set(Int)
        /// `minimum...maximum` scalars of a set.
        case run(Int, minimum: Int, maximum: Int, RegexParser.Mode)
        /// Try the first, then the second.
        case split(Int, Int)
        case jump(Int)
        /// The instructions up to `end` are matched on their own here, ending in `.match`.
        case look(end: Int, negative: Bool)
        case lookBehind(Int, negative: Bool)
        case atomic(end: Int)
        case anchor(RegexParser.Anchor)
        case match
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ScalarSet] = []

    /// - Throws: what is wrong with the pattern, in words.
    package init(_ pattern: String) throws(RegexParser.Failure) {
        try emit(RegexParser.parse(pattern))
        instructions.append(.match)
    }

    /// A pattern that matches `text` itself.
    static func literal(_ text: String) -> RegexProgram {
        var program = RegexProgram()
        for scalar in text.unicodeScalars { program.instructions.append(.set(program.add(ScalarSet(scalar.value)))) }
        program.instructions.append(.match)
        return program
    }

    private init() {}

    private mutating func add(_ set: ScalarSet) -> Int {
        sets.append(set)
        return sets.count - 1
    }

    private mutating func emit(_ node: RegexParser.Node) throws(RegexParser.Failure) {
        guard instructions.count < Limits.regexInstructions else { throw .init(reason: "the pattern is too large") }
        switch node {
        case .set(let set): instructions.append(.set(add(set)))
        case .sequence(let items): for item in items { try emit(item) }
        case .alternatives(let branches): try emit(branches)
        case .repetition(let body, let minimum, let maximum, let mode):
            if case .set(let set) = body {
                instructions.append(.run(add(set), minimum: minimum, maximum: maximum ?? Int.max, mode))
            } else {
                try emit(body, minimum, maximum, mode)
            }
        case .look(.set(let set), behind: true, let negative): instructions.append(.lookBehind(add(set), negative: negative))
        case .look(let body, _, let negative): try enclose(body) { .look(end: $0, negative: negative) }
        case .atomic(let body): try enclose(body) { .atomic(end: $0) }
        case .anchor(let anchor): instructions.append(.anchor(anchor))
        }
    }

    private mutating func enclose(_ body: RegexParser.Node, _ instruction: (Int) -> Instruction) throws(RegexParser.Failure) {
        let start = instructions.count
        instructions.append(.match)
        try emit(body)
        instructions.append(.match)
        instructions[start] = instruction(instructions.count)
    }

    private mutating func emit(_ branches: [RegexParser.Node]) throws(RegexParser.Failure) {
        var jumps: [Int] = []
        for (index, branch) in branches.enumerated() {
            let split = instructions.count
            if index + 1 < branches.count { instructions.append(.match) }
            try emit(branch)
            if index + 1 < branches.count {
                jumps.append(instructions.count)
                instructions.append(.match)
                instructions[split] = .split(split + 1, instructions.count)
            }
        }
        for jump in jumps { instructions[jump] = .jump(instructions.count) }
    }

    private mutating func emit(
        _ body: RegexParser.Node, _ minimum: Int, _ maximum: Int?, _ mode: RegexParser.Mode
    ) throws(RegexParser.Failure) {
        if mode == .possessive {
            return try emit(.atomic(.repetition(body, minimum: minimum, maximum: maximum, .greedy)))
        }
        for _ in 0..<minimum { try emit(body) }
        func choice(_ inside: Int, _ after: Int) -> Instruction { mode == .lazy ? .split(after, inside) : .split(inside, after) }
        if let maximum {
            var splits: [Int] = []
            for _ in minimum..<maximum {
                splits.append(instructions.count)
                instructions.append(.match)
                try emit(body)
            }
            for split in splits { instructions[split] = choice(split + 1, instructions.count) }
        } else {
            let split = instructions.count
            instructions.append(.match)
            try emit(body)
            instructions.append(.jump(split))
            instructions[split] = choice(split + 1, instructions.count)
        }
    }
}
