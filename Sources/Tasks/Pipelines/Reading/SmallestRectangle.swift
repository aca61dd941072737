import Foundation
import Imaging

/// The rectangle of smallest area, of any direction, around a convex polygon: rotating calipers in single precision, step by step as
/// OpenCV's `minAreaRect` and `boxPoints`, because what follows cuts off decimals.
struct SmallestRectangle: Sendable {
    private var center: (x: Float, y: Float)
    private(set) var width, height: Float
    private var angle: Float

    /// Nil where the points lie on a line.
    init?(around hull: ConvexHull) {
        let points = hull.corners.map { (x: Float($0.x), y: Float($0.y)) }
        guard points.count > 2, let best = Self.calipers(points) else { return nil }
        let first = (x: best.a * best.width, y: best.b * best.width), second = (x: -best.b * best.height, y: best.a * best.height)
        center = (best.corner.x + (first.x + second.x) * 0.5, best.corner.y + (first.y + second.y) * 0.5)
        func length(_ v: (x: Float, y: Float)) -> Float { Float((Double(v.x) * Double(v.x) + Double(v.y) * Double(v.y)).squareRoot()) }
        (width, height) = (length(first), length(second))
        angle = Float(Double(Float(atan2(Double(first.y), Double(first.x)))) * 180 / Double.pi)
        while angle >= 0 {
            angle -= 90
            (width, height) = (height, width)
        }
    }

    var shorterSide: Float { min(width, height) }

    var corners: [PicturePoint] {
        let radians = Double(angle) * Double.pi / 180
        let b = Float(cos(radians)) * 0.5, a = Float(sin(radians)) * 0.5
        let first = PicturePoint(x: center.x - a * height - b * width, y: center.y + b * height - a * width)
        let second = PicturePoint(x: center.x + a * height - b * width, y: center.y - b * height - a * width)
        return [
            first, second, PicturePoint(x: 2 * center.x - first.x, y: 2 * center.y - first.y),
            PicturePoint(x: 2 * center.x - second.x, y: 2 * center.y - second.y),
        ]
    }

    private typealias Vector = (x: Float, y: Float)

    private struct Best {
        var a, b, width, height: Float
        var left, bottom: Int
        var corner: Vector = (0, 0)
    }

    private static func calipers(_ points: [Vector]) -> Best? {
        let n = points.count
        let edges = points.indices.map { (x: points[($0 + 1) % n].x - points[$0].x, y: points[($0 + 1) % n].y - points[$0].y) }
        let inverse = edges.map { Float(1 / (Double($0.x) * Double($0.x) + Double($0.y) * Double($0.y)).squareRoot()) }
        func extreme(_ isBeyond: (Vector, Vector) -> Bool) -> Int {
            points.indices.reduce(0) { isBeyond(points[$1], points[$0]) ? $1 : $0 }
        }
        // Which edge touches below, right, above and left, y upwards.
        var sides = [extreme { $0.y < $1.y }, extreme { $0.x > $1.x }, extreme { $0.y > $1.y }, extreme { $0.x < $1.x }]
        var best: Best?, smallest = Float.greatestFiniteMagnitude
        for _ in 0..<n {
            // Turned into one frame, the edge that is reached first by turning.
            let turned: [Vector] = [
                edges[sides[0]], (edges[sides[1]].y, -edges[sides[1]].x), (-edges[sides[2]].x, -edges[sides[2]].y),
                (-edges[sides[3]].y, edges[sides[3]].x),
            ]
            var next = 0
            for side in 1..<4 where turned[side].y * turned[next].x - turned[side].x * turned[next].y < 0 { next = side }
            let edge = sides[next], lead = (x: edges[edge].x * inverse[edge], y: edges[edge].y * inverse[edge])
            let (a, b): (Float, Float) = [(lead.x, lead.y), (lead.y, -lead.x), (-lead.x, -lead.y), (-lead.y, lead.x)][next]
            sides[next] = (sides[next] + 1) % n
            let across = (x: points[sides[1]].x - points[sides[3]].x, y: points[sides[1]].y - points[sides[3]].y)
            let along = (x: points[sides[2]].x - points[sides[0]].x, y: points[sides[2]].y - points[sides[0]].y)
            let width = across.x * a + across.y * b, height = -along.x * b + along.y * a
            if width * height <= smallest {
                smallest = width * height
                best = Best(a: a, b: b, width: width, height: height, left: sides[3], bottom: sides[0])
            }
        }
        guard var best else { return nil }
        let (a, b) = (best.a, best.b), left = points[best.left], bottom = points[best.bottom]
        let c1 = a * left.x + left.y * b, c2 = -b * bottom.x + bottom.y * a, scale = 1 / (a * a - -b * b)
        best.corner = ((c1 * a - c2 * b) * scale, (a * c2 - -b * c1) * scale)
        return best
    }
}
