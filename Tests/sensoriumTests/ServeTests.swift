import Foundation
import TestSupport
import Testing

/// `sensorium serve` as a process.
@Suite struct ServeTests {
    /// Starts the service on a free port and ends it with a signal after `body`. Returns its status and what it wrote.
    private func serve(
        _ workspace: Workspace, _ arguments: [String] = [], signal number: Int32 = SIGTERM, _ body: (Int) async throws -> Void
    ) async throws -> (status: Int32, log: String) {
        let process = CommandRun.process(CommandRun.program, ["serve", "--port", "0"] + arguments, in: workspace)
        let out = Pipe(), log = workspace.folder.appendingPathComponent("serve.log")
        try Data().write(to: log)
        process.standardOutput = out
        process.standardError = FileHandle(forWritingAtPath: log.path)
        try process.run()
        // The line is written whole, once connections are taken.
        let line = String(decoding: out.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = line.split(separator: ":").last.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) else {
            process.terminate()
            process.waitUntilExit()
            throw CocoaError(.fileReadUnknown, userInfo: ["line": line, "log": try String(contentsOf: log, encoding: .utf8)])
        }
        do { try await body(port) } catch {
            kill(process.processIdentifier, SIGKILL)
            throw error
        }
        kill(process.processIdentifier, number)
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: log, encoding: .utf8))
    }

    private func get(_ port: Int, _ path: String, key: String? = nil) async throws -> String {
        let header = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return try await RawConnection.answer(
            port, Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(header)Connection: close\r\n\r\n".utf8))
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func signalsEndItCleanly(_ signal: Int32) async throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        #expect(try CommandRun(["index", "--quiet", "Pictures"], in: workspace).status == 0)
        let (status, log) = try await serve(workspace, signal: signal) { port in
            let found = try await get(port, "/api/search?q=bicycle&limit=1")
            #expect(found.hasPrefix("HTTP/1.1 200") && found.contains("bike.jpg"), "\(found)")
            let page = try await get(port, "/")
            #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("<!doctype html>"), "\(page.prefix(400))")
        }
        #expect(status == 0, "\(log)")
        #expect(log.contains("GET /api/search 200") && !log.contains("bicycle"), "\(log)")
    }

    @Test func keysOfTheCommandAreThoseOfTheService() async throws {
        let workspace = try Workspace()
        let key = try #require(try CommandRun(["keys", "make", "one"], in: workspace).lines.first)
        let (status, log) = try await serve(workspace, ["--quiet"]) { port in
            let needsAKey = try await get(port, "/v1/models").hasPrefix("HTTP/1.1 401")
            #expect(needsAKey)
            let opens = try await get(port, "/v1/models", key: key).hasPrefix("HTTP/1.1 200")
            #expect(opens)
            #expect(try CommandRun(["keys", "remove", "one"], in: workspace).status == 0)
            #expect(try CommandRun(["keys", "make", "two", "--scope", "metrics"], in: workspace).status == 0)
            let opensNoMore = try await get(port, "/v1/models", key: key).hasPrefix("HTTP/1.1 401")
            #expect(opensNoMore)
            let needsNone = try await get(port, "/health").hasPrefix("HTTP/1.1 200")
            #expect(needsNone)
        }
        #expect(status == 0 && log.isEmpty, "\(log)")
    }

    @Test func mistakesEndTheCommand() throws {
        let workspace = try Workspace()
        for (arguments, message) in [
            (["serve", "--set", "limits.bodies=1"], "limits.bodies"), (["serve", "--set", "port"], "name=value"),
            (["serve", "--config", "none.yaml"], "none.yaml"), (["serve", "--host", "0.0.0.0"], "sensorium keys make"),
            (["serve", "--port", "70000"], "0...65535"), (["keys", "remove", "none"], "no key named none"),
        ] {
            let run = try CommandRun(arguments, in: workspace)
            #expect(run.status == 2 && run.errors.contains(message), "\(arguments): \(run.status) \(run.errors)")
        }
    }

    @Test func aPortThatIsTakenEndsTheCommand() async throws {
        let workspace = try Workspace()
        _ = try await serve(workspace) { port in
            let run = try CommandRun(["serve", "--port", String(port)], in: workspace)
            #expect(run.status == 3 && run.errors.contains("\(port)"), "\(run.status) \(run.errors)")
        }
    }
}
