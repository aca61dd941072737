/// An immutable set of ids: the filter of a search. Dense sets also carry a bitmap, so that membership takes constant time.
public struct IDSet: Sendable, Hashable {
    /// Ascending, each once.
    public let sorted: [Int64]
    /// Bit i stands for id `sorted[0] + i`; empty where the ids lie too far apart.
    private let bitmap: [UInt64]
    /// Copies of a set share it: what was worked out for one holds for all.
    private let origin = Origin()

    private final class Origin: Sendable {}

    public init(_ ids: some Sequence<Int64>) {
        var unique = Array(ids)
        unique.sort()
        var kept = 0
        for index in unique.indices where index == 0 || unique[index] != unique[kept - 1] {
            unique[kept] = unique[index]
            kept += 1
        }
        unique.removeLast(unique.count - kept)
        self.init(ascending: unique)
    }

    private init(ascending ids: [Int64]) {
        sorted = ids
        guard let first = ids.first, let last = ids.last else {
            bitmap = []
            return
        }
        // Up to one word of bitmap for each id: no larger than the ids themselves.
        let (span, overflow) = last.subtractingReportingOverflow(first)
        guard !overflow, span / 64 < ids.count else {
            bitmap = []
            return
        }
        var words = [UInt64](repeating: 0, count: Int(span / 64) + 1)
        for id in ids { words[Int((id - first) / 64)] |= 1 << UInt64((id - first) % 64) }
        bitmap = words
    }

    public static func == (one: IDSet, other: IDSet) -> Bool { one.origin === other.origin || one.sorted == other.sorted }
    public func hash(into hasher: inout Hasher) { hasher.combine(sorted) }

    /// A copy of the other: takes no time to tell.
    func isSame(_ other: IDSet) -> Bool { origin === other.origin }

    public var count: Int { sorted.count }
    public var isEmpty: Bool { sorted.isEmpty }

    /// Constant time for dense sets, logarithmic otherwise.
    public func contains(_ id: Int64) -> Bool {
        guard let first = sorted.first, let last = sorted.last, id >= first, id <= last else { return false }
        if !bitmap.isEmpty {
            let bit = id - first
            return bitmap[Int(bit / 64)] >> UInt64(bit % 64) & 1 == 1
        }
        let place = place(id)
        return place < sorted.count && sorted[place] == id
    }

    /// Where the first id of at least `id` stands.
    func place(_ id: Int64) -> Int {
        var low = 0, high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func union(_ other: IDSet) -> IDSet {
        var merged: [Int64] = []
        merged.reserveCapacity(count + other.count)
        var i = 0, j = 0
        while i < count || j < other.count {
            if j == other.count || (i < count && sorted[i] < other.sorted[j]) {
                merged.append(sorted[i])
                i += 1
            } else {
                if i < count, sorted[i] == other.sorted[j] { i += 1 }
                merged.append(other.sorted[j])
                j += 1
            }
        }
        return IDSet(ascending: merged)
    }

    public func intersection(_ other: IDSet) -> IDSet {
        let (small, large) = count <= other.count ? (self, other) : (other, self)
        return IDSet(ascending: small.sorted.filter(large.contains))
    }

    public func subtracting(_ other: IDSet) -> IDSet {
        IDSet(ascending: sorted.filter { !other.contains($0) })
    }
}

extension IDSet: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Int64...) { self.init(elements) }
}
