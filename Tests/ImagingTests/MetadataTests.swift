import Foundation
import Testing

@testable import Imaging

struct MetadataTests {
    @Test(arguments: ["metadata.jpg", "metadata.webp"]) func exifAndXMP(name: String) throws {
        let metadata = try PictureMetadata.read(path: Fixtures.path(name))
        #expect(metadata.width == 12 && metadata.height == 16, "turned as EXIF says")
        #expect(metadata.taken == "2019-07-04T12:30:05" && metadata.takenOffset == "+09:00")
        #expect(metadata.cameraMake == "Acme" && metadata.cameraModel == "Model 7")
        #expect(abs((metadata.latitude ?? 0) + 33.8569) < 1e-4 && abs((metadata.longitude ?? 0) - 151.2092) < 1e-4)
        #expect(metadata.title == "A red bicycle & a wall")
        #expect(metadata.description == "Leaning — in the sun")
        #expect(metadata.keywords == (name.hasSuffix("jpg") ? ["bicycle", "红色", "Wall", "straße"] : ["bicycle", "红色", "Wall"]))
    }

    @Test func tiff() throws {
        let metadata = try PictureMetadata.read(path: Fixtures.path("metadata.tif"))
        #expect(metadata.format == .tiff && metadata.cameraMake == "Acme")
    }

    @Test func iptcAlone() throws {
        let metadata = try PictureMetadata.read(path: Fixtures.path("iptc.jpg"))
        #expect(metadata.title == "IPTC title" && metadata.description == "IPTC caption" && metadata.keywords == ["bicycle", "straße"])
    }

    @Test func pngTexts() throws {
        let metadata = try PictureMetadata.read(path: Fixtures.path("metadata.png"))
        #expect(metadata.title == "A gradient" && metadata.description == "渐变 of colours")
        #expect(metadata.keywords == ["red", "green", "blue"])
    }

    @Test func svgDescribesItself() throws {
        let metadata = try PictureMetadata.read(path: Fixtures.path("drawing.svg"))
        #expect(metadata.width == 40 && metadata.height == 20)
        #expect(metadata.title == "Red square" && metadata.description == "Half of a flag" && metadata.keywords == ["flag", "square"])
    }

    @Test func xmlEntitiesDefineNothing() {
        let text =
            #"<!DOCTYPE a [<!ENTITY b "bomb]>"> <!-- ]> --> ]><x:Description title="one &b; &#65;&amp;&#x4e2d; &nope &#xFFFFFFFF;"/>"#
        #expect(DescriptionXML(Array(text.utf8)).title == "one A&中 &nope")
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(DescriptionXML(Array(deep.utf8)).title == nil)
    }

    @Test(arguments: [
        ("2019:07:04 12:30:05", "2019-07-04T12:30:05"), ("2020-02-29T01:02:03+08:00", "2020-02-29T01:02:03"), ("2019:02:29 00:00:00", nil),
        ("0000:00:00 00:00:00", nil), ("    :  :     :  :  ", nil), ("2019:07:04", "2019-07-04T00:00:00"),
        ("99999999999999999999:1:1", nil),
    ]) func times(text: String, expected: String?) {
        #expect(EXIF.isoTime(text) == expected)
    }

    @Test func hashes() throws {
        #expect(ContentHash(of: Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(ContentHash(of: []).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(try ContentHash(ofFile: FilePath(Fixtures.path("rgb.png"))) == ContentHash(of: Fixtures.bytes("rgb.png")))
        #expect(throws: PictureError.self) { try ContentHash(ofFile: FilePath("/nowhere")) }
    }
}
