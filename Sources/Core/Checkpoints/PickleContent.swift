/// The tensors of an unpickled file by name: nested dictionaries and objects joined by dots.
struct PickleContent {
    private let table: PickleTable
    private let top: Int

    init(table: PickleTable, top: Int) {
        self.table = table
        self.top = top
    }

    struct Picked {
        let root: String
        let roots: [String]
        let tensors: [String: PickleTensor]
        let metadata: [String: String]
    }

    /// A walk visits no more places than this: a structure that names itself over and over would have no end.
    private static let maximumSteps = 4_000_000
    private static let maximumDepth = 48

    func pick(_ root: String?, usual: [String], file: String) throws(CheckpointError) -> Picked {
        var walk = Walk(table: table, file: file)
        let children = walk.children(of: top)
        let hasOwn = children.contains { if case .tensor = table[$0.index] { true } else { false } }
        // A state dictionary keeps dotted names at its top; the roots to choose from are dictionaries beside it.
        var roots: [String] = []
        for child in children where usual.contains(child.name) || !hasOwn {
            var probe = Walk(table: table, file: file)
            try probe.collect(child.index, "", depth: 0)
            if !probe.tensors.isEmpty { roots.append(child.name) }
        }
        var start = top, name = root ?? ""
        if root == nil, !hasOwn, let first = usual.first(where: { roots.contains($0) }), isDictionary(top) { name = first }
        for part in name.split(separator: ".") {
            guard let child = walk.children(of: start).first(where: { $0.name == part }) else {
                throw .absent(file: file, key: "dictionary \(name)", near: roots)
            }
            start = child.index
        }
        try walk.collect(start, "", depth: 0)
        let tensors = walk.tensors
        var notes: [String: String] = [:]
        for child in children.prefix(1000) {
            if let text = summary(child.index) { notes[child.name] = text }
        }
        return Picked(root: name, roots: roots, tensors: tensors, metadata: notes)
    }

    private func isDictionary(_ index: Int) -> Bool { if case .dict = table[index] { true } else { false } }

    private func summary(_ index: Int) -> String? {
        switch table[index] {
        case let .bool(value): "\(value)"
        case let .int(value): "\(value)"
        case let .float(value): "\(value)"
        case let .string(value): String(value.prefix(1000))
        default: nil
        }
    }

    private struct Walk {
        let table: PickleTable
        let file: String
        var tensors: [String: PickleTensor] = [:]
        var steps = 0

        func children(of index: Int) -> [(name: String, index: Int)] {
            var index = index
            // An object's attributes are those of its state; the bound is for a state that is the object itself.
            for _ in 0..<8 { if case let .object(_, state?) = table[index] { index = state } }
            return switch table[index] {
            case let .dict(items):
                items.compactMap { item in
                    (table.string(item.key) ?? table.int(item.key).map(String.init)).map { ($0, item.value) }
                }
            case let .list(members), let .tuple(members): members.enumerated().map { (String($0.offset), $0.element) }
            default: []
            }
        }

        mutating func collect(_ index: Int, _ name: String, depth: Int) throws(CheckpointError) {
            steps += 1
            guard steps < PickleContent.maximumSteps, depth < PickleContent.maximumDepth else {
                throw .malformed(
                    file: file, field: name.isEmpty ? "pickle" : String(name.prefix(200)), offset: nil,
                    problem: "its values nest without end")
            }
            if case let .tensor(tensor) = table[index] {
                guard tensors.updateValue(tensor, forKey: name.isEmpty ? "tensor" : name) == nil else {
                    throw .malformed(file: file, field: "tensor \(name)", offset: nil, problem: "the name stands there twice")
                }
                return
            }
            for child in children(of: index) {
                try collect(child.index, name.isEmpty ? child.name : name + "." + child.name, depth: depth + 1)
            }
        }
    }
}
