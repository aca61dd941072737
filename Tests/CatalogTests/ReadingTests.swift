import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Text in pictures by the real weights, beside rapidocr and onnxruntime; and the geometry alone.
@Suite struct ReadingTests {
    static let folder = Golden.root.appendingPathComponent("Tests/Fixtures/reading")
    static let hasModel = RealWeightTests.has("ppocr-small")

    private static func lines() throws -> [String: [[String: Any]]] {
        let data = try Data(contentsOf: folder.appendingPathComponent("lines.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: [[String: Any]]])
    }

    static let names = ((try? lines()) ?? [:]).keys.sorted()

    private func picture(_ name: String) throws -> Picture {
        if name.hasSuffix(".png") { return try PictureDecoder.decode(path: Self.folder.appendingPathComponent(name).path) }
        let package = try #require(ModelPackage.named("photographs/coco45"))
        return try PictureDecoder.decode(path: RealWeightTests.cache.path(of: package) + "/" + name)
    }

    private func networks() throws -> ReadingNetworks {
        let package = try #require(ModelPackage.named("ppocr-small"))
        return try #require(try Catalog.load(path: RealWeightTests.cache.path(of: package)).reading)
    }

    /// Texts and scores as rapidocr's; corners to the pixel.
    @Test(.enabled(if: hasModel, "needs `make weights`"), arguments: names) func linesAreTheReferences(_ name: String) throws {
        let expected = try #require(Self.lines()[name])
        let found = try PictureReader(networks()).read(picture(name))
        #expect(found.map(\.text) == expected.map { $0["text"] as? String ?? "" })
        for (line, stored) in zip(found, expected) {
            let score = try #require(stored["score"] as? Double), corners = try #require(stored["corners"] as? [[Double]])
            #expect(abs(Double(line.score) - score) < 2e-3, "\(line.text)")
            for (corner, place) in zip(line.corners, corners) {
                #expect(abs(Double(corner.x) - place[0]) <= 1 && abs(Double(corner.y) - place[1]) <= 1, "\(line.text): \(corner) \(place)")
            }
        }
    }

    @Test(.enabled(if: hasModel && RealWeightTests.has("photographs/coco45"), "needs `make weights`"))
    func mapsAreTheReferences() throws {
        let file = try SafetensorsFile(path: Self.folder.appendingPathComponent("networks.safetensors").path)
        let networks = try networks(), reader = PictureReader(networks)
        let names = file.entries.map(\.name).filter { $0.hasPrefix("map.") }
        #expect(names.count == 4)
        for name in names {
            let picture = try PictureReader.withinBounds(picture(String(name.dropFirst(4))))
            let border = PictureReader.border(width: picture.width, height: picture.height)
            let map = try networks.detector.probabilities(pixels: reader.detectorPixels(picture.bordered(above: border, below: border)))
            let found = try map.sliced(2, 0..<map.dim(2), step: 8).sliced(3, 0..<map.dim(3), step: 8)
            let expected = try file.tensor(name)
            let difference = TensorDifference(try found.contiguous().reshaped(expected.shape), expected)
            #expect(difference.isWithin(1e-4), "\(name): \(difference)")
            print("parity on real weights, \(name): worst absolute difference \(difference.worst)")
        }
    }

    /// From the pixels of a picture, cut at the reference's corners, to the probabilities of characters.
    @Test(.enabled(if: hasModel, "needs `make weights`"), arguments: ["english.png", "chinese.png", "receipt.png"])
    func probabilitiesAreTheReferences(_ name: String) throws {
        let file = try SafetensorsFile(path: Self.folder.appendingPathComponent("networks.safetensors").path)
        let networks = try networks(), reader = PictureReader(networks), picture = try picture(name)
        let corners = try file.tensor("corners.\(name)"), values = corners.floats()
        let lines = try (0..<corners.dim(0)).map { line in
            let box = (0..<4).map { PicturePoint(x: values[line * 8 + $0 * 2], y: values[line * 8 + $0 * 2 + 1]) }
            return try #require(try PictureReader.line(picture, box))
        }
        let features = try networks.recognizer.features(pixels: reader.recognizerPixels(lines))
        let found = try networks.recognizer.logits(features: features).softmax()
        let best = try found.argmax(-1), expected = try file.tensor("best.\(name)")
        #expect(best.ints() == expected.ints())
        let top = TensorDifference(try found.max([-1]), try file.tensor("probability.\(name)"))
        let sample = TensorDifference(try found.sliced(2, 0..<found.dim(2), step: 97).contiguous(), try file.tensor("sample.\(name)"))
        #expect(top.isWithin(1e-4) && sample.isWithin(1e-4), "\(top) \(sample)")
        print("parity on real weights, lines of \(name): worst absolute difference \(max(top.worst, sample.worst))")
    }

    // MARK: Geometry

    @Test func smallestRectangleOfASlantedShape() throws {
        // OpenCV 5's minAreaRect and boxPoints of the same points.
        let points = [(0, 0), (3, 0), (8, 4), (8, 6), (2, 5)].map { GridPoint(x: $0.0, y: $0.1) }
        let found = try #require(SmallestRectangle(around: ConvexHull(of: points))).corners
        let expected: [(Float, Float)] = [(8, 6), (-0.75675642, 4.54054069), (0.08108107, -0.4864862), (8.837838, 0.972973)]
        for (corner, place) in zip(found, expected) {
            #expect(abs(corner.x - place.0) < 1e-5 && abs(corner.y - place.1) < 1e-5, "\(corner)")
        }
    }

    @Test func degenerateShapesHaveNoRectangle() {
        for points in [[], [(3, 3)], [(0, 0), (9, 9)], [(0, 0), (4, 4), (9, 9)], [(2, 2), (2, 2), (2, 2)]] as [[(Int, Int)]] {
            #expect(SmallestRectangle(around: ConvexHull(of: points.map { GridPoint(x: $0.0, y: $0.1) })) == nil)
        }
        let point = PicturePoint(x: 4, y: 4),
            line = [PicturePoint(x: 0, y: 0), PicturePoint(x: 9, y: 0), PicturePoint(x: 9, y: 0.5), point]
        #expect(PolygonOffset.grown([point, point, point, point], by: 1.6).isEmpty)
        #expect(PolygonOffset.grown([PicturePoint(x: .nan, y: 0)] + line.dropFirst(), by: 1.6).isEmpty)
    }

    @Test func anOffsetHasRoundCorners() {
        let box = [(10, 10), (50, 10), (50, 30), (10, 30)].map { PicturePoint(x: Float($0.0), y: Float($0.1)) }
        let points = PolygonOffset.grown(box, by: 5.3 * 120 / 800)
        #expect(points.map(\.x).min() == 5 && points.map(\.x).max() == 55 && points.map(\.y).min() == 5 && points.map(\.y).max() == 35)
        #expect(points.contains(GridPoint(x: 53, y: 6)) && !points.contains(GridPoint(x: 55, y: 5)))
        // A box given the other way round is the same one; decimals are cut off.
        #expect(Set(PolygonOffset.grown(box.reversed(), by: 5.3 * 120 / 800)) == Set(points))
    }

    /// What OpenCV's findContours lists, from the last in scanning order to the first: holes are outlines, too.
    @Test func partsAndHoles() {
        var mask = [UInt8](repeating: 0, count: 40 * 40)
        func fill(_ x: Range<Int>, _ y: Range<Int>, _ value: UInt8) { for row in y { for column in x { mask[row * 40 + column] = value } } }
        fill(2..<6, 2..<6, 1)
        fill(20..<26, 2..<6, 1)
        fill(5..<20, 15..<30, 1)
        fill(8..<12, 18..<22, 0)
        fill(12..<13, 24..<25, 0)
        let outlines = PixelComponents(mask: mask, width: 40, height: 40, limit: 100).outlines
        let bounds = outlines.map { points in
            [points.map(\.x).min() ?? -1, points.map(\.y).min() ?? -1, points.map(\.x).max() ?? -1, points.map(\.y).max() ?? -1]
        }
        #expect(bounds == [[11, 23, 13, 25], [7, 17, 12, 22], [5, 15, 19, 29], [20, 2, 25, 5], [2, 2, 5, 5]])
        #expect(PixelComponents(mask: mask, width: 40, height: 40, limit: 2).outlines.count == 2)
        // Corners join parts and don't join holes.
        let diagonal: [UInt8] = [1, 0, 0, 1]
        #expect(PixelComponents(mask: diagonal, width: 2, height: 2, limit: 9).outlines.count == 1)
    }

    @Test func boxesOfAMap() {
        var map = [Float](repeating: 0.01, count: 64 * 96)
        for y in 20..<30 { for x in 10..<60 { map[y * 96 + x] = 0.95 } }
        // A part that is too faint, and one that is too thin.
        for y in 40..<50 { for x in 10..<60 { map[y * 96 + x] = 0.4 } }
        map[60 * 96 + 5] = 1
        let boxes = map.withUnsafeBufferPointer { TextRegions().boxes($0, rows: 64, columns: 96, width: 192, height: 128) }
        // rapidocr's DBPostProcess of the same map.
        #expect(boxes == [[(6, 26), (134, 26), (134, 74), (6, 74)].map { PicturePoint(x: Float($0.0), y: Float($0.1)) }])
        let wild = [Float](repeating: .nan, count: 64 * 96)
        #expect(wild.withUnsafeBufferPointer { TextRegions().boxes($0, rows: 64, columns: 96, width: 192, height: 128) }.isEmpty)
    }

    @Test func readingOrderIsByRows() {
        func box(_ x: Float, _ y: Float) -> [PicturePoint] {
            [PicturePoint(x: x, y: y)] + [PicturePoint](repeating: PicturePoint(x: 0, y: 0), count: 3)
        }
        let ordered = PictureReader.inReadingOrder([box(90, 4), box(5, 50), box(50, 9), box(3, 0), box(8, 18)])
        #expect(ordered.map { $0[0].x } == [3, 8, 50, 90, 5])
    }

    // MARK: Hostile pictures

    /// Strips of any shape stay within bounds on the way to the networks.
    @Test(arguments: [(1, 1), (30_000, 1), (1, 30_000), (2, 4000), (4000, 2), (9000, 700), (20, 2000), (2000, 20)])
    func sizesAreBounded(_ size: (width: Int, height: Int)) throws {
        let picture = try Picture(
            width: size.width, height: size.height, pixels: [UInt8](repeating: 90, count: size.width * size.height * 3))
        let within = try PictureReader.withinBounds(picture)
        #expect(within.width <= PictureReader.longestGrown && within.height <= PictureReader.longestGrown)
        let border = PictureReader.border(width: within.width, height: within.height)
        let padded = try within.bordered(above: border, below: border)
        let pixels = try PictureReader(tiny()).detectorPixels(padded)
        #expect(pixels.dim(2) % 32 == 0 && pixels.dim(3) % 32 == 0 && pixels.dim(2) * pixels.dim(3) <= PictureReader.mostPixels * 11 / 10)
        #expect(pixels.dim(2) <= PictureReader.longestGrown && pixels.dim(3) <= PictureReader.longestGrown)
    }

    @Test func aTinyModelReadsAnything() throws {
        let reader = PictureReader(try tiny(), minScore: 0)
        for name in Self.names { _ = try reader.read(picture(name)) }
    }

    private func tiny() throws -> ReadingNetworks {
        let golden = try #require(ParityTests.goldens.first { $0.has("line_probabilities") })
        return try #require(try Catalog.load(path: golden.path).reading)
    }

    @Test func aLineAcrossTheHorizonIsNoCrash() throws {
        let picture = try picture("label.png")
        let far = [(-1e9, -1e9), (1e9, -5), (60, 20), (-3, 1e9)].map { PicturePoint(x: $0.0, y: $0.1) }
        #expect(try picture.straightened(far, width: 40, height: 20)?.width == 40)
        let folded = [PicturePoint](repeating: PicturePoint(x: 3, y: 3), count: 4)
        _ = try picture.straightened(folded, width: 4, height: 4)
        #expect(try picture.straightened([PicturePoint(x: .nan, y: 0)] + folded.dropFirst(), width: 4, height: 4) == nil)
        #expect(throws: PictureError.self) { try picture.straightened(far, width: 0, height: 4) }
    }

    @Test func decodingDropsBlanksAndRepetitions() throws {
        let decoder = LineDecoder(characters: ["", "你", "好", " "])
        let classes = [0, 1, 1, 0, 1, 2, 3, 2, 0]
        var scores = [Float](repeating: 0, count: classes.count * 4)
        for (step, best) in classes.enumerated() { scores[step * 4 + best] = 20 }
        let read = decoder.decode(try Tensor(scores, [classes.count, 4]))
        #expect(read.text == "你你好 好" && read.score > 0.9999)
        #expect(decoder.decode(try Tensor([Float](repeating: 1, count: 8), [2, 4])).text.isEmpty)
    }
}
