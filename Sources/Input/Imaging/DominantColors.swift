/// The few colours that make up a picture.
public enum DominantColors {
    /// A colour and the part of the picture, 0 to 1, that is nearest to it.
    public struct Entry: Sendable, Equatable {
        public var color: Color
        public var share: Double
    }

    /// Up to `count` colours, the largest share first. k-means in OKLab over at most 64x64 pixels; the same picture always gives the same colours.
    public static func extract(from picture: Picture, count: Int = 5) throws(PictureError) -> [Entry] {
        guard (1...64).contains(count) else { throw PictureError(.invalid("1 to 64 dominant colours can be told, not \(count)")) }
        let small = try picture.resized(width: min(picture.width, 64), height: min(picture.height, 64), filter: .box)
        let points = stride(from: 0, to: small.pixels.count, by: 3).map {
            OKLab(Color(red: small.pixels[$0], green: small.pixels[$0 + 1], blue: small.pixels[$0 + 2]))
        }
        var centers = seeds(points, count)
        var assigned = [Int](repeating: 0, count: points.count)
        for _ in 0..<24 {
            let before = assigned
            for index in points.indices { assigned[index] = nearest(points[index], centers) }
            centers = means(points, assigned, centers)
            if before == assigned { break }
        }
        return entries(points, assigned, centers)
    }

    /// The mean first, then always the point that is worst served: no randomness.
    private static func seeds(_ points: [OKLab], _ count: Int) -> [OKLab] {
        var centers = means(points, [Int](repeating: 0, count: points.count), [points[0]])
        var distances = points.map { $0.squaredDistance(to: centers[0]) }
        while centers.count < count {
            guard let worst = distances.indices.max(by: { distances[$0] < distances[$1] }), distances[worst] > 1e-4 else { break }
            centers.append(points[worst])
            for index in points.indices { distances[index] = min(distances[index], points[index].squaredDistance(to: points[worst])) }
        }
        return centers
    }

    private static func nearest(_ point: OKLab, _ centers: [OKLab]) -> Int {
        var best = 0, distance = Double.infinity
        for (index, center) in centers.enumerated() {
            let candidate = point.squaredDistance(to: center)
            if candidate < distance { (best, distance) = (index, candidate) }
        }
        return best
    }

    private static func means(_ points: [OKLab], _ assigned: [Int], _ old: [OKLab]) -> [OKLab] {
        var sums = [OKLab](repeating: OKLab(lightness: 0, a: 0, b: 0), count: old.count)
        var counts = [Double](repeating: 0, count: old.count)
        for (point, center) in zip(points, assigned) {
            sums[center].lightness += point.lightness
            sums[center].a += point.a
            sums[center].b += point.b
            counts[center] += 1
        }
        return old.indices.map { index in
            guard counts[index] > 0 else { return old[index] }
            return OKLab(
                lightness: sums[index].lightness / counts[index], a: sums[index].a / counts[index], b: sums[index].b / counts[index])
        }
    }

    private static func entries(_ points: [OKLab], _ assigned: [Int], _ centers: [OKLab]) -> [Entry] {
        var shares: [Color: Double] = [:]
        var order: [Color] = []
        for index in centers.indices {
            let members = assigned.reduce(0) { $0 + ($1 == index ? 1 : 0) }
            guard members > 0 else { continue }
            let color = centers[index].color
            if shares[color] == nil { order.append(color) }
            shares[color, default: 0] += Double(members) / Double(points.count)
        }
        return order.enumerated().sorted { (shares[$0.element]!, $1.offset) > (shares[$1.element]!, $0.offset) }
            .map { Entry(color: $0.element, share: shares[$0.element]!) }
    }
}
