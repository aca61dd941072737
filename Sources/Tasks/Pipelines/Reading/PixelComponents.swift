/// Connected parts of a mask and the holes in them, each as the points that span its outline's hull, the last in scanning order first:
/// what OpenCV's `findContours` lists (Suzuki and Abe 1985), as far as its hulls go.
struct PixelComponents: Sendable {
    /// Points of each outline; the hull is theirs.
    private(set) var outlines: [[GridPoint]] = []

    /// - Parameters:
    ///   - mask: `height * width` bytes, 0 or not.
    ///   - limit: outlines that are kept; a mask made to have millions is cut off.
    init(mask: [UInt8], width: Int, height: Int, limit: Int) {
        var found: [(start: GridPoint, points: [GridPoint])] = []
        // Parts hang together over corners, holes don't; a hole that reaches the border is the outside.
        var parts = RunLabels(mask: mask, width: width, height: height, isSet: true, reach: 1)
        for (start, runs) in parts.groups() {
            found.append((start, runs.flatMap { [GridPoint(x: $0.from, y: $0.row), GridPoint(x: $0.through, y: $0.row)] }))
        }
        var holes = RunLabels(mask: mask, width: width, height: height, isSet: false, reach: 0)
        for (start, runs) in holes.groups() {
            let isOutside = runs.contains { $0.row == 0 || $0.row == height - 1 || $0.from == 0 || $0.through == width - 1 }
            if isOutside { continue }
            // A hole's outline is what touches it on its four sides.
            let points = runs.flatMap { run in
                [
                    GridPoint(x: run.from - 1, y: run.row), GridPoint(x: run.through + 1, y: run.row),
                    GridPoint(x: run.from, y: run.row - 1), GridPoint(x: run.through, y: run.row - 1),
                    GridPoint(x: run.from, y: run.row + 1), GridPoint(x: run.through, y: run.row + 1),
                ]
            }
            found.append((GridPoint(x: start.x - 1, y: start.y), points))
        }
        found.sort { $1.start < $0.start }
        outlines = found.prefix(limit).map(\.points)
    }
}

/// Pixels of one kind side by side in a row.
private struct Run: Sendable {
    var row, from, through: Int
}

/// Runs joined to those above that they touch.
private struct RunLabels {
    private var runs: [Run] = []
    private var parents: [Int] = []

    init(mask: [UInt8], width: Int, height: Int, isSet: Bool, reach: Int) {
        var above = 0..<0
        for row in 0..<height {
            let start = runs.count
            mask.withUnsafeBufferPointer { mask in
                var x = 0
                while x < width {
                    while x < width, (mask[row * width + x] != 0) != isSet { x += 1 }
                    let from = x
                    while x < width, (mask[row * width + x] != 0) == isSet { x += 1 }
                    if x > from { runs.append(Run(row: row, from: from, through: x - 1)) }
                }
            }
            parents += start..<runs.count
            var other = above.lowerBound
            for run in start..<runs.count {
                while other < above.upperBound, runs[other].through + reach < runs[run].from { other += 1 }
                var touching = other
                while touching < above.upperBound, runs[touching].from - reach <= runs[run].through {
                    join(touching, run)
                    touching += 1
                }
            }
            above = start..<runs.count
        }
    }

    private mutating func root(_ run: Int) -> Int {
        var run = run
        while parents[run] != run {
            parents[run] = parents[parents[run]]
            run = parents[run]
        }
        return run
    }

    /// The earlier run stays the root: it is the first of its part in scanning order.
    private mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        if a != b { parents[max(a, b)] = min(a, b) }
    }

    /// The runs of each part, with its first pixel.
    mutating func groups() -> [(start: GridPoint, runs: [Run])] {
        var places: [Int: Int] = [:], groups: [(start: GridPoint, runs: [Run])] = []
        for index in runs.indices {
            let root = root(index)
            if let place = places[root] {
                groups[place].runs.append(runs[index])
            } else {
                places[root] = groups.count
                groups.append((GridPoint(x: runs[root].from, y: runs[root].row), [runs[index]]))
            }
        }
        return groups
    }
}
