import Foundation
import Imaging
import Testing

@testable import PictureLibrary

@Suite struct OpeningTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func error(_ body: () throws -> Void) -> LibraryError? {
        do { try body() } catch { return error as? LibraryError }
        return nil
    }

    @Test func aMissingLibrarySaysHowToMakeOne() {
        let found = error { _ = try Library(at: scratch.library) }
        #expect(found?.description.contains("sensorium index") == true)
        #expect(!scratch.library.existsByName)
    }

    @Test func aFolderOfOtherThingsIsLeftAlone() throws {
        try write("mine", to: try scratch.folder("library").appending("notes.txt"))
        let found = error { _ = try Library(at: scratch.library, create: true) }
        guard case .notALibrary = found else {
            Issue.record("\(String(describing: found))")
            return
        }
    }

    @Test func aFileIsNoLibrary() throws {
        try write("mine", to: scratch.library)
        for create in [false, true] {
            let found = error { _ = try Library(at: scratch.library, create: create) }
            #expect(found == .notALibrary(path: scratch.library.display, reason: "this is a file, not a folder"))
        }
    }

    /// Another user's library, or one on a read-only disk. The superuser may write anywhere.
    @Test(.enabled(if: geteuid() != 0)) func aLibraryThatCanOnlyBeReadIsSearched() async throws {
        let picture = try scratch.folder("pictures").appending("p.png")
        try makePicture(picture, "red")
        do { _ = try await Library(at: scratch.library, create: true).indexAll([picture], ColorEmbedder()) }
        for name in ["", "catalog.sqlite", "lock"] { chmod(scratch.library.appending(name).display, name.isEmpty ? 0o555 : 0o444) }
        let library = try Library(at: scratch.library)
        #expect(try library.search(Query(terms: [QueryTerm(.words("p"))])).map(\.path) == [picture])
        guard case .storage = error({ try library.forgetMissing() }) else {
            Issue.record("another error")
            return
        }
    }

    @Test func aNewerLibraryIsRefused() throws {
        _ = try Library(at: scratch.library, create: true)
        try write("{\"format\":\"sensorium-library\",\"version\":99}", to: scratch.library.appending("library.json"))
        #expect(error { _ = try Library(at: scratch.library) } == .newerVersion(path: scratch.library.display, found: 99, supported: 1))
        try write("{", to: scratch.library.appending("library.json"))
        guard case .damaged = error({ _ = try Library(at: scratch.library) }) else {
            Issue.record("another error")
            return
        }
        try write("{\"format\":\"other\",\"version\":1}", to: scratch.library.appending("library.json"))
        guard case .notALibrary = error({ _ = try Library(at: scratch.library) }) else {
            Issue.record("another error")
            return
        }
    }

    @Test func aDamagedCatalogueIsReported() throws {
        do { _ = try Library(at: scratch.library, create: true) }
        for name in ["catalog.sqlite-wal", "catalog.sqlite-shm"] { unlink(scratch.library.appending(name).display) }
        try write([UInt8](repeating: 0x5A, count: 8_192), to: scratch.library.appending("catalog.sqlite"))
        guard case .damaged(_, let reason) = error({ _ = try Library(at: scratch.library) }) else {
            Issue.record("another error")
            return
        }
        #expect(!reason.isEmpty)
        unlink(scratch.library.appending("catalog.sqlite").display)
        guard case .damaged = error({ _ = try Library(at: scratch.library) }) else {
            Issue.record("another error")
            return
        }
    }

    @Test func anUnwritableCatalogueIsAStorageError() async throws {
        let library = try Library(at: scratch.library, create: true)
        let pictures = try scratch.folder("pictures")
        for number in 0..<6 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
        _ = try await library.indexAll([pictures.appending("p0.png")], ColorEmbedder())
        // A full disk, as SQLite sees it.
        try await library.database.pool.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        let wide = try scratch.folder("wide")
        for number in 0..<40 {
            try makePicture(wide.appending(String(repeating: "x", count: 200) + "\(number).png"), "blue", seed: number + 1)
        }
        await #expect { _ = try await library.indexAll([wide], ColorEmbedder()) } throws: { error in
            if case LibraryError.storage = error { true } else { false }
        }
        try await library.database.pool.write { try $0.execute(sql: "PRAGMA max_page_count = 1073741823") }
        #expect(try library.shown().contains("p0.png"))
        #expect(try await library.indexAll([wide], ColorEmbedder()).failed == 0)
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func theDefaultPlaceFollowsXDG() {
        #expect(Library.defaultPath(environment: ["HOME": "/home/ann"]) == "/home/ann/.local/share/sensorium/library")
        #expect(Library.defaultPath(environment: ["HOME": "/home/ann", "XDG_DATA_HOME": "/data"]) == "/data/sensorium/library")
        #expect(
            Library.defaultPath(environment: ["HOME": "/home/ann", "XDG_DATA_HOME": "relative"])
                == "/home/ann/.local/share/sensorium/library")
        #expect(Library.defaultPath(environment: ["SENSORIUM_LIBRARY": "/lib/x/"]) == "/lib/x")
    }

    @Test func pathsAreBytes() {
        let raw = FilePath(bytes: Array("/a/b".utf8) + [0xFF])
        #expect(raw.folder == "/a" && !raw.isUTF8 && raw.name.bytes == [0x62, 0xFF])
        #expect(FilePath("/a/../b/./c//d/").absolute() == "/b/c/d")
        #expect(FilePath("c").absolute(from: "/x") == "/x/c" && FilePath("/").absolute() == "/")
        #expect(
            FilePath("/a/bc").isInside("/a") && !FilePath("/ab").isInside("/a") && FilePath("/a").isInside("/")
                && FilePath("/a").isInside("/a"))
        #expect(FilePath("/a/x.tar.GZ").pathExtension == "gz" && FilePath(".x").pathExtension == nil && FilePath("/a/.x.y").stem == ".x")
        #expect(FilePath("/x").folder == "/" && FilePath("x").folder == ".")
        #expect(LibraryFolder.indexName(digest: "../..") != LibraryFolder.indexName(digest: "/../"))
        #expect(!LibraryFolder.indexName(digest: "../../etc").contains("/"))
    }
}
