import Foundation
import TestSupport
import Testing

@testable import HTTPService

/// Requests of real clients: byte for byte as they were recorded, and by the clients themselves where they are installed.
@Suite struct ClientTests {
    private static let recorded = ["openai-models", "openai-embeddings", "openai-chat", "openai-chat-stream", "clip-retrieval-text"]

    /// Recorded from openai 3.54.0 and clip-retrieval 2.44.0 with `tools/record_clients.py`.
    @Test(arguments: recorded)
    func recordedRequestsAreAnswered(_ name: String) async throws {
        let fixture = try await ServiceFixture(pictures: 2)
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("fixtures/\(name).http")
        let request = [UInt8](try Data(contentsOf: file))
        try await fixture.serve(fixture.settings { $0.limits.idleSeconds = 0.5 }) { port in
            // Clients keep the connection; it ends when it has been idle for a while.
            let answer = try await RawConnection.answer(port, request)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(answer.prefix(500))")
            let expected = [
                "openai-models": "\"object\":\"list\"", "openai-embeddings": "\"embedding\":\"", "openai-chat": "\"chat.completion\"",
                "openai-chat-stream": "data: [DONE]", "clip-retrieval-text": "\"similarity\":",
            ]
            #expect(answer.contains(expected[name]!), "\(answer.suffix(300))")
        }
    }

    /// `SENSORIUM_CLIENTS` names a Python with openai, numpy, requests and clip-retrieval.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SENSORIUM_CLIENTS"] != nil))
    func realClientsAgree() async throws {
        let fixture = try await ServiceFixture(pictures: 8)
        let python = try #require(ProcessInfo.processInfo.environment["SENSORIUM_CLIENTS"])
        try await fixture.serve { port in
            let process = Process(), output = Pipe()
            process.executableURL = URL(fileURLWithPath: python)
            process.arguments = [
                ServiceFixture.root.appendingPathComponent("tools/service_clients.py").path, "http://127.0.0.1:\(port)",
                fixture.pictures.appending("picture-3.jpg").display,
            ]
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread {
                    let data = output.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(returning: String(decoding: data, as: UTF8.self))
                }
            }
            #expect(process.terminationStatus == 0 && text.hasSuffix("all clients agree\n"), "\(text)")
        }
    }
}
