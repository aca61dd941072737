import Foundation
import Imaging
import Synchronization
import Testing

@testable import PictureLibrary

/// Runs that end in the middle, by a failure at each stage, by cancellation, or by another embedder's first run.
@Suite struct CrashTests {
    let scratch: Scratch
    let pictures: FilePath

    init() throws {
        scratch = try Scratch()
        pictures = try scratch.folder("pictures")
        for number in 0..<10 { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
    }

    /// Rows that were acknowledged, by name.
    private func acknowledged(_ library: Library) throws -> Set<String> { Set(try library.shown()) }

    @Test(arguments: IndexingOptions.Stage.allCases, [1, 2])
    func whatWasAcknowledgedOutlivesAnInterruption(stage: IndexingOptions.Stage, time: Int) async throws {
        let embedder = ColorEmbedder()
        var kept: Set<String> = []
        let seen = Mutex(0)
        do {
            let library = try Library(at: scratch.library, create: true)
            _ = try? await library.indexAll([pictures], embedder) { options in
                options.batchSize = 3
                options.interruption = { reached in
                    guard reached == stage else { return }
                    let count = seen.withLock { count in
                        count += 1
                        return count
                    }
                    if count == time { throw Interrupted() }
                }
            }
            kept = try acknowledged(library)
        }
        // Reopened, as after a crash.
        let library = try Library(at: scratch.library)
        #expect(try acknowledged(library) == kept)
        if let first = kept.sorted().first {
            #expect(try library.similar(to: pictures.appending(first)).count == kept.count - 1)
        }
        let rest = ColorEmbedder()
        let progress = try await library.indexAll([pictures], rest)
        #expect(progress.unchanged == kept.count && progress.embedded == 10 - kept.count)
        #expect(rest.embedded == 10 - kept.count)
        #expect(try acknowledged(library).count == 10)
        #expect(try library.similar(to: pictures.appending("p0.png")).count == 9)
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func vectorsThatNoRowNamesAreNeverShown() async throws {
        let embedder = ColorEmbedder()
        let library = try Library(at: scratch.library, create: true)
        _ = try await library.indexAll([pictures.appending("p0.png"), pictures.appending("p1.png")], embedder)
        _ = try? await library.indexAll([pictures], embedder) { options in
            options.interruption = { if $0 == .vectorsStored { throw Interrupted() } }
        }
        let row = try #require(try library.database.read { try $0.activeIdentity() })
        #expect(try library.indexes.open(row).count > 2)
        #expect(try library.similar(to: pictures.appending("p0.png"), limit: 1).map(\.path.name.display) == ["p1.png"])
        let findings = try library.verify()
        #expect(findings.faults.isEmpty && findings.notes.count == 1)
    }

    @Test func aLostIndexIsBuiltAgain() async throws {
        let embedder = ColorEmbedder()
        do { _ = try await Library(at: scratch.library, create: true).indexAll([pictures], embedder) }
        try FileManager.default.removeItem(atPath: scratch.library.appending("indexes").display)
        let library = try Library(at: scratch.library)
        #expect(try await library.indexAll([pictures], embedder).embedded == 10)
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func cancellationKeepsWholeBatches() async throws {
        let library = try Library(at: scratch.library, create: true)
        let pictures = pictures
        let handle = Mutex<Task<IndexSummary, any Error>?>(nil)
        let taken = Mutex(0)
        let embedder = ColorEmbedder(onEmbed: { count in
            taken.withLock { $0 += count }
            handle.withLock { $0?.cancel() }
        })
        let (ready, start) = AsyncStream<Void>.makeStream()
        let task = Task {
            for await _ in ready { break }
            var options = IndexingOptions()
            options.batchSize = 2
            options.decodingThreads = 1
            return try await library.index(roots: [pictures], embedder: embedder, options: options)
        }
        handle.withLock { $0 = task }
        start.yield()
        let summary = try await task.value
        #expect(summary.isCancelled)
        // The batch in work is kept, whether it was full or not, and no other is begun.
        let kept = taken.withLock { $0 }
        #expect((1...2).contains(kept) && summary.progress.embedded == kept)
        #expect(try library.shown().count == kept)
        #expect(try library.status().lastRun?.outcome == "cancelled")
        let rest = try await library.indexAll([pictures], ColorEmbedder())
        #expect(rest.unchanged == kept && rest.embedded == 10 - kept)
    }

    @Test func anotherEmbedderIsBuiltBeside() async throws {
        let library = try Library(at: scratch.library, create: true)
        let (old, new) = (ColorEmbedder(name: "old"), ColorEmbedder(name: "new"))
        _ = try await library.indexAll([pictures], old)
        // Broken off: the old one goes on answering.
        let partial = try? await library.index(roots: [pictures.appending("p0.png")], embedder: new)
        #expect(partial?.isActive == false && partial?.pending == 9)
        #expect(try library.status().indexes.map(\.isActive) == [true, false])
        #expect(try library.similar(to: pictures.appending("p3.png")).count == 9)
        let summary = try await library.index(roots: [pictures], embedder: new)
        #expect(summary.isActive && summary.pending == 0 && summary.progress.embedded == 9)
        #expect(try library.status().indexes.map(\.isActive) == [false, true])
        // Both answer when asked for.
        let query = Query(terms: [QueryTerm(.picture(pictures.appending("p1.png")))])
        #expect(try library.search(query, embedder: old).count == 10)
        #expect(try library.search(query, embedder: new).count == 10)
        #expect(throws: LibraryError.self) { try library.search(query, embedder: ColorEmbedder(name: "third")) }
        try library.removeIndex("old")
        #expect(try library.status().indexes.map(\.identity.name) == ["new"])
        #expect(throws: LibraryError.self) { try library.search(query, embedder: old) }
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func aFailingNetworkStopsTheRun() async throws {
        let library = try Library(at: scratch.library, create: true)
        let broken = ColorEmbedder(onEmbed: { _ in throw Interrupted() })
        await #expect(throws: LibraryError.self) { _ = try await library.indexAll([pictures], broken) }
        #expect(try library.problems().isEmpty)
    }

    @Test func aPictureThatTheNetworkRefusesFailsAlone() async throws {
        let library = try Library(at: scratch.library, create: true)
        let calls = Mutex(0)
        // The first batch fails whole, then its first picture alone (which a batch of one is: it fails twice).
        let embedder = ColorEmbedder(onEmbed: { _ in
            let call = calls.withLock { count in
                count += 1
                return count
            }
            if call <= 2 { throw Interrupted() }
        })
        let progress = try await library.indexAll([pictures], embedder)
        #expect(progress.failed == 1 && progress.embedded == 9)
        #expect(try library.problems().map(\.problem.kind) == [.notEmbedded])
        #expect(try await library.indexAll([pictures], ColorEmbedder()).embedded == 1)
    }

    @Test func searchesGoOnDuringARun() async throws {
        let library = try Library(at: scratch.library, create: true)
        _ = try await library.indexAll([pictures.appending("p0.png"), pictures.appending("p1.png")], ColorEmbedder())
        let scratch = scratch
        let query = Query(terms: [QueryTerm(.picture(pictures.appending("p0.png")))])
        let counts = Mutex<[Int]>([])
        let embedder = ColorEmbedder(onEmbed: { _ in
            let reader = try Library(at: scratch.library)
            let hits = try reader.search(query)
            counts.withLock { $0.append(hits.count) }
        })
        _ = try await library.indexAll([pictures], embedder) { $0.batchSize = 4 }
        // What was written until then, in whole groups.
        let found = counts.withLock { $0 }
        #expect(found.first == 2 && found == found.sorted() && found.allSatisfy { [2, 6, 10].contains($0) })
    }

    /// A refused lock gives back its file once: a second time it could be a file that another thread has opened meanwhile.
    @Test func aRefusedLockClosesNoFileOfOthers() async throws {
        let library = try Library(at: scratch.library, create: true)
        let folder = library.folder
        let lock = try LibraryLock(folder)
        let refused = Task.detached {
            (0..<5_000).count { _ in
                do { _ = try LibraryLock(folder) } catch { return true }
                return false
            }
        }
        var lost = 0
        for _ in 0..<20_000 {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            if descriptor >= 0, close(descriptor) != 0 { lost += 1 }
        }
        #expect(await refused.value == 5_000)
        #expect(lost == 0)
        withExtendedLifetime(lock) {}
    }

    @Test func onlyOneProcessChangesALibrary() async throws {
        let library = try Library(at: scratch.library, create: true)
        let lock = try LibraryLock(library.folder)
        #expect(throws: LibraryError.locked(path: library.path.display, pid: getpid())) { try library.forgetMissing() }
        await #expect(throws: LibraryError.self) { _ = try await library.indexAll([pictures], ColorEmbedder()) }
        #expect(LibraryError.locked(path: "x", pid: 17).description.contains("17"))
        withExtendedLifetime(lock) {}
    }
}
