import Tensors

/// A place in a checkpoint's tree of names. A model pulls its parameters by path while it is initialised:
/// `Linear(weights["q_proj"], 768, 768)`. What doesn't fit is recorded, answered by a placeholder, and reported at the end by
/// `WeightLoader.load` in one error.
public struct Weights {
    let loader: WeightLoader
    /// Components joined by dots; empty at the root.
    public let path: String

    public subscript(_ component: String) -> Weights { Weights(loader: loader, path: full(component)) }
    public subscript(_ index: Int) -> Weights { self[String(index)] }

    private func full(_ name: String) -> String { path.isEmpty ? name : name.isEmpty ? path : path + "." + name }

    /// The tensor `name` below this path. Its shape must equal `shape`.
    /// - Parameter dtype: nil gives f32 and asks for a floating-point tensor; a type converts to that type.
    /// - Returns: the tensor, or a zero placeholder of that shape (which takes no memory) when it is missing or misshapen.
    public func tensor(_ name: String, _ shape: [Int], as dtype: DType? = nil) -> Tensor {
        loader.required(full(name), shape, dtype)
    }

    /// Like `tensor`, but nil when there is no such tensor. A misshapen one is reported.
    public func optional(_ name: String, _ shape: [Int], as dtype: DType? = nil) -> Tensor? {
        loader.has(full(name)) ? loader.required(full(name), shape, dtype) : nil
    }

    /// What the rows of matrices are rounded to at loading; nil leaves them as they are stored.
    public var precision: WeightFormat? { loader.precision }

    /// The matrix `name` `[rows, columns]` for a layer that multiplies with it: the file's own bytes where it can give them, in the
    /// precision that the loader asks for. Missing and misshapen ones are reported as by `tensor`.
    public func matrix(_ name: String, _ shape: [Int]) -> StoredRows {
        let rows = storedRows(name, shape) ?? StoredRows(tensor(name, shape))
        return precision.map { rows.converted(to: $0) } ?? rows
    }

    /// The matrix `name` as the file stores it, for layers that compute with its bytes where they lie. nil where the file can't
    /// give it so, where renames change it, or where it doesn't fit: `tensor` then reads or reports it.
    public func storedRows(_ name: String, _ shape: [Int]) -> StoredRows? { loader.storedRows(full(name), shape) }

    /// What an adapter adds to the matrix `weight` of the linear layer at this path. One that doesn't fit is reported, as is one that no
    /// layer asks for.
    public func addition(_ input: Int, _ output: Int) -> LowRank? { loader.addition(path, input, output) }

    /// Whether there is a tensor of this name or any tensor below it.
    public func has(_ name: String) -> Bool { loader.has(full(name)) || loader.hasChildren(full(name)) }

    /// Children of `name` numbered from 0 without a gap: the number of layers, or of tensors in a list.
    public func count(of name: String = "") -> Int {
        let list = self[name]
        var count = 0
        while list.has(String(count)) { count += 1 }
        return count
    }

    /// The shape of a tensor as the file (after renames) has it, nil when it is missing or can't be read. Doesn't use it up.
    public func shape(of name: String) -> [Int]? { loader.shape(of: full(name)) }
}

/// Runs a model's initialiser over a checkpoint and reports everything that doesn't fit together.
public final class WeightLoader {
    private let source: any TensorSource
    let precision: WeightFormat?
    private let table: [String: Recipe]
    private let parents: Set<String>
    private let adapters: Adapters
    private var adapted: Set<String> = []
    private var used: Set<String> = []
    private var missing: [WeightReport.Missing] = []
    private var misshapen: [WeightReport.Misshapen] = []
    private var failure: CheckpointError?

    private init(_ source: any TensorSource, _ precision: WeightFormat?, _ renames: Renames) throws(CheckpointError) {
        (self.source, self.precision) = (source, precision)
        adapters = source.adapters
        table = try renames.table(of: source)
        var parents: Set<String> = []
        for name in table.keys {
            var parent = name[...]
            while let dot = parent.lastIndex(of: ".") {
                parent = parent[..<dot]
                if !parents.insert(String(parent)).inserted { break }
            }
        }
        self.parents = parents
    }

