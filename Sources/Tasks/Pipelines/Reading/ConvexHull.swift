/// A place of a pixel.
struct GridPoint: Sendable, Hashable, Comparable {
    var x, y: Int
    /// In the order in which rows are scanned.
    static func < (a: GridPoint, b: GridPoint) -> Bool { a.y == b.y ? a.x < b.x : a.y < b.y }
}

/// The corners of the convex hull of points, clockwise on the screen; the first in scanning order comes last, which is where OpenCV
/// begins when it is given a contour. Andrew's monotone chain.
struct ConvexHull: Sendable {
    let corners: [GridPoint]

    init(of points: [GridPoint]) {
        let sorted = Set(points).sorted()
        guard sorted.count > 2 else {
            corners = sorted
            return
        }
        func chain(_ points: some Sequence<GridPoint>) -> [GridPoint] {
            var chain: [GridPoint] = []
            for point in points {
                while chain.count > 1, Self.turn(chain[chain.count - 2], chain[chain.count - 1], point) <= 0 { chain.removeLast() }
                chain.append(point)
            }
            return chain
        }
        // Downwards along the right side, then upwards along the left, with y as the first key.
        let right = chain(sorted.reversed()).reversed(), left = chain(sorted).reversed()
        let ring = Array(right.dropLast()) + Array(left.dropLast())
        corners = Array(ring.dropFirst()) + ring.prefix(1)
    }

    /// Positive where b to c turns to the left of a to b, y upwards.
    private static func turn(_ a: GridPoint, _ b: GridPoint, _ c: GridPoint) -> Int {
        (b.y - a.y) * (c.x - a.x) - (b.x - a.x) * (c.y - a.y)
    }
}
