import Foundation
import GRDB
import Imaging
import Pipelines
import Synchronization
import Testing

@testable import PictureLibrary

/// Text that was read in pictures: kept with the pictures, found by any part of it.
@Suite struct ReadingTests {
    let scratch: Scratch
    let pictures: FilePath
    let library: Library

    /// What stands in each picture, by the red of its first pixel.
    static let texts: [(name: String, color: String, lines: [String])] = [
        ("sign.png", "#10a0a0", ["Emergency EXIT", "紧急出口"]), ("shop.png", "#20a0a0", ["歡迎光臨", "Open 24 hours", "出 口"]),
        ("page.png", "#30a0a0", ["Chapter one: the exit of the fox", "100% \"quoted\" _under_"]), ("plain.png", "#40a0a0", []),
    ]

    init() throws {
        scratch = try Scratch()
        pictures = try scratch.folder("pictures")
        library = try Library(at: scratch.library, create: true)
        for text in Self.texts { try makePicture(pictures.appending(text.name), text.color, width: 40, height: 20) }
    }

    private func reader(_ digest: String = "d1", onRead: (@Sendable () throws -> Void)? = nil) -> LibraryReader {
        LibraryReader(name: "stub", digest: digest) { picture in
            try onRead?()
            let red = picture.pixels[0]
            let lines = Self.texts.first { Color($0.color)?.red == red }?.lines ?? []
            return lines.enumerated().map { place, text in
                let top = Float(place * 5)
                let corners = [(4, top), (36, top), (36, top + 4), (4, top + 4)].map { PicturePoint(x: Float($0.0), y: $0.1) }
                return TextLine(text: text, score: 0.9, corners: corners)
            }
        }
    }

    private func read(_ reader: LibraryReader, _ options: ReadingOptions = ReadingOptions()) async throws -> ReadingProgress {
        try await library.readText(with: reader, options: options).progress
    }

    private func names(_ query: Query) throws -> [String] { try library.search(query).map(\.path.name.display) }
    private func words(_ text: String) throws -> [String] { try names(Query(terms: [QueryTerm(.words(text))])) }
    private func filtered(_ filter: String) throws -> [String] { try names(Query(filter: WhereFilter(filter))).sorted() }

