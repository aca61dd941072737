/// Several sources one after the other, each as often as asked: the way to mix data sets of different sizes.
public struct JoinedSource: IndexedSource {
    public let parts: [any IndexedSource]
    public let classNames: [String]
    public let count: Int
    /// First index of each part, and the end.
    private let starts: [Int]
    private let repeats: [Int]

    /// - Parameter repeats: how often each part stands in an epoch, 1 to 1,000; nil is once each.
    /// Throws when there is no part, when the numbers don't fit or when parts with different class names are joined.
    public init(_ parts: [any IndexedSource], repeats: [Int]? = nil) throws(DataError) {
        let repeats = repeats ?? parts.map { _ in 1 }
        let name = parts.map(\.path).joined(separator: ", ")
        guard !parts.isEmpty, repeats.count == parts.count, repeats.allSatisfy({ (1...1_000).contains($0) }) else {
            throw DataError(
                name, "\(parts.count) sources with the repeats \(repeats.prefix(8)): give one whole number of 1 to 1000 for each source")
        }
        let classes = parts.map(\.classNames).filter { !$0.isEmpty }
        guard classes.allSatisfy({ $0 == classes.first }) else {
            throw DataError(name, field: "classes", "the sources have different classes, so a label would mean two things")
        }
        var starts = [0]
        for (part, times) in zip(parts, repeats) {
            let (more, overflow) = part.count.multipliedReportingOverflow(by: times)
            let (end, overflows) = starts[starts.count - 1].addingReportingOverflow(more)
            guard !overflow, !overflows else { throw DataError(part.path, "too many samples") }
            starts.append(end)
        }
        self.parts = parts
        self.repeats = repeats
        self.starts = starts
        count = starts[parts.count]
        classNames = classes.first ?? []
    }

    public var path: String { parts.map(\.path).joined(separator: ", ") }

    public var problems: DataProblems {
        parts.reduce(into: DataProblems()) { $0.add($1.problems) }
    }

    public var fingerprint: String { zip(parts, repeats).map { "\($0.fingerprint)x\($1)" }.joined(separator: "+") }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        let (part, place) = place(of: index)
        return try parts[part].sample(place)
    }

    public func id(_ index: Int) throws(DataError) -> String {
        let (part, place) = place(of: index)
        return try parts[part].id(place)
    }

    private func place(of index: Int) -> (part: Int, index: Int) {
        var low = 0, high = parts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= index { low = middle } else { high = middle }
        }
        return (low, (index - starts[low]) % parts[low].count)
    }
}

/// Some samples of a source: one side of a split.
public struct SubsetSource: IndexedSource {
    public let base: any IndexedSource
    public let indices: [Int]

    /// Throws when an index lies outside the source.
    public init(_ base: any IndexedSource, indices: [Int]) throws(DataError) {
        if let outside = indices.first(where: { !(0..<base.count).contains($0) }) {
            throw DataError(base.path, "index \(outside) is outside the \(base.count) samples")
        }
        self.base = base
        self.indices = indices
    }

    public var path: String { base.path }
    public var classNames: [String] { base.classNames }
    public var problems: DataProblems { base.problems }
    public var count: Int { indices.count }
    public var fingerprint: String {
        var digest = Fingerprint()
        digest.add(base.fingerprint)
        for index in indices { digest.add(index) }
        return digest.text
    }

    public func sample(_ index: Int) throws(DataError) -> Sample { try base.sample(indices[index]) }
    public func id(_ index: Int) throws(DataError) -> String { try base.id(indices[index]) }
}
