import Foundation
import Testing

@testable import Imaging

/// Every format against Pillow's pixels.
struct DecodeTests {
    struct Case: Decodable, Sendable {
        var file: String
        var width: Int
        var height: Int
        var tolerance: Int
        var pixels: String
    }

    struct Golden: Decodable {
        var cases: [Case]
        var images: [String: Data]
    }

    @Test func everyFormatEqualsPillow() throws {
        let golden: Golden = try Fixtures.golden("decode.json")
        #expect(golden.cases.count > 40)
        for item in golden.cases {
            let picture = try PictureDecoder.decode(path: Fixtures.path(item.file))
            #expect(picture.width == item.width && picture.height == item.height, "\(item.file)")
            let difference = Fixtures.largestDifference(picture.pixels, [UInt8](golden.images[item.pixels]!))
            #expect(difference <= item.tolerance, "\(item.file): differs by \(difference)")
        }
    }

    @Test func svgIsDrawnAtItsOwnOrTheUsefulSize() throws {
        let natural = try PictureDecoder.decode(path: Fixtures.path("drawing.svg"))
        #expect(natural.width == 40 && natural.height == 20)
        #expect(Array(natural.pixels[(10 * 40 + 5) * 3..<(10 * 40 + 5) * 3 + 3]) == [255, 0, 0])
        #expect(Array(natural.pixels[(10 * 40 + 25) * 3..<(10 * 40 + 25) * 3 + 3]) == [0, 0, 255])
        #expect(Array(natural.pixels[(10 * 40 + 35) * 3..<(10 * 40 + 35) * 3 + 3]) == [255, 255, 255], "transparent is white")
        let large = try PictureDecoder.decode(path: Fixtures.path("drawing.svg"), shortestUsefulSide: 64)
        #expect(large.width == 128 && large.height == 64)
        let small = try PictureDecoder.decode(path: Fixtures.path("drawing.svg"), shortestUsefulSide: 10)
        #expect(small.width == 20 && small.height == 10)
    }

    @Test func wideCharactersOfSVG() throws {
        let wide = try Fixtures.bytes("drawing-utf16.svg")
        #expect(try PictureDecoder.decode(bytes: wide) == PictureDecoder.decode(path: Fixtures.path("drawing.svg")))
        #expect(try PictureMetadata.read(bytes: wide).title == "Red square")
        // The same in the other byte order.
        let swapped = stride(from: 0, to: wide.count, by: 2).flatMap { [wide[$0 + 1], wide[$0]] }
        #expect(try PictureDecoder.decode(bytes: swapped) == PictureDecoder.decode(bytes: wide))
    }

    /// A scene with soft and hard edges, as large as photographs are, on both sides of each factor.
    @Test(arguments: [1, 2, 4, 8]) func reductionChangesAtTheMargin(factor: Int) throws {
        let useful = 60
        let picture = try Fixtures.noise(12, 9, seed: 5).resized(width: useful * 2 * factor + 31, height: useful * 2 * factor)
        let bytes = try picture.encoded(as: .jpeg(quality: 92))
        let exact = try PictureDecoder.decode(bytes: bytes)
        #expect(exact.width == picture.width && exact.height == picture.height)
        let reduced = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: useful)
        #expect(reduced.height == useful * 2 && reduced.width == (picture.width + factor - 1) / factor)
        let safer = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: useful + 1)
        #expect(safer.height == (factor == 1 ? exact.height : useful * 4))
        // What a model sees of it: a grid that is shifted by a pixel would differ by over ten.
        let transform = try ImageTransform(resize: .shortestEdge(useful), crop: .init(height: useful, width: useful))
        let a = try transform.apply(exact).floats(), b = try transform.apply(reduced).floats()
        let mean = zip(a, b).reduce(Float(0)) { $0 + abs($1.0 - $1.1) } / Float(a.count)
        #expect(mean < 2.0 / 255, "factor \(factor): \(mean * 255) of 255")
    }

    @Test func reducedDecodingKeepsTwiceTheUsefulSide() throws {
        let picture = try Fixtures.noise(700, 420, seed: 3).resized(width: 70, height: 42, filter: .box).resized(width: 700, height: 420)
        for encoding in [PictureEncoding.jpeg(quality: 95), .webp(quality: 95)] {
            let bytes = try picture.encoded(as: encoding)
            let exact = try PictureDecoder.decode(bytes: bytes)
            #expect(exact.width == 700 && exact.height == 420)
            for useful in [20, 30, 50, 52, 53, 100, 200, 300] {
                let reduced = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: useful)
                #expect(reduced.height >= min(420, useful * 2), "\(encoding) \(useful) gave \(reduced.height)")
                #expect(useful > 100 || reduced.height < 420)
                let a = try exact.resized(width: 50, height: 30).pixels, b = try reduced.resized(width: 50, height: 30).pixels
                let mean = zip(a, b).reduce(0.0) { $0 + abs(Double($1.0) - Double($1.1)) } / Double(a.count)
                #expect(mean < 2.5, "\(encoding) at \(useful): mean difference \(mean)")
            }
        }
    }

    @Test func losslessWritersGiveThePixelsBack() throws {
        let picture = try Fixtures.noise(33, 17, seed: 1)
        #expect(try PictureDecoder.decode(bytes: picture.encoded(as: .png())) == picture)
        #expect(try PictureDecoder.decode(bytes: picture.encoded(as: .losslessWebP)) == picture)
        #expect(PictureFormat.detect(try picture.encoded(as: .jpeg())) == .jpeg)
        #expect(PictureFormat.detect(try picture.encoded(as: .webp())) == .webp)
    }

    @Test func namesNeedNotBeUTF8() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("imaging-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = FilePath(bytes: Array(folder.path.utf8) + [0x2F, 0xE9, 0xFF, 0x80, 0x2E, 0x6A])
        let bytes = try Fixtures.bytes("rgb.jpg")
        let file = (path.bytes + [0]).withUnsafeBufferPointer {
            fopen(UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self), "w")
        }
        try #require(file != nil)
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        #expect(try PictureDecoder.decode(path: path) == PictureDecoder.decode(bytes: bytes))
        #expect(try ContentHash(ofFile: path) == ContentHash(of: bytes))
        unlink((path.bytes.map(CChar.init(bitPattern:)) + [0]))
    }

    @Test func manyThreadsGiveTheSamePixels() async throws {
        let bytes = try ["rgb.jpg", "alpha.png", "lossy.webp", "display-p3.jpg", "animated.gif", "drawing.svg", "truncated.jpg"].map(
            Fixtures.bytes)
        let expected = bytes.map { try? PictureDecoder.decode(bytes: $0) }
        await withTaskGroup(of: Bool.self) { group in
            for task in 0..<8 {
                group.addTask {
                    (0..<40).allSatisfy { round in
                        let index = (round + task) % bytes.count
                        return (try? PictureDecoder.decode(bytes: bytes[index])) == expected[index]
                    }
                }
            }
            for await same in group { #expect(same) }
        }
    }
}
