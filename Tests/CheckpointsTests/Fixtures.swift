import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

/// Files of `Tests/Fixtures/checkpoints`, made by `make_fixtures.py` there.
enum Fixture {
    static let folder =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/checkpoints"

    static func path(_ name: String) -> String { folder + "/" + name }

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }

    /// Tensors of a fixture as they must be read.
    static func expected(_ file: String) throws -> [String: Tensor] {
        let all = try SafetensorsFile(path: path("expected.safetensors"))
        var result: [String: Tensor] = [:]
        for entry in all.entries where entry.name.hasPrefix(file + "/") {
            result[String(entry.name.dropFirst(file.count + 1))] = try all.tensor(entry.name)
        }
        #expect(!result.isEmpty, "no expectation for \(file)")
        return result
    }
}

/// A folder that goes when the test ends.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/checkpoints-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let place = path + "/" + name
        // Foundation's own writing waits for the disk, thousands of times over.
        guard let file = fopen(place, "wb") else { throw CocoaError(.fileWriteUnknown) }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        return place
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

func expectEqual(_ found: Tensor, _ wanted: Tensor, _ name: String) {
    #expect(found.shape == wanted.shape, "\(name)")
    #expect(found.dtype == wanted.dtype, "\(name)")
    guard found.shape == wanted.shape, found.dtype == wanted.dtype else { return }
    let same = found.withBytes { a in wanted.withBytes { b in a.elementsEqual(b) } }
    #expect(same, "\(name): \(found) instead of \(wanted)")
}

/// The error that a call throws, as text.
func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was thrown"
    } catch {
        return "\(error)"
    }
}
