import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import Synchronization
import Testing

@testable import HTTPService

@Suite struct AccessTests {
    private func bearer(_ key: String) -> HTTPFields { [.authorization: "Bearer " + key] }

    @Test func keysOpenWhatTheirScopesSay() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        var file = try KeyFile(fixture.folder.appending("keys"))
        let search = try file.make("search", scopes: [.search]), all = try file.make("all", scopes: Scope.allCases)
        #expect(search.hasPrefix("sk-sensorium-") && search != all)
        let stored = try String(contentsOfFile: fixture.folder.appending("keys").display, encoding: .utf8)
        #expect(!stored.contains(search) && stored.contains(KeyFile.hash(search)))
        try await fixture.test { client in
            try await client.refuses("/api/library", status: 401, code: "missing_key")
            try await client.refuses("/api/library", headers: bearer("sk-sensorium-no"), status: 401, code: "invalid_key")
            try await client.refuses("/api/library", headers: [.authorization: "Basic " + search], status: 401, code: "invalid_key")
            _ = try await client.json("/api/library", headers: bearer(search))
            try await client.refuses("/v1/models", headers: bearer(search), status: 403, code: "missing_scope")
            try await client.refuses("/api/jobs", headers: bearer(search), status: 403, code: "missing_scope")
            for uri in ["/api/library", "/v1/models", "/api/jobs"] { _ = try await client.json(uri, headers: bearer(all)) }
            // Whether the service is there and what it can do is no secret.
            for uri in ["/health", "/openapi.json"] { _ = try await client.json(uri) }
            // A key taken away is worth nothing at once, and a file that isn't understood opens nothing.
            var now = try KeyFile(fixture.folder.appending("keys"))
            try now.remove("search")
            try await client.refuses("/api/library", headers: bearer(search), status: 401, code: "invalid_key")
            try Data("broken\n".utf8).write(to: URL(fileURLWithPath: fixture.folder.appending("keys").display))
            try await client.refuses("/api/library", headers: bearer(all), status: 401, code: "invalid_key")
        }
    }

    @Test func keyFilesAreWrittenForTheirOwnerAlone() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        var file = try KeyFile(fixture.folder.appending("keys"))
        _ = try file.make("a", scopes: [.search])
        let mode = try FileManager.default.attributesOfItem(atPath: fixture.folder.appending("keys").display)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(throws: SettingsError.self) { _ = try file.make("a", scopes: [.search]) }
        #expect(throws: SettingsError.self) { _ = try file.make("a\tb", scopes: [.search]) }
        #expect(throws: SettingsError.self) { try file.remove("b") }
    }

    @Test func strangersNeedKeys() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        let open = fixture.settings { $0.host = "0.0.0.0" }
        #expect(throws: SettingsError.self) { _ = try fixture.service(open) }
        _ = try fixture.service(fixture.settings { ($0.host, $0.allowsStrangers) = ("0.0.0.0", true) })
        var file = try KeyFile(fixture.folder.appending("keys"))
        _ = try file.make("a", scopes: [.search])
        _ = try fixture.service(open)
    }

    @Test func bucketsFillAgain() {
        let now = Mutex(0.0)
        let limiter = RateLimiter(rate: 2, burst: 3) { now.withLock { $0 } }
        for _ in 0..<3 { #expect(limiter.delay("a") == nil) }
        #expect(limiter.delay("a") == 0.5)
        #expect(limiter.delay("b") == nil)
        now.withLock { $0 = 0.5 }
        #expect(limiter.delay("a") == nil && limiter.delay("a") != nil)
        // A wrong key takes all that is left.
        #expect(limiter.delay("b", cost: 20) == nil && limiter.delay("b") != nil)
    }

    @Test func tooManyRequestsAreToldWhenToComeAgain() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.test(fixture.settings { ($0.limits.requestsPerSecond, $0.limits.burst) = (0.001, 2) }) { client in
            for _ in 0..<2 { _ = try await client.json("/health") }
            let response = try await client.execute(uri: "/health", method: .get)
            #expect(response.status == .tooManyRequests && Int(response.headers[.retryAfter] ?? "") ?? 0 > 100)
        }
    }

    @Test func wrongKeysRunOutOfTries() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        var file = try KeyFile(fixture.folder.appending("keys"))
        let key = try file.make("a", scopes: [.metrics])
        try await fixture.test(fixture.settings { ($0.limits.requestsPerSecond, $0.limits.burst) = (0.001, 50) }) { client in
            for _ in 0..<3 { try await client.refuses("/metrics", headers: bearer("x"), status: 401, code: "invalid_key") }
            try await client.refuses("/metrics", headers: bearer("x"), status: 429, code: "rate_limit_exceeded")
            // Whoever has a key is counted by it.
            let response = try await client.execute(uri: "/metrics", method: .get, headers: bearer(key))
            #expect(response.status == .ok)
        }
    }

    @Test func namesThatArentOurOwnGetNothing() {
        func host(_ authority: String) -> String { Doorkeeper.host(of: authority) }
        #expect(host("A.example:80") == "a.example" && host("[::1]:80") == "::1" && host("127.0.0.1") == "127.0.0.1")
    }

    @Test func pagesFromElsewhereChangeNothing() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.test(fixture.settings { $0.origins = ["https://photos.example"] }) { client in
            let body = "{}", evil: HTTPFields = [.origin: "https://evil.example"]
            try await client.refuses("/api/jobs", method: .post, headers: evil, body: body, status: 403, code: "wrong_origin")
            let read = try await client.execute(uri: "/health", method: .get, headers: evil)
            #expect(read.status == .ok && read.headers[.accessControlAllowOrigin] == nil)
            let friend: HTTPFields = [.origin: "https://photos.example"]
            let allowed = try await client.execute(uri: "/health", method: .get, headers: friend)
            #expect(allowed.headers[.accessControlAllowOrigin] == "https://photos.example" && allowed.headers[.vary] == "Origin")
            var preflight = friend
            preflight[.accessControlRequestMethod] = "POST"
            let answer = try await client.execute(uri: "/api/search", method: .options, headers: preflight)
            #expect(answer.status == .noContent && answer.headers[.accessControlAllowMethods] == "GET, POST, DELETE")
            preflight[.origin] = "https://evil.example"
            let refused = try await client.execute(uri: "/api/search", method: .options, headers: preflight)
            #expect(refused.headers[.accessControlAllowOrigin] == nil)
        }
    }
}