    @Test func everyPictureIsReadOnce() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        #expect(try library.status().read == 0)
        let first = try await read(reader())
        #expect(first.read == 4 && first.lines == 7 && first.pending == 0 && first.failed == 0)
        #expect(try await read(reader()).read == 0)
        // New pictures are read later, others aren't again; another reader reads all.
        try makePicture(pictures.appending("new.png"), "#20a0a0", width: 44, height: 20)
        try FileManager.default.copyItem(atPath: pictures.appending("sign.png").display, toPath: pictures.appending("copy.png").display)
        _ = try await library.indexAll([pictures], ColorEmbedder())
        #expect(try await read(reader()).read == 1)
        #expect(try await read(reader("d2")).read == 5)
        #expect(try library.status().read == 5)
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func linesLieInThePicture() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let path = pictures.appending("sign.png")
        #expect(try !library.info(path).isRead)
        _ = try await read(reader())
        let info = try library.info(path)
        #expect(info.isRead && info.lines.map(\.text) == ["Emergency EXIT", "紧急出口"])
        #expect(info.lines[1].corners == [(0.1, 0.25), (0.9, 0.25), (0.9, 0.45), (0.1, 0.45)].map { PicturePoint(x: $0.0, y: $0.1) })
        let json = JSONLine(info).text
        #expect(json.contains(#""text_was_read":true,"lines":[{"text":"Emergency EXIT""#) && json.contains("[0.1,0.25]"))
        #expect(try library.info(pictures.appending("plain.png")).isRead)
    }

    @Test func anyPartOfALineIsFound() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        #expect(try words("exit").isEmpty)
        _ = try await read(reader())
        // The shorter the rest of the line, the better it fits.
        #expect(try words("exit") == ["sign.png", "page.png"])
        #expect(try words("mergen") == ["sign.png"])
        #expect(try words("EXIT") == ["sign.png", "page.png"])
        // Two characters of Chinese, and one; traditional and simplified.
        #expect(try words("出口") == ["shop.png", "sign.png"])
        #expect(try words("口").sorted() == ["shop.png", "sign.png"])
        #expect(try words("欢迎") == ["shop.png"] && words("歡迎光臨") == ["shop.png"])
        // Words of several lines.
        #expect(try words("hours 欢迎") == ["shop.png"])
        #expect(try words("24") == ["shop.png"])
        #expect(try words("nothing like it").isEmpty)
        let hit = try #require(try library.search(Query(terms: [QueryTerm(.words("emergency exit"))])).first)
        #expect(hit.readRank == 1 && hit.readLine == "Emergency EXIT" && hit.textRank == nil)
        #expect(JSONLine(hit).text.contains(#""read_rank":1,"read_line":"Emergency EXIT""#))
    }

    @Test func readTextIsARankingAmongTheOthers() async throws {
        try write("A way out: exit\n", to: pictures.appending("plain.txt"))
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let before = try library.search(Query(terms: [QueryTerm(.words("exit"))]))
        #expect(before.map(\.path.name.display) == ["plain.png"] && before[0].score == before[0].textScore)
        _ = try await read(reader())
        let hits = try library.search(Query(terms: [QueryTerm(.words("exit"))]))
        #expect(Set(hits.map(\.path.name.display)) == ["plain.png", "sign.png", "page.png"])
        #expect(hits.first { $0.path.name.display == "plain.png" }?.readRank == nil)
        // With vectors of words, text counts as much as it is asked to.
        let embedder = ColorEmbedder(name: "words", text: true)
        _ = try await library.indexAll([pictures], embedder)
        var query = Query(terms: [QueryTerm(.words("exit"))])
        #expect(try library.search(query, embedder: embedder).contains { $0.readRank == 1 })
        query.weights[.text] = 0
        #expect(try !library.search(query, embedder: embedder).contains { $0.readRank != nil })
    }

    @Test func textAloneIsLookedForInPicturesAlone() async throws {
        try write("A way out: exit\n", to: pictures.appending("plain.txt"))
        let embedder = ColorEmbedder(name: "words", text: true)
        _ = try await library.indexAll([pictures], embedder)
        _ = try await read(reader())
        func found(_ terms: [QueryTerm]) throws -> [String] {
            try library.search(Query(terms: terms), embedder: embedder).map(\.path.name.display)
        }
        #expect(try found([QueryTerm(.readText("exit"))]) == ["sign.png", "page.png"])
        #expect(try library.answersWithoutEmbedder(Query(terms: [QueryTerm(.readText("exit"))])))
        let hit = try #require(try library.search(Query(terms: [QueryTerm(.readText("chapter one"))])).first)
        #expect(hit.score == hit.shares[0].share && hit.shares.map(\.ranking) == [.text] && hit.shares[0].words == "chapter one")
        #expect(try found([QueryTerm(.readText("exit")), QueryTerm(.readText("fox"), weight: -1)]) == ["sign.png"])
        #expect(try found([QueryTerm(.words("way out")), QueryTerm(.readText("exit"), weight: -1)]).contains("plain.png"))
        #expect(try !found([QueryTerm(.words("way out")), QueryTerm(.readText("exit"), weight: -1)]).contains("sign.png"))
        #expect(try found([QueryTerm(.readText("nothing like it"))]).isEmpty)
        #expect(throws: LibraryError.self) {
            try library.search(Query(terms: [QueryTerm(.readText("exit"))], weights: try RankingWeights("text=0")))
        }
    }

    @Test func filtersKnowTheText() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        _ = try await read(reader())
        #expect(try filtered("text contains 'exit'") == ["page.png", "sign.png"])
        #expect(try filtered("text contains '出口'") == ["shop.png", "sign.png"])
        #expect(try filtered("ocr contains \"欢迎光临\"") == ["shop.png"])
        #expect(try filtered("text like 'open % hours'") == ["shop.png"])
        #expect(try filtered("text = 'emergency exit'") == ["sign.png"])
        #expect(try filtered("not text contains 'exit'") == ["plain.png", "shop.png"])
        #expect(try filtered("text contains 'exit' and width > 50").isEmpty)
        #expect(try filtered("text contains '100% \"quoted\" _'") == ["page.png"])
        #expect(throws: WhereError.self) { try filtered("text > 'a'") }
        #expect(throws: WhereError.self) { try filtered("text contains '  '") }
    }

    /// Quotes, operators and wildcards of FTS5 are characters like others.
    @Test(arguments: [
        "\"", "\"\"\"", "* OR", "a\" OR \"b", "NEAR(", "%%%", "___", "' --", "\u{0}abc", String(repeating: "x", count: 5_000),
    ]) func hostileTextBreaksNothing(_ text: String) async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        _ = try await read(reader())
        #expect(try words(text + " zz").isEmpty)
        if !text.contains("'") { _ = try filtered("text contains '\(text)z'") }
        #expect(try library.verify() == LibraryFindings())
    }

    @Test func removedPicturesLoseTheirText() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        _ = try await read(reader())
        try library.remove([pictures.appending("sign.png")])
        #expect(try words("exit") == ["page.png"])
        #expect(try library.database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM line") } == 5)
        #expect(try library.verify() == LibraryFindings())
        // Changed bytes are another picture, with other text.
        try FileManager.default.removeItem(atPath: pictures.appending("sign.png").display)
        try makePicture(pictures.appending("page.png"), "#40a0a0", width: 41, height: 20)
        _ = try await library.indexAll([pictures], ColorEmbedder())
        _ = try await read(reader())
        #expect(try words("exit").isEmpty)
        try library.compact()
        #expect(try library.verify() == LibraryFindings())
    }

    @Test(arguments: ReadingOptions.Stage.allCases, [1, 3]) func whatWasReadOutlivesAnInterruption(
        stage: ReadingOptions.Stage, time: Int
    ) async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let seen = Mutex(0)
        var options = ReadingOptions()
        options.interruption = { reached in
            guard reached == stage else { return }
            let count = seen.withLock { count in
                count += 1
                return count
            }
            if count == time { throw Interrupted() }
        }
        await #expect(throws: Interrupted.self) { try await read(reader(), options) }
        let kept = stage == .committed ? time : time - 1
        let reopened = try Library(at: scratch.library)
        #expect(try reopened.status().read == kept)
        let rest = try await reopened.readText(with: reader()).progress
        #expect(rest.read == 4 - kept && rest.pending == 0)
        #expect(try reopened.verify() == LibraryFindings())
    }

    @Test func aPictureThatCannotBeReadFailsAlone() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let calls = Mutex(0)
        let failing = reader(onRead: {
            let call = calls.withLock { count in
                count += 1
                return count
            }
            if call == 2 { throw Interrupted() }
        })
        let first = try await read(failing)
        #expect(first.read == 3 && first.failed == 1 && first.pending == 0)
        #expect(try await read(failing).failed == 0)
        var options = ReadingOptions()
        options.retriesFailed = true
        #expect(try await read(failing, options).read == 1)
        // Gone or changed files wait for the next run.
        try makePicture(pictures.appending("later.png"), "#10a0a0", width: 50, height: 20)
        _ = try await library.indexAll([pictures], ColorEmbedder())
        try FileManager.default.removeItem(atPath: pictures.appending("later.png").display)
        #expect(try await read(reader()).pending == 1)
    }

    @Test func cancellationKeepsWhatWasRead() async throws {
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let handle = Mutex<Task<ReadingSummary, any Error>?>(nil)
        let library = library
        let stopping = reader(onRead: { handle.withLock { $0?.cancel() } })
        let (ready, start) = AsyncStream<Void>.makeStream()
        let task = Task {
            for await _ in ready { break }
            return try await library.readText(with: stopping)
        }
        handle.withLock { $0 = task }
        start.yield()
        let summary = try await task.value
        #expect(summary.isCancelled && summary.progress.read == 1 && summary.progress.pending == 3)
        #expect(try await read(reader()).read == 3)
    }

    @Test func aLibraryFromBeforeGainsTheTables() throws {
        let path = scratch.path.appending("old.sqlite").display
        let migrator = CatalogueSchema.migrator
        do {
            let pool = try DatabasePool(path: path)
            try migrator.migrate(pool, upTo: "2 identities and runs")
            try pool.write { try $0.execute(sql: "INSERT INTO content (hash, width, height, format) VALUES (x'00', 1, 1, 'png')") }
        }
        let opened = try CatalogueDatabase(path: path)
        #expect(try opened.read { try $0.unreadCount(reader: "d") } == 0)
        #expect(try opened.read { try migrator.hasCompletedMigrations($0) })
    }
}
