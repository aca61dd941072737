import Tensors

/// Accuracy from the rank that each example's own class has among all.
public struct ClassificationReport: Sendable {
    public struct Accuracy: Sendable {
        public var k: Int
        /// Share of examples whose class is among the first k, 0...1.
        public var share: Estimate
    }

    public struct ClassRecall: Sendable {
        public var name: String
        public var examples: Int
        public var recall: Double
    }

    public let examples: Int
    /// Top-1, top-5 ...: those of at most as many as there are classes, as CLIP_benchmark reports them.
    public let top: [Accuracy]
    /// Mean over the classes that occur of the share of each found first (scikit-learn's balanced accuracy).
    public let meanPerClassRecall: Estimate
    public let classes: [ClassRecall]

    /// - Parameter ranks: of the true classes, from 1.
    public init(
        ranks: [Int], labels: [Int], classes names: [String], ks: [Int] = [1, 5], bootstrap: Bootstrap = Bootstrap()
    ) throws(EvaluationError) {
        guard !ranks.isEmpty, ranks.count == labels.count else {
            throw .unusable("\(ranks.count) predictions for \(labels.count) labels")
        }
        try Self.requireClasses(labels, "the data set")
        let ks = ks.filter { $0 <= names.count }
        let estimates = bootstrap.estimates(units: ranks.count) { counts in
            Self.statistics(ranks, labels, counts, classes: names.count, ks)
        }
        examples = ranks.count
        top = zip(ks, estimates).map { Accuracy(k: $0, share: $1) }
        meanPerClassRecall = estimates[ks.count]
        var found = [Int](repeating: 0, count: names.count), total = found
        for (rank, label) in zip(ranks, labels) {
            total[label] += 1
            if rank == 1 { found[label] += 1 }
        }
        classes = names.indices.filter { total[$0] > 0 }.map {
            ClassRecall(name: names[$0], examples: total[$0], recall: Double(found[$0]) / Double(total[$0]))
        }
    }

    /// A single class says nothing: everything would be right.
    static func requireClasses(_ labels: [Int], _ what: String) throws(EvaluationError) {
        guard let first = labels.first, labels.contains(where: { $0 != first }) else {
            throw .unusable("\(what) has only one class; at least two are needed to tell anything apart")
        }
    }

    private static func statistics(_ ranks: [Int], _ labels: [Int], _ counts: [Int32], classes: Int, _ ks: [Int]) -> [Double] {
        var hits = [Int](repeating: 0, count: ks.count), total = 0
        var found = [Int](repeating: 0, count: classes), seen = found
        for row in ranks.indices {
            let weight = Int(counts[row]), rank = ranks[row]
            total += weight
            seen[labels[row]] += weight
            if rank == 1 { found[labels[row]] += weight }
            for (place, k) in ks.enumerated() where rank <= k { hits[place] += weight }
        }
        var sum = 0.0, present = 0.0
        for (right, all) in zip(found, seen) where all > 0 {
            sum += Double(right) / Double(all)
            present += 1
        }
        return hits.map { Double($0) / Double(total) } + [sum / present]
    }
}
