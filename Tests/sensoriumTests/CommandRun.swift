import Foundation
import Synchronization

/// The built program, run as a process.
struct CommandRun {
    var status: Int32
    var output: String
    var errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// The lines as JSON objects; nil where one isn't.
    var objects: [[String: Any]]? {
        let objects = lines.map { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        return objects.contains { $0 == nil } ? nil : objects.compactMap { $0 }
    }

    /// It lies beside the tests' own program.
    static let folder: URL = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: own).deletingLastPathComponent()
    }()

    static var program: URL { folder.appendingPathComponent("sensorium") }

    static func process(_ program: URL, _ arguments: [String], in workspace: Workspace, environment: [String: String] = [:]) -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = workspace.folder
        process.environment = workspace.environment.merging(environment) { $1 }
        return process
    }

    /// - Parameter input: what the program reads.
    init(_ arguments: [String], in workspace: Workspace, environment: [String: String] = [:], input: String = "") throws {
        try self.init(program: Self.program, arguments, in: workspace, environment: environment, input: input)
    }

    /// A line for the shell, in which `sensorium` is the built program.
    init(shell line: String, in workspace: Workspace) throws {
        let path = Self.folder.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        try self.init(program: URL(fileURLWithPath: "/bin/sh"), ["-c", line], in: workspace, environment: ["PATH": path], input: "")
    }

    private init(program: URL, _ arguments: [String], in workspace: Workspace, environment: [String: String], input: String) throws {
        let process = Self.process(program, arguments, in: workspace, environment: environment)
        // Files, not pipes: nobody has to drain them.
        let stem = workspace.folder.appendingPathComponent(".run-\(UUID().uuidString)").path
        let (inPath, outPath, errorPath) = (stem + ".in", stem + ".out", stem + ".err")
        defer { for path in [inPath, outPath, errorPath] { try? FileManager.default.removeItem(atPath: path) } }
        try Data(input.utf8).write(to: URL(fileURLWithPath: inPath))
        for path in [outPath, errorPath] { try Data().write(to: URL(fileURLWithPath: path)) }
        process.standardInput = FileHandle(forReadingAtPath: inPath)
        process.standardOutput = FileHandle(forWritingAtPath: outPath)
        process.standardError = FileHandle(forWritingAtPath: errorPath)
        try process.run()
        process.waitUntilExit()
        status = process.terminationReason == .exit ? process.terminationStatus : 256 + process.terminationStatus
        output = String(decoding: try Data(contentsOf: URL(fileURLWithPath: outPath)), as: UTF8.self)
        errors = String(decoding: try Data(contentsOf: URL(fileURLWithPath: errorPath)), as: UTF8.self)
    }
}
