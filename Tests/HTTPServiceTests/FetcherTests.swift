import Foundation
import Imaging
import Synchronization
import Testing

@testable import HTTPService

@Suite struct FetcherTests {
    @Test(arguments: [
        "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "2001::1", "3fff::1",
    ])
    func addressesThatArentPublic(_ text: String) throws {
        #expect(try #require(IPAddress(text)).isPublic == false)
    }

    @Test(arguments: ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::200e"])
    func addressesThatArePublic(_ text: String) throws {
        #expect(try #require(IPAddress(text)).isPublic)
        #expect(IPAddress(text)?.description == text)
    }

    @Test(arguments: ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost", "1.2.3.4.5", ""])
    func otherSpellingsAreNoAddresses(_ text: String) { #expect(IPAddress(text) == nil) }

    private struct Setup {
        let fixture: ServiceFixture
        var fetcher: PictureFetcher
        /// Addresses that the transport was asked for.
        let asked = Asked()
    }

    private final class Asked: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ text: String) { list.withLock { $0.append(text) } }
    }

    /// - Parameter addresses: what every name resolves to.
    private func setup(
        _ addresses: [String], _ change: @escaping (inout ServiceSettings, ServiceFixture) -> Void = { _, _ in }
    ) async throws -> Setup {
        let fixture = try await ServiceFixture(pictures: 1)
        let settings = fixture.settings { settings in
            settings.fetchHosts = ["pictures.example", "127.0.0.1", "10.0.0.1"]
            change(&settings, fixture)
        }
        var result = Setup(fixture: fixture, fetcher: PictureFetcher(settings: settings, pool: WorkPool("test", threads: 1, waiting: 8)))
        let asked = result.asked
        result.fetcher.resolve = { host in IPAddress(host).map { [$0] } ?? addresses.compactMap(IPAddress.init) }
        result.fetcher.transport = { url, address, _ in
            asked.add("\(url.absoluteString) at \(address)")
            return [1, 2, 3]
        }
        return result
    }

    private func code(_ setup: Setup, _ address: String) async -> String {
        do {
            _ = try await setup.fetcher.bytes(address, field: "image")
            return "read"
        } catch { return APIError(error)?.code ?? "\(error)" }
    }

    @Test func connectionsGoToTheAddressThatWasChecked() async throws {
        let setup = try await setup(["93.184.216.34"])
        #expect(await code(setup, "https://pictures.example/a.jpg?b=c") == "read")
        #expect(await code(setup, "https://PICTURES.example:443/a.jpg") == "read")
        #expect(setup.asked.all.first == "https://pictures.example/a.jpg?b=c at 93.184.216.34")
    }

    @Test(arguments: [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:169.254.169.254"], []])
    func namesOfPrivateAddressesGetNothing(_ addresses: [String]) async throws {
        let setup = try await setup(addresses)
        #expect(await code(setup, "https://pictures.example/a.jpg") == "private_address")
        #expect(setup.asked.all.isEmpty)
    }

    @Test(arguments: [
        ("https://elsewhere.example/a.jpg", "host_not_allowed"), ("https://pictures.example.evil.example/", "host_not_allowed"),
        ("https://127.0.0.1/", "private_address"), ("https://10.0.0.1/", "private_address"),
        ("https://169.254.169.254/latest/meta-data", "host_not_allowed"),
        ("https://2130706433/", "host_not_allowed"), ("https://[::1]/", "host_not_allowed"),
        ("http://pictures.example/a.jpg", "invalid_value"),
        ("https://user@pictures.example/a.jpg", "invalid_value"), ("https://pictures.example:8080/", "invalid_value"),
        ("https://pictures.example@evil.example/", "invalid_value"), ("ftp://pictures.example/a.jpg", "invalid_value"),
        ("gopher://127.0.0.1:6379/", "invalid_value"), ("javascript:alert(1)", "invalid_value"), ("//pictures.example/a", "invalid_value"),
        ("file:///etc/passwd", "file_not_allowed"), ("file://evil.example/share", "file_not_allowed"), ("https://", "invalid_value"),
        ("data:image/png;base64,%%%", "invalid_value"), ("data:image/png", "invalid_value"),
    ])
    func otherAddressesGetOneClearError(_ address: String, _ expected: String) async throws {
        let setup = try await setup(["93.184.216.34"])
        #expect(await code(setup, address) == expected)
        #expect(setup.asked.all.isEmpty)
    }

    @Test func filesAreReadFromAllowedFoldersOnly() async throws {
        let setup = try await setup([]) { $0.fetchFolders = [$1.pictures] }
        let fixture = setup.fixture
        let own = fixture.pictures.appending("picture-0.jpg").display
        #expect(await code(setup, "file://\(own)") == "read")
        #expect(await code(setup, "file://localhost\(own)") == "read")
        let secret = fixture.folder.appending("secret").display
        try Data("secret".utf8).write(to: URL(fileURLWithPath: secret))
        try FileManager.default.createSymbolicLink(atPath: fixture.pictures.appending("link.jpg").display, withDestinationPath: secret)
        for address in [
            "file://\(secret)", "file://\(fixture.pictures.display)/link.jpg", "file://\(fixture.pictures.display)/../secret",
            "file://\(fixture.pictures.display)/%2e%2e/secret", "file://\(fixture.pictures.display)/nothing", "file:///etc/passwd",
            "file:///dev/zero", "file:///proc/self/environ", "file://\(secret)%00\(own)",
        ] {
            #expect(await code(setup, address) == "file_not_allowed", "\(address)")
        }
    }

    @Test func dataAddressesOfEitherKindAreRead() throws {
        #expect(try PictureFetcher.data("data:image/png;base64,AQID", field: "a") == [1, 2, 3])
        #expect(try PictureFetcher.data("data:;base64,AQID\n", field: "a") == [1, 2, 3])
        #expect(try PictureFetcher.data("data:text/plain,a%20b", field: "a") == Array("a b".utf8))
        #expect(PictureFetcher.base64("_-8=") == PictureFetcher.base64("/+8="))
    }

    /// The system's own resolver, for the one name that every machine knows.
    @Test func theSystemResolves() throws {
        let found = try PictureFetcher.systemAddresses("localhost")
        #expect(!found.isEmpty && found.allSatisfy { !$0.isPublic })
    }
}
