import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import PictureLibrary
import Testing

@testable import HTTPService

/// What is tried to read files that are none of the library's.
@Suite struct PictureSafetyTests {
    @Test(arguments: [
        "/api/pictures/../../../etc/passwd/file", "/api/pictures/..%2f..%2fetc%2fpasswd/file", "/api/pictures/1%2f..%2f2/file",
        "/api/pictures/%2e%2e/file", "/api/pictures//etc/passwd", "/api/pictures/-1/file", "/api/pictures/0/file",
        "/api/pictures/99999999999999999999/file", "/api/pictures/1%00/file", "/api/pictures/1;ls/file", "/../../../etc/passwd",
        "/api/pictures/1e0/file", "/file:///etc/passwd",
    ])
    func pathsLeadNowhere(_ uri: String) async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.test { client in
            let response = try await client.execute(uri: uri, method: .get)
            #expect(response.status == .notFound, "\(String(buffer: response.body).prefix(200))")
        }
    }

    @Test func linksThatLeadOutAreNotFollowed() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        let outside = fixture.folder.appending("secret.jpg")
        try Data(ServiceFixture.picture(seed: 1).encoded(as: .jpeg())).write(to: URL(fileURLWithPath: outside.display))
        // One that was there when the library was indexed, and one to a file inside.
        let inside = try fixture.write("inside.jpg", seed: 2)
        let files = FileManager.default
        try files.createSymbolicLink(atPath: fixture.pictures.appending("out.jpg").display, withDestinationPath: outside.display)
        try files.createSymbolicLink(atPath: fixture.pictures.appending("in.jpg").display, withDestinationPath: inside.display)
        try await fixture.index()
        try await fixture.test { client in
            let ids = try await fixture.ids(client)
            for what in ["file", "thumbnail"] {
                let out = try #require(ids["out.jpg"]), own = try #require(ids["in.jpg"])
                try await client.refuses("/api/pictures/\(out)/\(what)", status: 410, code: "unreadable_picture")
                let isGiven = try await client.execute(uri: "/api/pictures/\(own)/\(what)", method: .get).status == .ok
                #expect(isGiven)
            }
            let out = try #require(ids["out.jpg"])
            try await client.refuses("/api/pictures/\(out)/similar?region=0,0,1,1", status: 410, code: "unreadable_picture")
        }
    }

    @Test func filesThatWereReplacedAreNotRead() async throws {
        let fixture = try await ServiceFixture(pictures: 3)
        let files = FileManager.default
        func path(_ number: Int) -> String { fixture.pictures.appending("picture-\(number).jpg").display }
        try files.removeItem(atPath: path(0))
        try files.createSymbolicLink(atPath: path(0), withDestinationPath: "/etc/passwd")
        try files.removeItem(atPath: path(1))
        #expect(mkfifo(path(1), 0o600) == 0)
        try Data("not the same".utf8).write(to: URL(fileURLWithPath: path(2)))
        try await fixture.test { client in
            let ids = try await fixture.ids(client)
            for number in 0..<3 {
                let id = try #require(ids["picture-\(number).jpg"])
                for what in ["file", "thumbnail", "similar?region=0,0,1,1"] {
                    try await client.refuses("/api/pictures/\(id)/\(what)", status: 410, code: "unreadable_picture")
                }
            }
        }
    }

    @Test func folderThatBecameALinkOpensNothing() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        let picture = try fixture.write("album/one.jpg", seed: 1)
        try await fixture.index()
        // The very same file, moved out, with a link in the place of its folder.
        let files = FileManager.default
        try files.moveItem(atPath: picture.folder.display, toPath: fixture.folder.appending("moved").display)
        try files.createSymbolicLink(atPath: picture.folder.display, withDestinationPath: fixture.folder.appending("moved").display)
        try await fixture.test { client in
            let id = try #require(try await fixture.ids(client)["one.jpg"])
            try await client.refuses("/api/pictures/\(id)/file", status: 410, code: "unreadable_picture")
        }
    }
}
