import Foundation
import GRDB
import Imaging
import Synchronization
import Testing

@testable import PictureLibrary

@Suite struct IndexingTests {
    let scratch: Scratch
    let library: Library
    let pictures: FilePath
    let embedder = ColorEmbedder()

    init() throws {
        scratch = try Scratch()
        library = try Library(at: scratch.library, create: true)
        pictures = try scratch.folder("pictures")
    }

    @Test func unchangedFilesAreNotReadAgain() async throws {
        for number in 0..<7 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
        let first = try await library.indexAll([pictures], embedder)
        #expect(first.embedded == 7 && first.found == 7 && first.done == 7 && first.failed == 0)
        let second = try await library.indexAll([pictures], embedder)
        #expect(second.unchanged == 7 && second.embedded == 0)
        #expect(embedder.embedded == 7)
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func changedFilesAreEmbeddedAgain() async throws {
        let path = pictures.appending("a.png")
        try makePicture(path, "red")
        _ = try await library.indexAll([pictures], embedder)
        try makePicture(path, "blue", width: 40)
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.embedded == 1)
        #expect(try library.info(path).width == 40)
        #expect(try library.status().pictures == 1)
        _ = try library.forgetMissing()
    }

    @Test func movedFilesAreRecognised() async throws {
        try makePicture(pictures.appending("old.png"), "red")
        try makePicture(pictures.appending("other.png"), "blue")
        _ = try await library.indexAll([pictures], embedder)
        let folder = try scratch.folder("pictures/deeper")
        try FileManager.default.moveItem(atPath: pictures.appending("old.png").display, toPath: folder.appending("new.png").display)
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.moved == 1 && progress.embedded == 0 && progress.missing == 0 && progress.unchanged == 1)
        #expect(embedder.embedded == 2)
        #expect(try library.shown() == ["new.png", "other.png"])
        #expect(try library.status().missing == 0)
    }

    @Test func copiesAreEmbeddedOnceAndAreOneHit() async throws {
        for name in ["a.png", "b.png", "c.png"] { try makePicture(pictures.appending(name), "red") }
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.embedded == 1 && progress.duplicates == 2)
        #expect(embedder.embedded == 1)
        let hits = try library.search(Query(terms: [QueryTerm(.picture(pictures.appending("a.png")))]))
        #expect(hits.count == 1 && hits[0].copies.count == 2)
        let copies = try library.similar(to: pictures.appending("a.png"), includesCopies: true)
        #expect(Set(copies.map(\.path.name.display)) == ["b.png", "c.png"])
        #expect(copies.map(\.rank) == [1, 2])
    }

    @Test func deletedFilesLeaveTheResults() async throws {
        for number in 0..<3 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
        _ = try await library.indexAll([pictures], embedder)
        try FileManager.default.removeItem(atPath: pictures.appending("p1.png").display)
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.missing == 1 && progress.unchanged == 2)
        #expect(try library.search(Query(terms: [QueryTerm(.picture(pictures.appending("p0.png")))])).count == 2)
        #expect(try library.search(Query(terms: [QueryTerm(.words("p1"))])).filter { $0.path.name.display == "p1.png" }.isEmpty)
        #expect(try library.status().missing == 1)
        #expect(try library.forgetMissing() == RemovalSummary(files: 1, pictures: 1))
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func aVanishedRootKeepsItsPictures() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        _ = try await library.indexAll([pictures], embedder)
        try FileManager.default.moveItem(atPath: pictures.display, toPath: scratch.path.appending("away").display)
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.missing == 0 && progress.unreachable == 2)
        #expect(try library.shown() == ["a.png"])
        #expect(try library.problems().map(\.problem.kind) == [.vanished])
        try FileManager.default.moveItem(atPath: scratch.path.appending("away").display, toPath: pictures.display)
        let back = try await library.indexAll([], embedder)
        #expect(back.unchanged == 1)
        #expect(try library.problems().isEmpty)
    }

    @Test func anEmptyMountPointIsNoDeletion() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        _ = try await library.indexAll([pictures], embedder)
        // As if the folder had been on another disk.
        try await library.database.pool.write { try $0.execute(sql: "UPDATE file SET device = device + 1") }
        try FileManager.default.removeItem(atPath: pictures.appending("a.png").display)
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.missing == 0 && progress.unreachable == 1)
        // With something else in it, the folder is the real one.
        try write("text", to: pictures.appending("note.txt"))
        #expect(try await library.indexAll([pictures], embedder).missing == 1)
    }

    @Test func anUnknownRootIsAnError() async throws {
        await #expect(throws: LibraryError.self) { _ = try await library.indexAll([scratch.path.appending("nowhere")], embedder) }
        await #expect(throws: LibraryError.self) { _ = try await library.indexAll([], embedder) }
    }

    @Test func loopsOfLinksEnd() async throws {
        let inner = try scratch.folder("pictures/inner")
        try makePicture(inner.appending("a.png"), "red")
        try FileManager.default.createSymbolicLink(atPath: inner.appending("loop").display, withDestinationPath: pictures.display)
        try FileManager.default.createSymbolicLink(atPath: pictures.appending("aaa").display, withDestinationPath: inner.display)
        try FileManager.default.createSymbolicLink(atPath: pictures.appending("self").display, withDestinationPath: "self")
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.found == 1 && progress.embedded == 1)
        #expect(try library.info(inner.appending("a.png")).state == "indexed")
    }

    @Test func badFilesAreRecordedAndTheRunGoesOn() async throws {
        try makePicture(pictures.appending("good.png"), "red")
        try write([], to: pictures.appending("zero.jpg"))
        try write("this is no picture", to: pictures.appending("text.jpg"))
        let whole = try solid("green", width: 64, height: 64, seed: 3).encoded(as: .png())
        try write(Array(whole.prefix(whole.count / 2)), to: pictures.appending("cut.png"))
        try FileManager.default.createSymbolicLink(atPath: pictures.appending("dangling.jpg").display, withDestinationPath: "nowhere.jpg")
        let reported = Mutex<[String]>([])
        let summary = try await library.index(roots: [pictures], embedder: embedder) { event in
            if case .problem(let path, _) = event { reported.withLock { $0.append(path.name.display) } }
        }
        #expect(summary.progress.failed == 4 && summary.progress.embedded == 1)
        #expect(reported.withLock { $0.sorted() } == ["cut.png", "dangling.jpg", "text.jpg", "zero.jpg"])
        let problems = Dictionary(uniqueKeysWithValues: try library.problems().map { ($0.path.name.display, $0.problem.kind) })
        #expect(problems == ["zero.jpg": .empty, "text.jpg": .undecodable, "cut.png": .undecodable, "dangling.jpg": .unreadable])
        // Known to be bad and unchanged: counted, not read.
        #expect(try await library.indexAll([pictures], embedder).failed == 4)
        // Mended.
        try makePicture(pictures.appending("text.jpg"), "blue")
        let mended = try await library.indexAll([pictures], embedder)
        #expect(mended.failed == 3 && mended.embedded == 1)
    }

    @Test func largeFilesAreRefused() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        let progress = try await library.indexAll([pictures], embedder) { $0.largestFile = 10 }
        #expect(progress.failed == 1)
        #expect(try library.problems().first?.problem.kind == .tooLarge)
    }

    @Test(.enabled(if: geteuid() != 0)) func filesWithoutPermissionAreRecorded() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        #expect(pictures.appending("a.png").withCString { chmod($0, 0) } == 0)
        #expect(try await library.indexAll([pictures], embedder).failed == 1)
        #expect(pictures.appending("a.png").withCString { chmod($0, 0o644) } == 0)
        #expect(try await library.indexAll([pictures], embedder).embedded == 1)
    }

    @Test func namesThatAreNotUTF8Work() async throws {
        let path = pictures.appending(FilePath(bytes: Array("caf".utf8) + [0xE9] + Array(".png".utf8)))
        try makePicture(path, "red")
        try makePicture(pictures.appending("b.png"), "blue")
        _ = try await library.indexAll([pictures], embedder)
        let hits = try library.similar(to: pictures.appending("b.png"))
        #expect(hits.map(\.path) == [path])
        #expect(!hits[0].path.isUTF8 && hits[0].path.display.hasSuffix("caf\u{FFFD}.png"))
        #expect(try await library.indexAll([pictures], embedder).unchanged == 2)
        #expect(try library.remove([path]).files == 1)
    }

    @Test func hiddenFilesAndOtherKindsAreLeftOut() async throws {
        try makePicture(pictures.appending(".hidden.png"), "red")
        try makePicture(pictures.appending("noextension"), "blue")
        try write("{}", to: pictures.appending("data.json"))
        try write("plain", to: pictures.appending("README"))
        #expect(mkfifo(pictures.appending("pipe.png").display, 0o644) == 0)
        #expect(try await library.indexAll([pictures], embedder).found == 1)
        #expect(try await library.indexAll([pictures], embedder) { $0.includesHidden = true }.found == 2)
    }

    @Test func aSingleFileCanBeIndexed() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        try makePicture(pictures.appending("b.png"), "blue")
        #expect(try await library.indexAll([pictures.appending("a.png")], embedder).embedded == 1)
        #expect(try library.shown() == ["a.png"])
    }

    @Test func aLibraryInsideItsRootIsNotIndexed() async throws {
        try makePicture(pictures.appending("a.png"), "red")
        try makePicture(scratch.library.appending("indexes/b.png"), "blue")
        #expect(try await library.indexAll([scratch.path], embedder).found == 1)
    }

    @Test func captionsBesidePicturesAreReadAndFollowed() async throws {
        try makePicture(pictures.appending("dolphin.png"), "blue")
        try write("A dolphin.\nde.utf8=Ein Delfin.\nzh_CN.utf8=一只海豚。\nzh_TW.utf8=一隻海豚。\n", to: pictures.appending("dolphin.txt"))
        _ = try await library.indexAll([pictures], embedder)
        #expect(try library.info(pictures.appending("dolphin.png")).title == "A dolphin.")
        #expect(try library.search(Query(terms: [QueryTerm(.words("海豚"))])).count == 1)
        #expect(try library.search(Query(terms: [QueryTerm(.words("dolphins"))])).count == 1)
        try write("A whale shark", to: pictures.appending("dolphin.txt"))
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.unchanged == 1 && embedder.embedded == 1)
        #expect(try library.search(Query(terms: [QueryTerm(.words("whale"))])).count == 1)
        #expect(try library.search(Query(terms: [QueryTerm(.words("海豚"))])).isEmpty)
    }

    @Test func progressAddsUp() async throws {
        for number in 0..<20 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number % 15 + 1) }
        try write([], to: pictures.appending("bad.png"))
        let last = Mutex(IndexProgress())
        let summary = try await library.index(roots: [pictures], embedder: embedder) { event in
            if case .progress(let progress) = event { last.withLock { $0 = progress } }
        }
        #expect(summary.progress == last.withLock { $0 })
        #expect(summary.progress.done == 21 && summary.progress.found == 21 && !summary.progress.isWalking)
        #expect(summary.progress.embedded == 15 && summary.progress.duplicates == 5 && summary.progress.failed == 1)
        #expect(summary.isActive && summary.pending == 0 && !summary.isCancelled)
        #expect(try library.status().lastRun?.outcome == "done")
    }

    @Test func removingTakesFilesAndVectorsOut() async throws {
        for number in 0..<4 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
        _ = try await library.indexAll([pictures], embedder)
        #expect(try library.remove([pictures.appending("p0.png")]) == RemovalSummary(files: 1, pictures: 1))
        #expect(throws: LibraryError.self) { try library.remove([pictures.appending("p0.png")]) }
        #expect(try library.remove([pictures]) == RemovalSummary(files: 3, pictures: 3))
        #expect(try library.status().indexes.first?.vectors == 0)
        #expect(try library.roots().isEmpty)
        try library.compact()
        #expect(try library.verify() == LibraryFindings())
    }
}
