import Foundation
import Tensors
import Testing

@testable import Imaging

/// Files that are not what they should be: each gets its own reason, none a crash.
struct HostileInputTests {
    private func reason(_ name: String, limits: DecodeLimits = DecodeLimits()) -> PictureError.Reason? {
        do throws(PictureError) {
            _ = try PictureDecoder.decode(path: Fixtures.path(name), limits: limits)
            return nil
        } catch {
            #expect(error.description.contains(name), "the text names the file: \(error)")
            return error.reason
        }
    }

    @Test func filesThatCannotBeRead() {
        #expect(reason("no-such-file.jpg") == .notFound)
        #expect(reason("zero-bytes.jpg") == .empty)
        #expect(reason("text.jpg") == .unrecognised(hint: "text"))
        #expect(reason("video.mp4") == .unrecognised(hint: "a video"))
        #expect(throws: PictureError(.io("this is a folder"), file: Fixtures.folder.path)) {
            try PictureDecoder.decode(path: Fixtures.folder.path)
        }
        #expect(throws: PictureError(.io("not a regular file"), file: "/dev/null")) { try PictureDecoder.decode(path: "/dev/null") }
    }

    @Test(arguments: [
        "truncated.jpg", "truncated.png", "truncated.webp", "truncated.gif", "truncated.tif", "truncated.bmp", "header-only.jpg",
        "bad-checksum.png",
    ])
    func damage(name: String) {
        switch reason(name) {
        case .truncated, .corrupt: break
        case let other: Issue.record("\(name): \(String(describing: other))")
        }
    }

    @Test(arguments: ["bomb.png", "bomb.bmp", "bomb.gif"]) func bombsAreRefusedByTheirHeader(name: String) {
        guard case .tooLarge = reason(name) else {
            Issue.record("\(name): \(String(describing: reason(name)))")
            return
        }
    }

    @Test func limitsAreTheCallers() {
        #expect(reason("rgb.png", limits: DecodeLimits(pixels: 100)) == .tooLarge(width: 32, height: 24, limit: 100))
        if case .fileTooLarge = reason("rgb.png", limits: DecodeLimits(fileBytes: 10)) {
        } else {
            Issue.record("a file over its limit was read")
        }
    }

    @Test func textInsidePNGIsBounded() throws {
        let metadata = try? PictureMetadata.read(path: Fixtures.path("text-bomb.png"))
        #expect((metadata?.title?.count ?? 0) <= MetadataText.longest)
    }

    @Test func svgInAnEncodingThatHidesNames() {
        #expect(reason("utf7.svg") == .unsupported("SVG", "text in the encoding UTF-7"))
    }

    /// The scan header of a progressive picture, again and again.
    @Test func endlessScans() throws {
        let bytes = try Fixtures.bytes("rgb-444-progressive.jpg")
        let starts = bytes.indices.dropLast().filter { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
        let last = try #require(starts.last)
        let scan = bytes[last..<bytes.count - 2]
        let endless = bytes[..<last] + Array(repeatElement(scan, count: 200).joined()) + [0xFF, 0xD9]
        #expect(throws: PictureError(.corrupt(.jpeg, "more than 100 scans"))) { try PictureDecoder.decode(bytes: Array(endless)) }
    }

    @Test func svgReadsNoOtherFile() throws {
        let text = String(decoding: try Fixtures.bytes("external.svg"), as: UTF8.self).replacingOccurrences(
            of: "/FOLDER", with: Fixtures.path(""))
        if let picture = try? PictureDecoder.decode(bytes: Array(text.utf8)) {
            #expect(picture.pixels.allSatisfy { $0 == 255 }, "nothing of another file shows")
        }
        let plain = text.replacingOccurrences(of: "&x;", with: "")
        #expect(try PictureDecoder.decode(bytes: Array(plain.utf8)).pixels.allSatisfy { $0 == 255 })
        #expect(try PictureMetadata.read(bytes: Array(plain.utf8)).title == "t")
    }

    @Test(arguments: ["laughs.svg", "inner-bomb.svg", "huge.svg"]) func svgBombsEnd(name: String) throws {
        let found = reason(name)
        _ = try? PictureMetadata.read(path: Fixtures.path(name))
        #expect(found != nil)
        if name == "inner-bomb.svg" { #expect(found == .tooLarge(width: 30000, height: 30000, limit: DecodeLimits().pixels)) }
    }

    /// Bytes changed, cut and doubled at random, from a fixed seed: results or errors, never a crash.
    @Test func mutatedFilesNeverCrash() throws {
        var generator = RandomGenerator(seed: 42)
        let limits = DecodeLimits(pixels: 1 << 20)
        var decoded = 0, refused = 0
        let files = try Fixtures.names.map(Fixtures.bytes).filter { !$0.isEmpty && $0.count < 20_000 }
        for round in 0..<60 {
            for original in files {
                var bytes = original
                for _ in 0...(round % 4) { mutate(&bytes, &generator) }
                if (try? PictureDecoder.decode(bytes: bytes, shortestUsefulSide: round % 2 == 0 ? nil : 8, limits: limits)) != nil {
                    decoded += 1
                } else {
                    refused += 1
                }
                _ = try? PictureMetadata.read(bytes: bytes, limits: limits)
            }
        }
        #expect(decoded > 100 && refused > 100, "\(decoded) decoded, \(refused) refused")
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout RandomGenerator) {
        guard !bytes.isEmpty else { return }
        // Headers decide more than pixels: half of the changes go there.
        let reach = generator.next() & 1 == 0 ? min(bytes.count, 160) : bytes.count
        let place = Int(generator.next() % UInt64(reach))
        switch generator.next() % 6 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
        case 1: bytes[place] ^= 1 << UInt8(generator.next() % 8)
        case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][Int(generator.next() % 5)]
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + Int(generator.next() % 16)))
        case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
        default: bytes.removeLast(Int(generator.next() % UInt64(bytes.count)))
        }
    }
}
