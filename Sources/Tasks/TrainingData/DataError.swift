import Checkpoints

/// What is wrong with a data set: the file, the line or member, the field, and what to do.
public struct DataError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or folder as the caller named it; a member of an archive as `shard.tar/member`.
    public var file: String
    /// Counted from 1.
    public var line: Int?
    /// Column, key or part of a header.
    public var field: String?
    public var problem: String

    public init(_ file: String, line: Int? = nil, field: String? = nil, _ problem: String) {
        self.file = file
        self.line = line
        self.field = field
        self.problem = problem
    }

    public var description: String {
        file + (line.map { ": line \($0)" } ?? "") + (field.map { ": \($0)" } ?? "") + ": " + problem
    }
}

/// Problems found while a source was opened: all are counted, the first are kept.
public struct DataProblems: Sendable, Equatable {
    /// As many as are kept.
    public static let kept = 100

    public private(set) var count = 0
    public private(set) var first: [DataError] = []

    public init() {}

    public var isEmpty: Bool { count == 0 }

    public mutating func add(_ error: DataError) {
        count += 1
        if first.count < Self.kept { first.append(error) }
    }

    public mutating func add(_ others: DataProblems) {
        count += others.count
        first.append(contentsOf: others.first.prefix(Self.kept - first.count))
    }
}

/// What a file's reader throws, as an error of its data set.
func reading<Value>(_ file: String, _ body: () throws(CheckpointError) -> Value) throws(DataError) -> Value {
    do throws(CheckpointError) { return try body() } catch { throw DataError(file, "\(error)".replacing("\(file): ", with: "")) }
}
