import CKernels
import Tensors

/// k-means over rows of a snapshot (Lloyd, "Least squares quantization in PCM"). Distances are those of 8-bit codes, means those
/// of the vectors: which of two centres equally far away a vector belongs to doesn't matter.
struct Clustering: Sendable {
    private(set) var centres: [Float]
    let count: Int
    let dimension: Int

    private static let iterations = 12
    /// Vectors of a sample for each centre.
    static let sampleRows = 100

    /// Centres of `rows`, which must be at least `count`.
    init(_ source: RowCodes, rows: [Int], count: Int, seed: UInt64) throws(IndexError) {
        let dimension = source.snapshot.settings.dimension
        self.count = count
        self.dimension = dimension
        var random = RandomGenerator(seed: seed), order = rows
        centres = [Float](repeating: 0, count: count * dimension)
        for place in 0..<count {
            order.swapAt(place, Int.random(in: place..<order.count, using: &random))
            try set(place, to: order[place], source)
        }
        for _ in 0..<Clustering.iterations {
            let owners = try Assignment(centres, count, dimension).nearest(rows, source)
            try move(rows, owners, source, &random)
        }
    }

    private mutating func set(_ centre: Int, to row: Int, _ source: RowCodes) throws(IndexError) {
        try source.snapshot.checkRow(row)
        var line = [Float](repeating: 0, count: dimension)
        source.snapshot.load(source.snapshot.pointer(row), into: &line)
        centres.replaceSubrange(centre * dimension..<(centre + 1) * dimension, with: line)
    }

    /// Each centre becomes the mean of its rows; one without rows starts anew from a row at random.
    private mutating func move(
        _ rows: [Int], _ owners: [UInt32], _ source: RowCodes, _ random: inout RandomGenerator
    ) throws(IndexError) {
        let groups = Groups(owners, count), means = SharedArray<Float>(repeating: 0, count: count * dimension)
        let dimension = dimension
        try inParallel(count, grain: 16) { (range) throws(IndexError) in
            var line = [Float](repeating: 0, count: dimension)
            for centre in range {
                let members = groups[centre], mean = means.pointer + centre * dimension
                for member in members {
                    try source.snapshot.checkRow(rows[Int(member)])
                    source.snapshot.load(source.snapshot.pointer(rows[Int(member)]), into: &line)
                    for i in 0..<dimension { mean[i] += line[i] }
                }
                let share = 1 / Float(max(members.count, 1))
                for i in 0..<dimension { mean[i] *= share }
            }
        }
        centres = means.array
        for centre in 0..<count where groups[centre].isEmpty {
            try set(centre, to: rows[Int.random(in: 0..<rows.count, using: &random)], source)
        }
    }
}

/// Items by group.
struct Groups: Sendable {
    private let starts: SharedArray<Int>
    private let items: SharedArray<UInt32>

    /// `owners[i]` is the group of item i, or of `items[i]`; `UInt32.max` leaves it out.
    init(_ owners: [UInt32], _ count: Int, items names: [UInt32]? = nil) {
        var starts = [Int](repeating: 0, count: count + 1)
        for owner in owners where owner != .max { starts[Int(owner) + 1] += 1 }
        for group in 0..<count { starts[group + 1] += starts[group] }
        var items = [UInt32](repeating: 0, count: starts[count]), next = starts
        for (item, owner) in owners.enumerated() where owner != .max {
            items[next[Int(owner)]] = names?[item] ?? UInt32(item)
            next[Int(owner)] += 1
        }
        self.starts = SharedArray(starts)
        self.items = SharedArray(items)
    }

    /// Where the items of a group are.
    func places(_ group: Int) -> Range<Int> { starts[group]..<starts[group + 1] }
    func item(_ place: Int) -> UInt32 { items[place] }
    subscript(group: Int) -> [UInt32] { places(group).map(item) }
}

/// Finds the nearest centre of each vector.
struct Assignment: Sendable {
    private static let rowsTogether = 64
    private let count: Int
    private let width: Int
    private var codes: [Int8]
    private var factors: [Float] = []
    private var terms: [Float] = []
    private var penalties: [Float] = []

    init(_ centres: [Float], _ count: Int, _ dimension: Int) {
        self.count = count
        width = CodeBlock.width(dimension)
        codes = [Int8](repeating: 0, count: count * width)
        for centre in 0..<count {
            let line = Array(centres[centre * dimension..<(centre + 1) * dimension])
            var sum = 0
            let start = centre * width
            let scale = CodeBlock.quantise(line) {
                codes[start + $0] = Int8($1)
                sum += $1
            }
            factors.append(scale)
            terms.append(-128 * scale * Float(sum))
            // The nearest is the one with the greatest <x, c> - |c|^2 / 2.
            penalties.append(line.reduce(0) { $0 + $1 * $1 } / 2)
        }
    }

    func nearest(_ rows: [Int], _ source: RowCodes) throws(IndexError) -> [UInt32] {
        let owners = SharedArray<UInt32>(repeating: 0, count: rows.count)
        try inParallel((rows.count + Assignment.rowsTogether - 1) / Assignment.rowsTogether) { (range) throws(IndexError) in
            let kernels = sn_vectors().pointee
            var lines = [UInt8](repeating: 0, count: Assignment.rowsTogether * width)
            var dots = [Int32](repeating: 0, count: Assignment.rowsTogether * count)
            var scales = [Float](repeating: 0, count: Assignment.rowsTogether)
            for batch in range {
                let first = batch * Assignment.rowsTogether, together = min(Assignment.rowsTogether, rows.count - first)
                for place in 0..<together {
                    scales[place] = try lines.withUnsafeMutableBufferPointer { (lines) throws(IndexError) in
                        try source.copy(rows[first + place], to: lines.baseAddress! + place * width)
                    }
                }
                kernels.code_dots(codes, count, lines, together, width, &dots)
                dots.withUnsafeBufferPointer { dots in
                    for place in 0..<together {
                        owners[first + place] = UInt32(
                            kernels.nearest_code(dots.baseAddress! + place * count, factors, terms, penalties, scales[place], count))
                    }
                }
            }
        }
        return owners.array
    }
}
