/// What `sensorium models inspect` prints of a checkpoint.
public struct CheckpointDescription: Sendable {
    public let path: String
    public let entries: [TensorEntry]
    public let metadata: [String: String]

    public init(_ source: any TensorSource) {
        path = source.path
        entries = source.entries
        metadata = source.metadata
    }

    /// Elements of all tensors.
    public var parameterCount: Int { entries.reduce(0) { $0 &+ $1.count } }
    public var byteCount: Int { entries.reduce(0) { $0 &+ $1.byteCount } }

    /// One line per tensor in columns, then the totals.
    public func table() -> String {
        let rows = entries.map { [$0.name, Self.shape($0.shape), $0.type.description] }
        let header = ["name", "shape", "type"]
        let widths = (0..<3).map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        let lines = ([header] + rows).map { row in
            zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ").trimmedEnd()
        }
        let notes = metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.prefix(200))" }
        return (notes + lines + [summary()]).joined(separator: "\n")
    }

    public func summary() -> String {
        "\(entries.count) tensors, \(Self.grouped(parameterCount)) parameters, \(Self.grouped(byteCount)) bytes"
    }

    /// One JSON object per line: every tensor, then the totals.
    public func jsonLines() -> [String] {
        entries.map { entry in
            let shape = entry.shape.map(String.init).joined(separator: ",")
            return "{\"name\":\(JSONText.quoted(entry.name)),\"shape\":[\(shape)],\"type\":\(JSONText.quoted(entry.type.description)),"
                + "\"bytes\":\(entry.byteCount)}"
        } + ["{\"tensors\":\(entries.count),\"parameters\":\(parameterCount),\"bytes\":\(byteCount),\"file\":\(JSONText.quoted(path))}"]
    }

    private static func shape(_ shape: [Int]) -> String { shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: " x ") }

    /// Digits in threes.
    private static func grouped(_ number: Int) -> String {
        var result = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0, digit != "-" { result.append(",") }
            result.append(digit)
        }
        return String(result.reversed())
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    fileprivate func trimmedEnd() -> String {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return String(self[..<end])
    }
}
