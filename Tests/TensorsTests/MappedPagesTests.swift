import Foundation
import Testing

@testable import Tensors

@Suite struct MappedPagesTests {
    /// Kilobytes of a mapped file that are in this process' memory.
    private func resident(_ path: String) throws -> Int {
        var isHere = false
        for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8).split(separator: "\n") {
            if line.contains("-") && line.contains(" r") { isHere = line.hasSuffix(path) }
            if isHere, line.hasPrefix("Rss:") { return Int(line.split(separator: " ")[1]) ?? -1 }
        }
        return -1
    }

    @Test func roundedWeightsLeaveTheFilesMemory() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UUID().uuidString).bin").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let values = (0..<512 * 1024).map { Float($0 % 251) / 125 - 1 }
        try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: path))
        let storage = try Storage.mapping(path: path)
        let rows = try StoredRows(storage, byteOffset: 0, format: .f32, rows: 512, columns: 1024)
        let small = rows.converted(to: .int8)
        #expect(try resident(path) <= 64)
        // What was forgotten is read again.
        #expect(rows.floats().floats() == values && small.rows == 512)
        let again = try withExtendedLifetime(rows) { try resident(path) }
        #expect(again >= 1024)
    }
}
