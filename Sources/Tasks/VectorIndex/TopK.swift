/// A row that may be among the best.
struct Candidate: Sendable {
    var score: Float
    var id: Int64
    var row: Int

    /// Higher scores first, equal scores by smaller id.
    @inline(__always)
    func isBetter(than other: Candidate) -> Bool { score > other.score || (score == other.score && id < other.id) }
}

/// The best `capacity` candidates seen: a heap with the worst of them on top.
struct TopK: Sendable {
    let capacity: Int
    private(set) var items: [Candidate] = []

    init(_ capacity: Int) {
        self.capacity = capacity
        items.reserveCapacity(min(capacity, 1024))
    }

    var isFull: Bool { items.count == capacity }
    /// What a score must reach to have a chance.
    var threshold: Float { isFull ? (items.first?.score ?? .infinity) : -.infinity }

    mutating func offer(_ candidate: Candidate) {
        if items.count < capacity {
            items.append(candidate)
            var child = items.count - 1
            while child > 0 {
                let parent = (child - 1) / 2
                guard items[parent].isBetter(than: items[child]) else { break }
                items.swapAt(parent, child)
                child = parent
            }
        } else if capacity > 0, candidate.isBetter(than: items[0]) {
            items[0] = candidate
            siftDown()
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var worst = parent
            let left = 2 * parent + 1, right = left + 1
            if left < items.count, items[worst].isBetter(than: items[left]) { worst = left }
            if right < items.count, items[worst].isBetter(than: items[right]) { worst = right }
            if worst == parent { return }
            items.swapAt(parent, worst)
            parent = worst
        }
    }

    mutating func merge(_ other: TopK) {
        for candidate in other.items where candidate.score >= threshold { offer(candidate) }
    }

    /// Best first.
    var sorted: [Candidate] { items.sorted { $0.isBetter(than: $1) } }
}
