import Foundation
import Imaging
import Tensors

/// Where text lies, from a detector's probabilities: the post-processing of differentiable binarisation (Liao et al. 2020) as rapidocr
/// has it.
struct TextRegions: Sendable {
    /// Above this a pixel is of text.
    var threshold: Float = 0.3
    /// Mean probability of a box that is kept.
    var boxThreshold: Double = 0.5
    /// How much of its area over its outline a box grows on each side: the network has learnt shrunken ones.
    var growth = 1.6
    var mostBoxes = 1000

    /// Corners of each region in a picture of `width` x `height`: top left, top right, bottom right, bottom left.
    /// - Parameter map: `rows * columns` probabilities.
    func boxes(_ map: UnsafeBufferPointer<Float>, rows: Int, columns: Int, width: Int, height: Int) -> [[PicturePoint]] {
        let mask = dilated(map, rows: rows, columns: columns)
        let components = PixelComponents(mask: mask, width: columns, height: rows, limit: mostBoxes)
        return components.outlines.compactMap { points in
            guard let rectangle = SmallestRectangle(around: ConvexHull(of: points)), rectangle.shorterSide >= 3 else { return nil }
            let shrunken = Self.ordered(rectangle.corners)
            guard score(shrunken, map, rows: rows, columns: columns) >= boxThreshold else { return nil }
            let grown = ConvexHull(of: PolygonOffset.grown(shrunken, by: growth))
            guard let whole = SmallestRectangle(around: grown), whole.shorterSide >= 5 else { return nil }
            let scaled = Self.ordered(whole.corners).map { corner in
                PicturePoint(
                    x: min(max((corner.x / Float(columns) * Float(width)).rounded(.toNearestOrEven), 0), Float(width)),
                    y: min(max((corner.y / Float(rows) * Float(height)).rounded(.toNearestOrEven), 0), Float(height)))
            }
            return Self.inside(scaled, width: width, height: height)
        }
    }

    /// Pixels of text, each spread to the right and down by one.
    private func dilated(_ map: UnsafeBufferPointer<Float>, rows: Int, columns: Int) -> [UInt8] {
        var mask = [UInt8](repeating: 0, count: rows * columns)
        for y in 0..<rows {
            for x in 0..<columns where map[y * columns + x] > threshold {
                mask[y * columns + x] = 1
                if x + 1 < columns { mask[y * columns + x + 1] = 1 }
                if y + 1 < rows { mask[(y + 1) * columns + x] = 1 }
                if x + 1 < columns, y + 1 < rows { mask[(y + 1) * columns + x + 1] = 1 }
            }
        }
        return mask
    }

    /// Top left, top right, bottom right, bottom left: the two leftmost points by height, then the two rightmost.
    static func ordered(_ corners: [PicturePoint]) -> [PicturePoint] {
        let p = corners.enumerated().sorted { $0.element.x == $1.element.x ? $0.offset < $1.offset : $0.element.x < $1.element.x }.map(
            \.element)
        let left = p[1].y > p[0].y ? (p[0], p[1]) : (p[1], p[0]), right = p[3].y > p[2].y ? (p[2], p[3]) : (p[3], p[2])
        return [left.0, right.0, right.1, left.1]
    }

    /// The mean probability within a box.
    private func score(_ box: [PicturePoint], _ map: UnsafeBufferPointer<Float>, rows: Int, columns: Int) -> Double {
        func clamped(_ value: Float, _ count: Int) -> Int { Int(min(max(value, 0), Float(count - 1))) }
        let left = clamped(box.map(\.x).min()!.rounded(.down), columns), right = clamped(box.map(\.x).max()!.rounded(.up), columns)
        let top = clamped(box.map(\.y).min()!.rounded(.down), rows), bottom = clamped(box.map(\.y).max()!.rounded(.up), rows)
        let corners = box.map { GridPoint(x: Int($0.x - Float(left)), y: Int($0.y - Float(top))) }
        var (sum, count) = (0.0, 0)
        for (row, span) in ConvexFill(corners, rows: bottom - top + 1).spans.enumerated() {
            let from = max(span.from, 0), through = min(span.through, right - left)
            if from > through { continue }
            for x in from...through { sum += Double(map[(top + row) * columns + left + x]) }
            count += through - from + 1
        }
        return count > 0 ? sum / Double(count) : 0
    }

    /// Corners that lie in the picture, as whole numbers; nil for a box too small to hold text.
    private static func inside(_ box: [PicturePoint], width: Int, height: Int) -> [PicturePoint]? {
        let sorted = box.enumerated().sorted { $0.element.x == $1.element.x ? $0.offset < $1.offset : $0.element.x < $1.element.x }.map(
            \.element)
        func pair(_ a: PicturePoint, _ b: PicturePoint) -> (PicturePoint, PicturePoint) { b.y < a.y ? (b, a) : (a, b) }
        let left = pair(sorted[0], sorted[1]), right = pair(sorted[2], sorted[3])
        let corners = [left.0, right.0, right.1, left.1].map {
            PicturePoint(
                x: min(max($0.x, 0), Float(width - 1)).rounded(.towardZero), y: min(max($0.y, 0), Float(height - 1)).rounded(.towardZero))
        }
        guard Int(corners[0].distance(to: corners[1])) > 3, Int(corners[0].distance(to: corners[3])) > 3 else { return nil }
        return corners
    }
}

/// Pixels of a convex polygon, its outline among them, row by row.
private struct ConvexFill {
    private(set) var spans: [(from: Int, through: Int)]

    init(_ corners: [GridPoint], rows: Int) {
        spans = [(from: Int, through: Int)](repeating: (Int.max, Int.min), count: rows)
        for (index, corner) in corners.enumerated() { draw(corner, corners[(index + 1) % corners.count]) }
    }

    /// Bresenham's line widens the rows that it crosses.
    private mutating func draw(_ a: GridPoint, _ b: GridPoint) {
        let dx = abs(b.x - a.x), dy = abs(b.y - a.y), sx = a.x < b.x ? 1 : -1, sy = a.y < b.y ? 1 : -1
        var (x, y, error) = (a.x, a.y, dx - dy)
        while true {
            if spans.indices.contains(y) { spans[y] = (min(spans[y].from, x), max(spans[y].through, x)) }
            if x == b.x && y == b.y { return }
            let doubled = 2 * error
            if doubled > -dy { (error, x) = (error - dy, x + sx) }
            if doubled < dx { (error, y) = (error + dx, y + sy) }
        }
    }
}
