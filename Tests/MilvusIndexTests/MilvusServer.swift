import Foundation
import Testing

/// A real Milvus server on a free port of this machine, shared by the tests. It ends with this process, however that ends: it waits for
/// the end of its input.
final class MilvusServer: Sendable {
    static let advice: Comment = "needs `tools/milvus.py fetch`"
    static let isHere: Bool = {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["SENSORIUM_CACHE"] ?? (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/sensorium"
        return FileManager.default.fileExists(atPath: cache + "/milvus-2.3.5/bin/milvus")
    }()

    private static let shared = Result { try MilvusServer() }
    static func port() throws -> Int { try shared.get().port }

    private let port: Int
    // Kept open, and only that.
    private let input = Pipe()

    private init() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("milvus-\(UUID().uuidString)").path
        process.arguments = ["python3", root.appendingPathComponent("tools/milvus.py").path, "run", folder, "--remove"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 { line.append(byte) }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        port = try #require(words.first == "ready" ? words.last.flatMap { Int($0) } : nil, "the Milvus server didn't start")
    }
}
