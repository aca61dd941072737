import Foundation
import Imaging
import ModelKit
import Tensors

/// Reads the text in pictures: finds lines, straightens them, turns those that stand on their heads, and reads each. Pre- and
/// post-processing are rapidocr's, but for bounds where a strip of a picture would grow without end.
public struct PictureReader: Sendable {
    /// Longer sides are shrunk to this before anything is looked for.
    static let longestSide = 2000
    /// Shorter sides are enlarged to this, and to the second before the detector sees them.
    static let shortestSide = 30, detectorSide = 736
    /// The widest a picture may be for its height, the rest is filled with black rows; and the height below which it is filled, too.
    static let widestRatio = 8, lowestHeight = 30
    /// What a picture may grow to on the way: longest side, and pixels for the detector.
    static let longestGrown = 8192, mostPixels = 6 << 20
    /// Lines that are read together, and the longest line: beyond this many times its height it is squeezed.
    static let batch = 6, longestLine: Float = 100

    /// Lines below this score are left out.
    public var minScore: Float
    private let networks: ReadingNetworks
    private let decoder: LineDecoder
    private let regions = TextRegions()

    /// Throws a `RoleError` where the model can't read.
    public init(_ model: LoadedModel, name: String, minScore: Float = 0.5) throws {
        guard let networks = model.reading else {
            throw RoleError(
                model: name, role: "reader of text",
                reason: "\(model.family) reads no text; fetch one with `sensorium models pull ppocr-small`")
        }
        self.init(networks, minScore: minScore)
    }

    public init(_ networks: ReadingNetworks, minScore: Float = 0.5) {
        self.networks = networks
        self.minScore = minScore
        decoder = LineDecoder(characters: networks.recognizer.characters)
    }

    /// The lines of a picture in reading order: from top to bottom, and where they begin at nearly one height from left to right.
    public func read(_ picture: Picture) throws -> [TextLine] {
        let within = try Self.withinBounds(picture)
        let border = Self.border(width: within.width, height: within.height)
        let padded = border > 0 ? try within.bordered(above: border, below: border) : within
        let found = try Self.inReadingOrder(find(padded)).compactMap { box in try Self.line(padded, box).map { (box: box, line: $0) } }
        let texts = try read(lines: upright(found.map(\.line)))
        let scaleX = Float(picture.width) / Float(within.width), scaleY = Float(picture.height) / Float(within.height)
        return zip(found, texts).compactMap { place, read in
            guard read.score >= minScore, read.text.contains(where: { !$0.isWhitespace }) else { return nil }
            let corners = place.box.map { corner in
                PicturePoint(
                    x: min(max(corner.x * scaleX, 0), Float(picture.width)),
                    y: min(max((corner.y - Float(border)) * scaleY, 0), Float(picture.height)))
            }
            return TextLine(text: read.text, score: read.score, corners: corners)
        }
    }

    // MARK: The picture

    static func withinBounds(_ picture: Picture) throws -> Picture {
        var picture = picture
        func resized(_ ratio: Double) throws -> Picture {
            func side(_ length: Int) -> Int { max(multiple(Int(Double(length) * ratio), of: 32), 32) }
            return try picture.resizedBilinearly(
                width: min(side(picture.width), longestGrown), height: min(side(picture.height), longestGrown))
        }
        let long = max(picture.width, picture.height)
        if long > longestSide { picture = try resized(Double(longestSide) / Double(long)) }
        let short = min(picture.width, picture.height)
        if short < shortestSide { picture = try resized(Double(shortestSide) / Double(short)) }
        return picture
    }

    /// The nearest multiple, halves to even.
    static func multiple(_ length: Int, of step: Int) -> Int { Int((Double(length) / Double(step)).rounded(.toNearestOrEven)) * step }

    /// Black rows above and below that a low or wide picture gets: at the margins of pictures this wide lines are missed.
    static func border(width: Int, height: Int) -> Int {
        guard height <= lowestHeight || width > widestRatio * height else { return 0 }
        return abs(max(width / widestRatio, lowestHeight) * 2 - height) / 2
    }

    // MARK: Lines

    /// What the detector is given: sides that are multiples of its own, the shorter one long enough.
    func detectorPixels(_ picture: Picture) throws -> Tensor {
        let step = networks.detector.sideMultiple, short = min(picture.width, picture.height)
        var ratio = short < Self.detectorSide ? Double(Self.detectorSide) / Double(short) : 1
        let area = Double(picture.width) * Double(picture.height) * ratio * ratio, long = Double(max(picture.width, picture.height)) * ratio
        if area > Double(Self.mostPixels) { ratio *= (Double(Self.mostPixels) / area).squareRoot() }
        if long > Double(Self.longestGrown) { ratio = min(ratio, Double(Self.longestGrown) / Double(max(picture.width, picture.height))) }
        func side(_ length: Int) -> Int { max(Self.multiple(Int(Double(length) * ratio), of: step), step) }
        return Self.pixels(try picture.resizedBilinearly(width: side(picture.width), height: side(picture.height)))
    }

