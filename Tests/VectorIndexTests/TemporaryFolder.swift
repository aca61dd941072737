import Foundation

/// A folder that goes with the last reference.
final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        // Memory where there is some to write to: the tests make thousands of durable changes.
        let memory = "/dev/shm/"
        path = (access(memory, W_OK) == 0 ? memory : NSTemporaryDirectory()) + "vector-index-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func file(_ name: String) -> String { path + "/" + name }
    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: file(name)))) }
    func write(_ bytes: [UInt8], _ name: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: file(name))) }
}
