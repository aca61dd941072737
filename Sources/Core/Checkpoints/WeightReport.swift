/// Every key of a checkpoint that doesn't fit a model.
public struct WeightReport: Sendable, Equatable, CustomStringConvertible {
    public struct Missing: Sendable, Equatable {
        public let name: String
        public let shape: [Int]
        /// Names in the file that nobody asked for and that are spelled alike.
        public let near: [String]
    }

    public struct Misshapen: Sendable, Equatable {
        public let name: String
        public let expected: String
        public let found: String
    }

    public struct Unused: Sendable, Equatable {
        public let name: String
        public let shape: [Int]
    }

    public let label: String
    public let file: String
    public let missing: [Missing]
    public let misshapen: [Misshapen]
    public let unused: [Unused]

    /// Lines of each kind in `description`.
    static let shown = 20

    public var description: String {
        var lines = ["\(file) doesn't fit \(label): \(missing.count) missing, \(misshapen.count) misshapen, \(unused.count) unused keys"]
        func list(_ title: String, _ rows: [String]) {
            guard !rows.isEmpty else { return }
            lines.append("  \(title):")
            lines += rows.prefix(Self.shown).map { "    " + $0 }
            if rows.count > Self.shown { lines.append("    ... and \(rows.count - Self.shown) more") }
        }
        list("missing", missing.map { "\($0.name) \($0.shape)" + ($0.near.isEmpty ? "" : "; near: " + $0.near.joined(separator: ", ")) })
        list("misshapen", misshapen.map { "\($0.name): expected \($0.expected), found \($0.found)" })
        list("unused", unused.map { "\($0.name) \($0.shape)" })
        lines.append("  Check that config.json belongs to these weights; `sensorium models inspect` lists what the file holds.")
        return lines.joined(separator: "\n")
    }
}
