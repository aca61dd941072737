import Foundation
import Imaging

/// A convex polygon with an even border around it and round corners, on whole pixels: Clipper's offset (A. Johnson), its arcs as coarse.
enum PolygonOffset {
    private static let arcTolerance = 0.25

    /// Points of the border; none where the polygon is degenerate.
    /// - Parameter share: the border's breadth is this part of the area over the outline's length.
    static func grown(_ box: [PicturePoint], by share: Double) -> [GridPoint] {
        let exact = box.map { (x: Double($0.x), y: Double($0.y)) }
        var area = 0.0, length = 0.0
        for (index, a) in exact.enumerated() {
            let b = exact[(index + 1) % exact.count]
            area += a.x * b.y - b.x * a.y
            length += ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
        }
        let breadth = abs(area) / 2 * share / length
        guard breadth.isFinite, breadth > 1e-6 else { return [] }
        // Decimals are cut off, points that then fall together are one.
        var corners: [(x: Double, y: Double)] = []
        for point in exact.map({ (x: $0.x.rounded(.towardZero), y: $0.y.rounded(.towardZero)) })
        where corners.last.map({ $0 != point }) ?? true {
            corners.append(point)
        }
        if corners.count > 1, corners[0] == corners[corners.count - 1] { corners.removeLast() }
        guard corners.count > 2 else { return [] }
        let signed = corners.indices.reduce(0.0) { sum, index in
            let a = corners[index], b = corners[(index + 1) % corners.count]
            return sum + a.x * b.y - b.x * a.y
        }
        if signed < 0 { corners.reverse() }
        return border(corners, breadth)
    }

    private static func border(_ corners: [(x: Double, y: Double)], _ breadth: Double) -> [GridPoint] {
        let tolerance = min(arcTolerance, breadth * arcTolerance)
        let steps = min(Double.pi / acos(1 - tolerance / breadth), breadth * Double.pi)
        let (sine, cosine, stepsPerRadian) = (sin(2 * Double.pi / steps), cos(2 * Double.pi / steps), steps / (2 * Double.pi))
        let normals = corners.indices.map { index in
            let a = corners[index], b = corners[(index + 1) % corners.count]
            let scale = 1 / ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
            return (x: (b.y - a.y) * scale, y: -(b.x - a.x) * scale)
        }
        var points: [GridPoint] = []
        for index in corners.indices {
            let corner = corners[index], before = normals[(index + corners.count - 1) % corners.count], after = normals[index]
            func add(_ x: Double, _ y: Double) {
                points.append(GridPoint(x: round(corner.x + x * breadth), y: round(corner.y + y * breadth)))
            }
            let turn = min(max(before.x * after.y - after.x * before.y, -1), 1), straight = before.x * after.x + before.y * after.y
            if abs(turn * breadth) < 1, straight > 0 {
                add(before.x, before.y)
                continue
            }
            var (x, y) = (before.x, before.y)
            for _ in 0..<max(round(stepsPerRadian * abs(atan2(turn, straight))), 1) {
                add(x, y)
                (x, y) = (x * cosine - sine * y, x * sine + y * cosine)
            }
            add(after.x, after.y)
        }
        return points
    }

    /// Halves away from zero.
    private static func round(_ value: Double) -> Int { Int(value < 0 ? value - 0.5 : value + 0.5) }
}
