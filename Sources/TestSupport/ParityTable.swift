import Foundation

/// A table of measured differences that is kept beside the tests: written anew where SENSORIUM_TABLES is set, compared by its rows' names
/// otherwise, so that nothing tested is missing in it.
public struct ParityTable {
    private let file: URL
    private let head: String
    private var rows: [(name: String, cells: [String])] = []
    private let columns: [String]

    /// - Parameter place: below the repository's root.
    public init(_ place: String, head: String, columns: [String]) {
        file = Golden.root.appendingPathComponent(place)
        (self.head, self.columns) = (head, columns)
    }

    public mutating func add(_ name: String, _ cells: [String]) { rows.append((name, cells)) }

    /// The names whose rows the kept table lacks, after writing it where that is asked for.
    public func missing() throws -> [String] {
        if ProcessInfo.processInfo.environment["SENSORIUM_TABLES"] != nil {
            let lines =
                ["| " + columns.joined(separator: " | ") + " |", "|" + String(repeating: " --- |", count: columns.count)]
                + rows.map { "| " + ([$0.name] + $0.cells).joined(separator: " | ") + " |" }
            try Data((head + "\n\n" + lines.joined(separator: "\n") + "\n").utf8).write(to: file)
        }
        let kept = try String(contentsOf: file, encoding: .utf8)
        return rows.map(\.name).filter { !kept.contains("| \($0) |") }
    }

    /// `1.2e-05`
    public static func text(_ value: Double) -> String { String(format: "%.1e", value) }
}