    private func find(_ picture: Picture) throws -> [[PicturePoint]] {
        let pixels = try detectorPixels(picture)
        let map = try networks.detector.probabilities(pixels: pixels).contiguous()  // [1, 1, rows, columns]
        return map.withElements(Float.self) {
            regions.boxes($0, rows: map.dim(2), columns: map.dim(3), width: picture.width, height: picture.height)
        }
    }

    /// By the first corner: a row ends where the next box begins ten pixels or more below its neighbour.
    static func inReadingOrder(_ boxes: [[PicturePoint]]) -> [[PicturePoint]] {
        func sorted(_ boxes: [[PicturePoint]], _ key: (PicturePoint) -> Float) -> [[PicturePoint]] {
            boxes.enumerated().sorted { a, b in
                let (x, y) = (key(a.element[0]), key(b.element[0]))
                return x == y ? a.offset < b.offset : x < y
            }.map(\.element)
        }
        var rows: [[[PicturePoint]]] = []
        for box in sorted(boxes, { $0.y }) {
            if let last = rows.last?.last, box[0].y - last[0].y < 10 { rows[rows.count - 1].append(box) } else { rows.append([box]) }
        }
        return rows.flatMap { row in sorted(row, { $0.x }) }
    }

    /// A box cut out and straightened; what is higher than wide is turned to lie.
    static func line(_ picture: Picture, _ box: [PicturePoint]) throws -> Picture? {
        let width = Int(max(box[0].distance(to: box[1]), box[2].distance(to: box[3])))
        let height = Int(max(box[0].distance(to: box[3]), box[1].distance(to: box[2])))
        guard width > 0, height > 0, let line = try picture.straightened(box, width: width, height: height) else { return nil }
        return Double(height) / Double(width) >= 1.5 ? line.turnedLeft() : line
    }

    // MARK: Reading

    private func upright(_ lines: [Picture]) throws -> [Picture] {
        guard let direction = networks.direction else { return lines }
        var result = lines
        for part in Self.batches(lines) {
            let width = direction.lineWidth, height = direction.lineHeight
            let pixels = try part.map { try Self.linePixels(lines[$0], height: height, width: width) }
            let probabilities = try direction.logits(pixels: .stacked(pixels)).softmax().floats()
            for (row, index) in part.enumerated() where probabilities[row * 2 + 1] > 0.9 { result[index] = lines[index].turnedByHalf() }
        }
        return result
    }

    private func read(lines: [Picture]) throws -> [(text: String, score: Float)] {
        var found = [(text: String, score: Float)](repeating: ("", 0), count: lines.count)
        for part in Self.batches(lines) {
            let features = try networks.recognizer.features(pixels: recognizerPixels(part.map { lines[$0] }))
            for (row, index) in part.enumerated() {
                // One line's scores at a time: those of a batch would take hundreds of megabytes.
                found[index] = decoder.decode(try networks.recognizer.logits(features: features.selected(0, row)))
            }
        }
        return found
    }

    /// Lines of one batch as the recogniser wants them, `[n, 3, height, width]`: as wide as the longest needs, 320 pixels at least.
    func recognizerPixels(_ lines: [Picture]) throws -> Tensor {
        let height = networks.recognizer.lineHeight
        let ratios = lines.map { Double($0.width) / Double($0.height) }
        let widest = min(ratios.reduce(320.0 / 48) { max($0, $1) }, Double(Self.longestLine))
        let width = Int(Double(height) * widest)
        return try .stacked(lines.map { try Self.linePixels($0, height: height, width: width) })
    }

    /// Indices of lines of similar proportions, narrow ones first.
    static func batches(_ lines: [Picture]) -> [[Int]] {
        let ratios = lines.map { Double($0.width) / Double($0.height) }
        let order = lines.indices.sorted { ratios[$0] == ratios[$1] ? $0 < $1 : ratios[$0] < ratios[$1] }
        return stride(from: 0, to: order.count, by: batch).map { Array(order[$0..<min($0 + batch, order.count)]) }
    }

    /// A line of the wanted height at the left of `width` columns, nothing right of it.
    static func linePixels(_ line: Picture, height: Int, width: Int) throws -> Tensor {
        let natural = (Double(height) * (Double(line.width) / Double(line.height))).rounded(.up)
        let used = min(max(Int(min(natural, Double(width))), 1), width)
        let shown = pixels(try line.resizedBilinearly(width: used, height: height))
        return try shown.padded([(0, 0), (0, 0), (0, 0), (0, width - used)]).squeezed(0)
    }

    /// `[1, 3, height, width]` from -1 to 1, blue first.
    static func pixels(_ picture: Picture) -> Tensor {
        let area = picture.width * picture.height
        return Tensor.makeFloats([1, 3, picture.height, picture.width]) { out in
            picture.pixels.withUnsafeBufferPointer { bytes in
                for place in 0..<area {
                    for channel in 0..<3 { out[channel * area + place] = (Float(bytes[place * 3 + 2 - channel]) / 255 - 0.5) / 0.5 }
                }
            }
        }
    }
}