    /// Builds a model from `source`.
    /// - Parameters:
    ///   - precision: what the matrices of linear layers are rounded to; nil leaves them as they are stored.
    ///   - ignoring: patterns (see `Renames`) of names that may stay unused, such as `**.num_batches_tracked`.
    ///   - label: what is loaded, for messages, e.g. `CLIPVisionModel`.
    /// - Throws: one `mismatch` with every missing, misshapen and unused key; else the first error of reading a tensor; else what
    ///   `build` throws, as it is.
    public static func load<Model>(
        from source: any TensorSource, precision: WeightFormat? = nil, renames: Renames = .none, ignoring: [String] = [], label: String,
        _ build: (Weights) throws -> Model
    ) throws -> Model {
        let loader = try WeightLoader(source, precision, renames)
        let result = Result { try build(Weights(loader: loader, path: "")) }
        if let failure = loader.failure { throw failure }
        let failed = if case .failure = result { true } else { false }
        // A builder that stopped half way hasn't asked for all its keys: those left aren't unused.
        let unused = failed ? [] : loader.unused(except: ignoring)
        if !loader.missing.isEmpty || !loader.misshapen.isEmpty || !unused.isEmpty {
            throw CheckpointError.mismatch(loader.report(label, unused))
        }
        return try result.get()
    }

    func has(_ name: String) -> Bool { table[name] != nil }
    func hasChildren(_ name: String) -> Bool { parents.contains(name) || (name.isEmpty && !table.isEmpty) }

    func shape(of name: String) -> [Int]? {
        switch table[name] {
        case nil: nil
        case let .stored(stored): source.entry(stored)?.shape
        case let .some(recipe): (try? recipe.tensor(from: source))?.shape
        }
    }

    func required(_ name: String, _ shape: [Int], _ dtype: DType?) -> Tensor {
        guard let recipe = table[name] else {
            missing.append(.init(name: name, shape: shape, near: []))
            return placeholder(shape, dtype)
        }
        used.insert(name)
        do {
            let tensor = try recipe.tensor(from: source)
            guard tensor.shape == shape else {
                misshapen.append(.init(name: name, expected: "\(shape)", found: "\(tensor.shape)"))
                return placeholder(shape, dtype)
            }
            guard dtype != nil || tensor.dtype.isFloatingPoint else {
                misshapen.append(.init(name: name, expected: "floating point", found: "\(tensor.dtype)"))
                return placeholder(shape, dtype)
            }
            return tensor.asType(dtype ?? .f32).contiguous()
        } catch {
            failure = failure ?? error
            return placeholder(shape, dtype)
        }
    }

    func storedRows(_ name: String, _ shape: [Int]) -> StoredRows? {
        guard case let .stored(stored)? = table[name] else { return nil }
        do {
            guard let rows = try source.rows(stored), [rows.rows, rows.columns] == shape else { return nil }
            used.insert(name)
            return rows
        } catch {
            failure = failure ?? error
            return nil
        }
    }

    func addition(_ path: String, _ input: Int, _ output: Int) -> LowRank? {
        var stored: String?
        if case let .stored(name)? = table[path + ".weight"] { stored = name }
        guard let found = adapters.addition(to: LinearLayer(path: path, input: input, output: output, stored: stored)) else { return nil }
        adapted.insert(path)
        for (name, wanted, shape) in [
            (LowRank.downName, [found.rank, input], found.down.shape), (LowRank.upName, [output, found.rank], found.up.shape),
        ] where wanted != shape {
            misshapen.append(.init(name: "\(path).\(name)", expected: "\(wanted)", found: "\(shape)"))
            return nil
        }
        return found
    }

    /// Zeros of any shape over a single element. A shape that no memory can hold becomes one of ones, so that the builder's
    /// arithmetic stays in range until the report.
    private func placeholder(_ shape: [Int], _ dtype: DType?) -> Tensor {
        let ones = Tensor.zeros([Int](repeating: 1, count: min(shape.count, 16)), dtype ?? .f32)
        guard boundedCount(shape) != nil, let zeros = try? ones.broadcast(to: shape) else { return ones }
        return zeros
    }

    private func unused(except patterns: [String]) -> [WeightReport.Unused] {
        let patterns = patterns.map { NamePattern($0) }
        func matter(_ name: String) -> Bool { !patterns.contains { $0.match(name) != nil } }
        let additions = adapters.layers.filter { !adapted.contains($0.key) }.map { ("\($0.key).\(LowRank.downName)", $0.value.down.shape) }
        return (table.keys.filter { !used.contains($0) }.map { ($0, shape(of: $0) ?? []) } + additions)
            .filter { matter($0.0) }.sorted { $0.0 < $1.0 }.map { .init(name: $0.0, shape: $0.1) }
    }

    private func report(_ label: String, _ unused: [WeightReport.Unused]) -> WeightReport {
        // Near names come from what nobody asked for; only the first lines of a report are ever read.
        let candidates = unused.isEmpty ? table.keys.filter { !used.contains($0) } : unused.map(\.name)
        let named = missing.enumerated().map { index, entry in
            index < WeightReport.shown
                ? .init(name: entry.name, shape: entry.shape, near: EditDistance.nearest(to: entry.name, among: candidates.sorted()))
                : entry
        }
        return WeightReport(label: label, file: source.path, missing: named, misshapen: misshapen, unused: unused)
    }
}
