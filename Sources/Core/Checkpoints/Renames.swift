import Tensors

/// How the names of a checkpoint become those of a model: data, not code. Rules apply in order, each to the names that the
/// rules before it left. In a pattern `*` stands for one or more characters without a dot and `**` for one or more of any;
/// the n-th star of a target is what the n-th star of the pattern matched.
public struct Renames: Sendable, Hashable, ExpressibleByArrayLiteral {
    public enum Rule: Sendable, Hashable {
        case rename(String, to: String)
        /// One tensor becomes several along an axis: equal parts, or parts of `sizes`.
        case split(String, into: [String], axis: Int = 0, sizes: [Int]? = nil)
        /// Several tensors become one along an axis. Later patterns take their stars from the first.
        case concatenate([String], into: String, axis: Int = 0)
        /// Axes in a new order; nil swaps the last two.
        case transpose(String, order: [Int]? = nil)
        /// The same elements under another shape; one dimension may be -1.
        case reshape(String, [Int])
        case drop(String)
    }

    public let rules: [Rule]

    public init(_ rules: [Rule]) { self.rules = rules }
    public init(arrayLiteral rules: Rule...) { self.rules = rules }

    public static let none = Renames([])

    /// Takes a leading component such as `module.` off every name that has it.
    public static func strippingPrefix(_ prefix: String) -> Renames { Renames([.rename(prefix + "**", to: "**")]) }

    public static func + (a: Renames, b: Renames) -> Renames { Renames(a.rules + b.rules) }
}

/// How a tensor is made from those of the source.
indirect enum Recipe: Sendable {
    case stored(String)
    case part(Recipe, axis: Int, index: Int, parts: Int, sizes: [Int]?)
    case joined([Recipe], axis: Int)
    case permuted(Recipe, order: [Int]?)
    case reshaped(Recipe, [Int])

    func tensor(from source: any TensorSource) throws(CheckpointError) -> Tensor {
        func attempt(_ body: () throws(TensorError) -> Tensor) throws(CheckpointError) -> Tensor {
            do { return try body() } catch { throw .operation(file: source.path, key: "tensor " + stored.joined(separator: ", "), error) }
        }
        switch self {
        case let .stored(name):
            return try source.tensor(name)
        case let .part(recipe, axis, index, parts, sizes):
            let whole = try recipe.tensor(from: source)
            return try attempt { () throws(TensorError) in try Self.part(of: whole, axis, index, parts, sizes) }
        case let .joined(recipes, axis):
            var tensors: [Tensor] = []
            for recipe in recipes { tensors.append(try recipe.tensor(from: source)) }
            return try attempt { () throws(TensorError) in try Tensor.concatenated(tensors, axis: axis) }
        case let .permuted(recipe, order):
            let tensor = try recipe.tensor(from: source)
            return try attempt { () throws(TensorError) in
                if let order { return try tensor.permuted(order) }
                return try tensor.transposed()
            }
        case let .reshaped(recipe, shape):
            let tensor = try recipe.tensor(from: source)
            return try attempt { () throws(TensorError) in try tensor.reshaped(shape) }
        }
    }

    private static func part(of whole: Tensor, _ axis: Int, _ index: Int, _ parts: Int, _ sizes: [Int]?) throws(TensorError) -> Tensor {
        let place = axis < 0 ? axis + whole.rank : axis
        guard place >= 0, place < whole.rank else { throw .index(operation: "split axis", value: axis, bound: whole.rank) }
        guard sizes?.count == parts || (sizes == nil && whole.shape[place] % parts == 0) else {
            throw .shape(operation: "split", shapes: [whole.shape], expected: "\(parts) equal parts along axis \(place)")
        }
        let lengths = sizes ?? [Int](repeating: whole.shape[place] / parts, count: parts)
        return try whole.split(place, sizes: lengths)[index]
    }

    /// The names it reads.
    var stored: [String] {
        switch self {
        case let .stored(name): [name]
        case let .part(recipe, _, _, _, _), let .permuted(recipe, _), let .reshaped(recipe, _): recipe.stored
        case let .joined(recipes, _): recipes.flatMap(\.stored)
        }
    }
}

extension Renames {
    /// The table of final names. Throws when two tensors would get one name.
    func table(of source: any TensorSource) throws(CheckpointError) -> [String: Recipe] {
        var table: [String: Recipe] = [:]
        table.reserveCapacity(source.entries.count)
        for entry in source.entries { table[entry.name] = .stored(entry.name) }
        for rule in rules { try Self.apply(rule, to: &table, source.path) }
        return table
    }

    private static func apply(_ rule: Rule, to table: inout [String: Recipe], _ path: String) throws(CheckpointError) {
        var changes: [(from: [String], into: [(String, Recipe)])] = []
        func collect(_ pattern: String, _ change: (_ name: String, _ recipe: Recipe, _ stars: [String]) -> [(String, Recipe)]) {
            let pattern = NamePattern(pattern)
            for (name, recipe) in table {
                if let stars = pattern.match(name) { changes.append(([name], change(name, recipe, stars))) }
            }
        }
        switch rule {
        case let .rename(pattern, target):
            let target = NamePattern(target)
            collect(pattern) { _, recipe, stars in [(target.filled(stars), recipe)] }
        case let .split(pattern, targets, axis, sizes):
            let filled = targets.map { NamePattern($0) }
            collect(pattern) { _, recipe, stars in
                filled.enumerated().map { index, target in
                    (target.filled(stars), .part(recipe, axis: axis, index: index, parts: targets.count, sizes: sizes))
                }
            }
        case let .concatenate(patterns, target, axis):
            changes = concatenations(patterns, target, axis, table)
        case let .transpose(pattern, order):
            collect(pattern) { name, recipe, _ in [(name, .permuted(recipe, order: order))] }
        case let .reshape(pattern, shape):
            collect(pattern) { name, recipe, _ in [(name, .reshaped(recipe, shape))] }
        case let .drop(pattern):
            collect(pattern) { _, _, _ in [] }
        }
        for change in changes { for name in change.from { table[name] = nil } }
        for change in changes {
            for (name, recipe) in change.into {
                guard table.updateValue(recipe, forKey: name) == nil else {
                    throw .malformed(
                        file: path, field: "tensor \(name)", offset: nil, problem: "two tensors would get this name by the rule \(rule)")
                }
            }
        }
    }

    /// Groups of which all members are there; an incomplete group stays as it is and is reported as missing and unused.
    private static func concatenations(
        _ patterns: [String], _ target: String, _ axis: Int, _ table: [String: Recipe]
    )
        -> [(from: [String], into: [(String, Recipe)])]
    {
        guard let first = patterns.first.map({ NamePattern($0) }) else { return [] }
        let rest = patterns.dropFirst().map { NamePattern($0) }, target = NamePattern(target)
        return table.keys.compactMap { name in
            guard let stars = first.match(name) else { return nil }
            let names = [name] + rest.map { $0.filled(stars) }
            let recipes = names.compactMap { table[$0] }
            return recipes.count == names.count ? (names, [(target.filled(stars), .joined(recipes, axis: axis))]) : nil
        }
    }
}
