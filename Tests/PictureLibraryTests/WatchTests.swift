import Foundation
import GRDB
import Imaging
import Testing

@testable import PictureLibrary

/// A library that is watched. Every step waits until the watch says that it has done a run; nothing depends on how long that takes.
@Suite struct WatchTests {
    /// Runs a watch beside `body`, which is given the summaries of its runs, the whole one first.
    private func watch(
        _ scratch: Scratch, _ roots: [FilePath], _ change: (inout LibraryWatch.Options) -> Void = { _ in },
        _ body: (inout AsyncStream<LibraryWatch.Event>.Iterator) async throws -> Void
    ) async throws {
        var options = LibraryWatch.Options()
        options.settle = 0.02
        options.retry = 0.02
        options.wholeRunEvery = nil
        change(&options)
        let path = scratch.library, embedder = ColorEmbedder()
        let watch = try LibraryWatch(library: path, roots: roots, options: options) { roots, indexing, onEvent in
            try await Library(at: path, create: true).index(roots: roots, embedder: embedder, options: indexing, onEvent: onEvent)
        }
        let (events, told) = AsyncStream<LibraryWatch.Event>.makeStream()
        let run = Task {
            defer { told.finish() }
            try await watch.run { told.yield($0) }
        }
        var iterator = events.makeAsyncIterator()
        let result: Result<Void, any Error>
        do { result = .success(try await body(&iterator)) } catch { result = .failure(error) }
        run.cancel()
        try await run.value
        try result.get()
    }

    /// Waits until the library shows just these pictures; fails when the watch ends before.
    private func until(
        _ names: [String], in scratch: Scratch, _ events: inout AsyncStream<LibraryWatch.Event>.Iterator,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        while let event = await events.next() {
            guard case .ended = event else { continue }
            if try Library(at: scratch.library).shown().sorted() == names.sorted() { return }
        }
        Issue.record("the watch ended", sourceLocation: location)
    }

    @Test func changesArePickedUp() async throws {
        let scratch = try Scratch(), folder = try scratch.folder("pictures")
        try makePicture(folder.appending("first.png"), "red", seed: 1)
        try await watch(scratch, [folder]) { events in
            try await until(["first.png"], in: scratch, &events)
            try makePicture(folder.appending("second.png"), "green", seed: 2)
            try await until(["first.png", "second.png"], in: scratch, &events)
            // A folder that comes with pictures in it, one deeper than the other.
            let deep = try scratch.folder("pictures/new/deep")
            try makePicture(deep.appending("third.png"), "blue", seed: 3)
            try makePicture(deep.folder.appending("fourth.png"), "white", seed: 4)
            try await until(["first.png", "second.png", "third.png", "fourth.png"], in: scratch, &events)
            try FileManager.default.removeItem(atPath: folder.appending("first.png").display)
            try await until(["second.png", "third.png", "fourth.png"], in: scratch, &events)
            // What comes into the folder after it was moved is seen where it is now.
            let moved = folder.appending("moved")
            try FileManager.default.moveItem(atPath: deep.folder.display, toPath: moved.display)
            try makePicture(moved.appending("deep").appending("fifth.png"), "black", seed: 5)
            try await until(["second.png", "third.png", "fourth.png", "fifth.png"], in: scratch, &events)
            let paths = try Library(at: scratch.library).database.read {
                try String.fetchAll($0, sql: "SELECT CAST(path AS TEXT) FROM file WHERE state = 'indexed'")
            }
            #expect(paths.filter { $0.contains("/moved/") }.count == 3)
            try FileManager.default.removeItem(atPath: moved.display)
            try await until(["second.png"], in: scratch, &events)
        }
        // Only the folder that was named is remembered.
        #expect(try Library(at: scratch.library).roots() == [folder])
    }

    @Test func whatChangedMeanwhileIsFoundAtTheNextStart() async throws {
        let scratch = try Scratch(), folder = try scratch.folder("pictures")
        try makePicture(folder.appending("first.png"), "red", seed: 1)
        try makePicture(folder.appending("second.png"), "green", seed: 2)
        try await watch(scratch, [folder]) { try await until(["first.png", "second.png"], in: scratch, &$0) }
        try FileManager.default.removeItem(atPath: folder.appending("first.png").display)
        try makePicture(folder.appending("third.png"), "blue", seed: 3)
        try await watch(scratch, [folder]) { try await until(["second.png", "third.png"], in: scratch, &$0) }
    }

    @Test func anotherProcessIsWaitedFor() async throws {
        let scratch = try Scratch(), folder = try scratch.folder("pictures")
        try makePicture(folder.appending("first.png"), "red", seed: 1)
        _ = try await Library(at: scratch.library, create: true).indexAll([folder], ColorEmbedder())
        try makePicture(folder.appending("second.png"), "green", seed: 2)
        let lock = try LibraryLock(Library(at: scratch.library).folder)
        try await watch(scratch, [folder]) { events in
            var wasPostponed = false
            while !wasPostponed, let event = await events.next() { if case .postponed = event { wasPostponed = true } }
            #expect(wasPostponed)
            lock.release()
            try await until(["first.png", "second.png"], in: scratch, &events)
        }
    }

    @Test func captionsMatterAndOtherFilesDont() throws {
        let scratch = try Scratch(), folder = try scratch.folder("pictures")
        _ = try scratch.folder("pictures/library")
        let events = try FolderEvents(
            [folder], excluding: [folder.appending("library")], options: FolderWalk.Options(includesHidden: false, followsLinks: true))
        func changed(_ name: String) throws -> Set<FilePath> {
            try write("x", to: folder.appending(name))
            return events.wait(atMost: 0)
        }
        #expect(try changed("a.jpg") == [folder])
        #expect(try changed("a.txt") == [folder])
        #expect(try changed("noextension") == [folder])
        #expect(try changed("notes.pdf").isEmpty)
        #expect(try changed(".hidden.jpg").isEmpty)
        #expect(try changed("library/catalogue.jpg").isEmpty)
        events.wake()
        #expect(events.wait(atMost: nil).isEmpty)
    }

    @Test func linksThatLeadInCirclesEnd() throws {
        let scratch = try Scratch(), folder = try scratch.folder("pictures/deep")
        try FileManager.default.createSymbolicLink(
            atPath: folder.appending("loop").display, withDestinationPath: scratch.path.appending("pictures").display)
        let events = try FolderEvents(
            [scratch.path.appending("pictures")], excluding: [], options: FolderWalk.Options(includesHidden: false, followsLinks: true))
        #expect(events.counts.watched == 2)
        try makePicture(folder.appending("a.png"), "red")
        #expect(events.wait(atMost: nil) == [folder])
    }

    @Test func foldersThatAreGoneGiveThoseAboveThem() throws {
        let scratch = try Scratch(), root = try scratch.folder("pictures"), kept = try scratch.folder("pictures/kept")
        let gone = root.appending("gone").appending("deep")
        #expect(LibraryWatch.reachable([gone], in: [root]) == [root])
        #expect(LibraryWatch.reachable([kept, kept.appending("gone")], in: [root]) == [kept])
        let away = scratch.path.appending("away")
        #expect(LibraryWatch.reachable([away, kept], in: [away, root]) == [away, kept].sorted())
    }
}
