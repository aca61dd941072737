import Foundation
import Imaging
import TestSupport
import Testing

@testable import HTTPService

/// The service on a socket, and what is done to it there.
@Suite struct SocketTests {
    private func request(_ line: String, _ headers: [String] = [], body: [UInt8] = [], host: String = "localhost") -> [UInt8] {
        var lines = ["\(line) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
        if !body.isEmpty { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// A body and what it gets.
    private struct Case {
        var uri: String, type: String, body: [UInt8], status: Int

        init(_ uri: String, _ type: String, _ text: String, _ status: Int) { self.init(uri, type, bytes: Array(text.utf8), status) }
        init(_ uri: String, _ type: String, bytes: [UInt8], _ status: Int) {
            (self.uri, self.type, body, self.status) = (uri, type, bytes, status)
        }
    }

    private func status(_ answer: String) -> Int { Int(answer.split(separator: " ").dropFirst().first ?? "") ?? 0 }

    @Test func requestsAreAnsweredAndTheEndIsClean() async throws {
        let fixture = try await ServiceFixture(pictures: 2)
        try await fixture.serve { port in
            let answer = try await RawConnection.answer(port, request("GET /api/search?q=picture"))
            #expect(status(answer) == 200 && answer.contains("picture-1.jpg"))
            let head = try await RawConnection.answer(port, request("HEAD /api/library"))
            #expect(status(head) == 200 && head.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func otherNamesAreRefused() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve(fixture.settings { $0.names = ["photos.example"] }) { port in
            for host in ["evil.example", "evil.example:\(port)", "127.0.0.1.evil.example", "localhost.evil.example"] {
                let isRefused = status(try await RawConnection.answer(port, request("GET /health", host: host))) == 421
                #expect(isRefused, "\(host)")
            }
            for host in ["localhost:\(port)", "127.0.0.1:\(port)", "[::1]:\(port)", "Photos.example", "192.168.1.7"] {
                let isTaken = status(try await RawConnection.answer(port, request("GET /health", host: host))) == 200
                #expect(isTaken, "\(host)")
            }
        }
    }

    @Test func oversizedBodiesAreTurnedAway() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.serve(fixture.settings { $0.limits.body = 4_096 }) { port in
            // Told by its length, before it comes.
            let told = try await RawConnection.run(port) { connection in
                connection.send(
                    "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000000000000\r\n\r\nabc")
                return connection.receive()
            }
            #expect(status(told) == 413 && told.contains("body_too_large"))
            // Found out as it comes.
            let chunked = try await RawConnection.run(port) { connection in
                connection.send(
                    "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n")
                let piece = Array("400\r\n".utf8) + [UInt8](repeating: 65, count: 1_024) + [13, 10]
                while connection.send(piece) {}
                return connection.receive()
            }
            #expect(chunked.isEmpty || status(chunked) == 413)
            let stillAnswers = status(try await RawConnection.answer(port, request("GET /health"))) == 200
            #expect(stillAnswers)
        }
    }

    /// Whoever isn't let in can't keep the service reading either.
    @Test func bodiesThatNobodyReadsEndTheConnection() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve { port in
            let sent = try await RawConnection.run(port) { connection in
                connection.send("POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
                let piece = Array("400\r\n".utf8) + [UInt8](repeating: 65, count: 1_024) + [13, 10]
                var count = 0
                while connection.send(piece) { count += 1 }
                return count
            }
            #expect(sent > 0)
        }
    }

    @Test func slowBodiesAreCutOff() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve(fixture.settings { $0.limits.bodySeconds = 0.2 }) { port in
            let body = try await RawConnection.run(port) { connection in
                connection.send("POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
                return connection.receive()
            }
            #expect(status(body) == 408 && body.contains("body_too_slow"))
        }
    }

    /// Each is as large as it may be; together they are more than there is room for.
    @Test func bodiesTogetherAreBounded() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve(fixture.settings { ($0.limits.body, $0.limits.bodies) = (50_000, 50_000) }) { port in
            func held() async throws -> Int {
                let told = try await RawConnection.answer(port, request("GET /metrics")).split(separator: "\r\n").joined(separator: "\n")
                let line = told.split(separator: "\n").first { $0.hasPrefix("sensorium_body_bytes ") }
                return Int(line?.split(separator: " ").last ?? "") ?? -1
            }
            let first = try RawConnection(port: port), body = [UInt8](repeating: 97, count: 40_000)
            first.send("POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 40001\r\n\r\n")
            first.send(body)
            while try await held() < body.count { await Task.yield() }
            let refused = try await RawConnection.answer(port, request("POST /v1/embeddings", body: body))
            #expect(status(refused) == 503 && refused.contains("\"overloaded\"") && refused.lowercased().contains("retry-after: 1"))
            let small = try await RawConnection.answer(port, request("POST /v1/embeddings", body: [97]))
            #expect(status(small) == 400)
            // Whoever goes away gives back what it held.
            first.close()
            while try await held() > 0 { await Task.yield() }
            let taken = try await RawConnection.answer(port, request("POST /v1/embeddings", body: body))
            #expect(status(taken) == 400)
        }
    }

    @Test func slowHeadersAreCutOff() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve(fixture.settings { $0.limits.idleSeconds = 0.2 }) { port in
            let header = try await RawConnection.run(port) { connection in
                connection.send("GET /health HTTP/1.1\r\nHost: loc")
                return connection.receive()
            }
            #expect(header.isEmpty)
        }
    }

