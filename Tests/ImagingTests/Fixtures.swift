import Foundation

@testable import Imaging

/// Committed pictures and reference results, both made by `make_fixtures.py`.
enum Fixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    static func path(_ name: String) -> String { folder.appendingPathComponent("fixtures/\(name)").path }

    static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name)))) }

    static func golden<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appendingPathComponent("golden/\(name)")))
    }

    static var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("fixtures").path).sorted() }
    }

    /// The generator of `make_fixtures.py`.
    static func noise(_ width: Int, _ height: Int, seed: Int) throws -> Picture {
        var state = UInt64(seed)
        let pixels = (0..<width * height * 3).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(state >> 56)
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    static func largestDifference(_ a: [UInt8], _ b: [UInt8]) -> Int {
        a.count == b.count ? zip(a, b).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) } : .max
    }
}
