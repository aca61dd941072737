import Foundation
import Testing

@testable import Tensors

@Suite struct MappedPagesTests {
    /// Kilobytes of a mapped file that are in this process' memory.
    private func resident(_ path: String) throws -> Int {
        var isHere = false
        // Its size is told as 0, so it is read to its end.
        let told = try #require(try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps")).readToEnd())
        for line in String(decoding: told, as: UTF8.self).split(separator: "\n") {
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
        let left = try resident(path)
        #expect((0...64).contains(left))
        // What was forgotten is read again.
        #expect(rows.floats().floats() == values && small.rows == 512)
        let again = try withExtendedLifetime(rows) { try resident(path) }
        #expect(again >= 1024)
    }
}
