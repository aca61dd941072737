import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import HTTPService

/// The page's files, without a browser.
@Suite struct WebRoutesTests {
    private static let folder = ServiceFixture.root.appendingPathComponent("Sources/App/HTTPService/WebUI")

    @Test func thePageIsServedWithWhatKeepsItSafe() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        var keys = try KeyFile(fixture.folder.appending("keys"))
        _ = try keys.make("a", scopes: [.search])
        // It asks for the key itself, so it comes without one.
        try await fixture.test { client in
            let start = try await client.execute(uri: "/?q=any&new=1", method: .get)
            #expect(start.status == .ok && start.headers[.contentType] == "text/html; charset=utf-8")
            #expect(start.headers[.xContentTypeOptions] == "nosniff" && start.headers[.cacheControl] == "no-cache")
            let policy = try #require(start.headers[.contentSecurityPolicy])
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';") && !policy.contains("unsafe"))
            let tag = try #require(start.headers[.eTag])
            for header in [tag, "\"other\", \(tag)", "W/" + tag] {
                let again = try await client.execute(uri: "/", method: .get, headers: [.ifNoneMatch: header])
                #expect(again.status == .notModified && again.body.readableBytes == 0 && again.headers[.eTag] == tag)
            }
            for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) {
                let file = try await client.execute(uri: "/ui/\(name)", method: .get)
                #expect(file.status == .ok && file.headers[.contentSecurityPolicy] == policy, "\(name)")
                let text = try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
                #expect(String(buffer: file.body) == text, "\(name)")
            }
            for name in ["none.js", "..%2f..%2fPackage.swift", "%2e%2e", "index.html%00"] {
                try await client.refuses("/ui/\(name)", status: 404, code: "unknown_file")
            }
        }
    }

    @Test func nothingIsAskedForFromElsewhereOrMadeOfText() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) {
            let text = try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
            let addresses = text.matches(of: /https?:\/\/[^"'\s)]+/).map { String($0.output) }.filter { $0 != "http://www.w3.org/2000/svg" }
            #expect(addresses.isEmpty, "\(name): \(addresses)")
            #expect(
                text.firstMatch(of: /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\sstyle="|\son[a-z]+="/)
                    == nil, "\(name)")
            for import_ in text.matches(of: /(?:from|href=|src=) ?"(?:\.|\/ui)\/([a-z.-]+)"/).map({ String($0.output.1) }) {
                #expect(
                    FileManager.default.fileExists(atPath: Self.folder.appendingPathComponent(import_).path), "\(name) names \(import_)")
            }
        }
    }

    @Test func aProgramWithoutThePageSaysSo() {
        #expect(WebPage().problem == nil)
        let page = WebPage(places: ["/nowhere/a", "/nowhere/b"])
        #expect(
            page.files.isEmpty && page.problem?.contains("/nowhere/a or /nowhere/b") == true
                && page.problem?.contains("make install") == true)
    }

    @Test func facetsCountWhatFiltersChooseFrom() async throws {
        let fixture = try await PageVisit.library()
        try await fixture.test { client in
            let facets = try await client.json("/api/library/facets")
            func counts(_ name: String, _ field: String) throws -> [String: Int] {
                let entries = try #require(facets[name] as? [[String: Any]])
                return Dictionary(
                    uniqueKeysWithValues: try entries.map { (try #require($0[field] as? String), try #require($0["count"] as? Int)) })
            }
            let folder = fixture.pictures.display
            #expect(try counts("folders", "path") == [folder: 6, folder + "/holiday": 2])
            #expect(try counts("tags", "tag") == ["box": 1, "red thing": 1])
            #expect(try counts("formats", "format") == ["jpeg": 7, "svg": 1])
            let first = try await client.json("/api/library/facets?limit=1")
            #expect((first["folders"] as? [Any])?.count == 1 && (first["tags"] as? [Any])?.count == 1)
            try await client.refuses("/api/library/facets?limit=0", status: 400, code: "invalid_value")
        }
    }

    @Test func coloursTellTheirPlace() async throws {
        let fixture = try await PageVisit.library()
        try await fixture.test { client in
            let alone = try await client.json("/api/search?color=%23d62828")
            let hits = try #require(alone["hits"] as? [[String: Any]])
            #expect(hits.first?["color_rank"] as? Int == 1 && hits.first?["title"] as? String == "a red box")
            #expect(hits.enumerated().allSatisfy { $0.element["color_rank"] as? Int == $0.offset + 1 })
            let mixed = try #require(try await client.json("/api/search?q=beach&color=%23d62828")["hits"] as? [[String: Any]])
            #expect(mixed.contains { $0["color_rank"] as? Int == 1 && $0["title"] as? String == "a red box" })
        }
    }
}