    @Test func headerFloodsEndTheConnection() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.serve { port in
            let floods = [
                (0..<500).map { "X-Header-\($0): a" }, ["X-Long: " + String(repeating: "a", count: 20_000)],
                (0..<100).map { "X-Header-\($0): " + String(repeating: "a", count: 1_000) },
            ]
            for flood in floods {
                let answer = try await RawConnection.answer(port, request("GET /health", flood))
                #expect(answer.isEmpty || (400..<500).contains(status(answer)), "\(answer.prefix(100))")
            }
            let line = try await RawConnection.answer(port, request("GET /health?" + String(repeating: "a", count: 100_000)))
            #expect(line.isEmpty || (400..<500).contains(status(line)))
            for garbage in [
                "\r\n\r\n\0\0\0", "GET\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0", "GET / HTTP/9.9\r\n\r\n",
                "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ] {
                let answer = try await RawConnection.run(port) { connection in
                    connection.send(garbage)
                    connection.finishSending()
                    return connection.receive()
                }
                #expect(answer.isEmpty || (400..<500).contains(status(answer)), "\(garbage): \(answer.prefix(100))")
            }
            let stillAnswers = status(try await RawConnection.answer(port, request("GET /health"))) == 200
            #expect(stillAnswers)
        }
    }

    @Test func hostileBodiesGetOneClearError() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        let json = "application/json", form = "multipart/form-data; boundary=a"
        // A picture of 60,000 by 60,000 pixels in 80 bytes.
        let bomb = [UInt8](
            Data(
                base64Encoded:
                    "iVBORw0KGgoAAAANSUhEUgAA6mAAAOpgCAAAAACluSqeAAAAF0lEQVR4nGNgGAWjYBSMglEwCkbBUAcAB9AAAZt5yW8AAAAASUVORK5CYII=")!)
        let long = "--a\r\n" + String(repeating: "A", count: 20_000) + "\r\n--a--"
        let part = "--a\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nx\r\n"
        var cases: [Case] = [
            Case("/v1/embeddings", json, bytes: [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D], 400),
            Case("/v1/embeddings", json, String(repeating: "[", count: 100_000), 400),
            Case("/v1/embeddings", json, "{\"input\": " + String(repeating: "{\"a\":", count: 5_000), 400),
            Case("/v1/embeddings", json, "{\"a\": [" + String(repeating: "0,", count: 2_100_000) + "0]}", 413),
            Case("/api/search", json, "{\"q\": \"a\", \"q\": \"b\"}", 400),
            Case("/api/search", json, "{\"q\": \"\\u0000\"}", 200),
        ]
        cases += [
            Case("/api/search", "image/png", bytes: bomb, 413), Case("/api/search", "image/png", "no picture", 415),
            Case("/api/search", "image/jpeg", bytes: [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 0x4A, 0x46], 422),
            Case("/api/search", "image/png", "", 422),
            Case("/api/search", "image/png", bytes: [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 100), 415),
            Case("/api/search", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' width='999999' height='999999'/>", 413),
            Case("/api/search", "text/html", "<p>", 415),
        ]
        cases += [
            Case("/api/search", "multipart/form-data", "--a", 400), Case("/api/search", form, "--a\r\nno end", 400),
            Case("/api/search", form, "--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--", 400),
            Case("/api/search", form, long, 400), Case("/api/search", form, String(repeating: part, count: 200) + "--a--", 400),
            Case("/api/search", form, part + "--a--", 200),
        ]
        let all = cases
        try await fixture.serve { port in
            for one in all {
                let lines = ["Content-Type: \(one.type)"] + (one.body.isEmpty ? ["Content-Length: 0"] : [])
                let answer = try await RawConnection.answer(port, request("POST \(one.uri)", lines, body: one.body))
                #expect(
                    status(answer) == one.status,
                    "\(one.uri) \(one.type) \(String(decoding: one.body.prefix(60), as: UTF8.self)): \(answer.suffix(300))")
                #expect(one.status == 200 || answer.contains("\"error\":{\"message\":"))
            }
        }
    }

    @Test func tooMuchWorkIsTurnedAwayAtOnce() async throws {
        let pool = WorkPool("test", threads: 1, waiting: 2)
        let gate = DispatchSemaphore(value: 0)
        let first = Task { try await pool.run { gate.wait() } }
        while pool.load.running == 0 { await Task.yield() }
        let waiting = (0..<2).map { number in Task { try await pool.run { number } } }
        while pool.load.waiting < 2 { await Task.yield() }
        let error = await #expect(throws: APIError.self) { try await pool.run { 3 } }
        #expect(error?.status == .serviceUnavailable && error?.headers[.retryAfter] == "1")
        waiting[1].cancel()
        gate.signal()
        try await first.value
        let hasRun = try await waiting[0].value == 0
        #expect(hasRun)
        await #expect(throws: CancellationError.self) { try await waiting[1].value }
    }

    @Test func followersOfAJobDontKeepTheServiceFromEnding() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        for seed in 0..<400 { try fixture.write("picture-\(seed).jpg", seed: seed) }
        let follower = try await fixture.serve(fixture.settings { $0.indexFolders = [fixture.pictures] }) { port in
            let started = try await RawConnection.answer(port, request("POST /api/jobs", ["Content-Length: 0"]))
            #expect(status(started) == 202, "\(started)")
            let (firstEvent, told) = AsyncStream<Void>.makeStream()
            let follower = Task {
                defer { told.finish() }
                return try await RawConnection.run(port) { connection in
                    connection.send(request("GET /api/jobs/1/events"))
                    return connection.receive {
                        if $0.contains("data: ") { told.finish() }
                        return false
                    }
                }
            }
            for await _ in firstEvent {}
            return follower
        }
        let wasFollowed = status(try await follower.value) == 200
        #expect(wasFollowed)
    }
}
