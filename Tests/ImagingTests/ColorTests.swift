import Testing

@testable import Imaging

struct ColorTests {
    @Test(arguments: [
        ("#c02020", "#c02020"), ("C02020", "#c02020"), ("#c22", "#cc2222"), ("red", "#ff0000"), ("红", "#ff0000"), ("红色", "#ff0000"),
        ("Navy", "#000080"),
        ("深蓝色", "#000080"), ("#12345", nil), ("", nil), ("+12", nil), ("#ggg", nil), ("色", nil),
    ]) func parsing(text: String, expected: String?) { #expect(Color(text)?.description == expected) }

    @Test func distances() {
        let red = Color(red: 255, green: 0, blue: 0), blue = Color(red: 0, green: 0, blue: 255)
        #expect(red.distance(to: red) == 0)
        #expect(abs(Color(red: 0, green: 0, blue: 0).distance(to: Color(red: 255, green: 255, blue: 255)) - 1) < 1e-3)
        #expect(red.distance(to: Color(red: 200, green: 20, blue: 20)) < red.distance(to: blue))
        // Ottosson's published coordinates of pure red.
        let lab = OKLab(red)
        #expect(abs(lab.lightness - 0.62796) < 1e-4 && abs(lab.a - 0.22486) < 1e-4 && abs(lab.b - 0.12585) < 1e-4)
    }

    @Test func labRoundTrips() {
        for value in stride(from: 0, to: 0x1000000, by: 4099) {
            let color = Color(red: UInt8(value >> 16), green: UInt8(value >> 8 & 255), blue: UInt8(value & 255))
            #expect(OKLab(color).color == color)
        }
    }

    @Test func dominantColours() throws {
        var pixels: [UInt8] = []
        for y in 0..<100 { for _ in 0..<100 { pixels += y < 60 ? [200, 30, 30] : y < 90 ? [255, 255, 255] : [10, 20, 120] } }
        let picture = try Picture(width: 100, height: 100, pixels: pixels)
        let found = try DominantColors.extract(from: picture, count: 3)
        #expect(found.count == 3)
        #expect(found.map(\.share).reduce(0, +) > 0.999)
        #expect(found[0].color.distance(to: Color(red: 200, green: 30, blue: 30)) < 0.03 && abs(found[0].share - 0.6) < 0.03)
        #expect(found[1].color.distance(to: Color(red: 255, green: 255, blue: 255)) < 0.05 && abs(found[1].share - 0.3) < 0.03)
        #expect(found == (try DominantColors.extract(from: picture, count: 3)))
        let plain = try DominantColors.extract(from: Picture(width: 1, height: 1, pixels: [1, 2, 3]))
        #expect(plain == [.init(color: Color(red: 1, green: 2, blue: 3), share: 1)])
    }

    @Test func cropsAndThumbnails() throws {
        let picture = try Fixtures.noise(20, 10, seed: 5)
        let part = try picture.cropped(x: 3, y: 2, width: 4, height: 5)
        #expect(part.width == 4 && part.height == 5)
        #expect(Array(part.pixels[0..<12]) == Array(picture.pixels[(2 * 20 + 3) * 3..<(2 * 20 + 7) * 3]))
        #expect(throws: PictureError.self) { try picture.cropped(x: 17, y: 0, width: 4, height: 1) }
        #expect(throws: PictureError.self) { try picture.cropped(x: .max, y: 0, width: 4, height: 1) }
        #expect(try picture.thumbnail(longestSide: 10).width == 10)
        #expect(try picture.thumbnail(longestSide: 100) == picture)
        #expect(throws: PictureError.self) { try Picture(width: .max, height: 2, pixels: []) }
        #expect(picture.tensor.shape == [10, 20, 3])
    }
}
