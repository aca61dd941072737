import Foundation
import Synchronization
import Testing

@testable import HTTPService

extension PageTests {
    @Test func theViewTellsWhatTheServiceTells() async throws {
        try await PageVisit.make(try await PageVisit.library(), at: "/?q=picture+number+2&colour=%23804020&weight_words=2&weight_color=0.5")
        { visit in
            let page = visit.page
            try await visit.showsFirst("picture number 2")
            try await page.click(".tile[data-place='0'] .open")
            try await page.wait("viewer.open && facts.children.length > 8")
            // The reasons are the answer's own numbers.
            let hit = try await page.evaluate(
                """
                fetch('/api/search', {method: 'POST', headers: {'Content-Type': 'application/json'},
                    body: JSON.stringify({q: 'picture number 2', color: '#804020', weights: {words: 2, color: 0.5}, limit: 10000})})
                    .then((answer) => answer.json()).then(({hits}) => hits[0])
                """)
            let similarity = try #require(hit["similarity"]?.number), place = Int(try #require(hit["vector_rank"]?.number))
            let words = try #require(hit["text_score"]?.number), score = try #require(hit["score"]?.number)
            var told = [
                String(format: "cosine %.3f", similarity), "place \(place)", String(format: "bm25 %.2f", words),
                String(format: "score %.4f", score), "weight 2.00", "weight 0.50",
            ]
            let shares = hit["rankings"]?.list ?? []
            #expect(shares.count == 3)
            told += shares.compactMap { $0["share"]?.number }.map { String(format: "gives %.4f", $0) }
            if let share = hit["color_score"]?.number { told.append(String(format: "share %.2f", share)) }
            #expect(abs(shares.compactMap { $0["share"]?.number }.reduce(0, +) - score) < 1e-9)
            let reasons = try await page.text("reasons.innerText")
            for part in told { #expect(reasons.contains(part), "\(part) isn't in \(reasons)") }
            let facts = try await page.text("facts.innerText")
            for part in ["picture number 2", "64 × 48", "JPEG", "picture-2.jpg", "SHA-256"] { #expect(facts.contains(part), "\(facts)") }
            // What is told can be searched with.
            try await page.click("#facts .swatch")
            try await page.wait("!viewer.open && location.search.includes('colour=') && \(PageVisit.idle)")
            // A picture has an address of its own.
            let id = try await page.text("document.querySelector('.tile').dataset.id")
            try await page.open("http://127.0.0.1:\(visit.port)/?view=\(id)")
            try await page.wait("viewer.open && document.getElementById('viewer-image').naturalWidth > 0")
            try await page.click("#viewer .close")
            try await page.wait("!viewer.open && location.search === ''")
        }
    }

    @Test func tenThousandHitsCostWhatFiftyDo() async throws {
        // Shapes from tall to wide, thumbnails of a few bytes.
        let hits = (0..<10_000).map { (place: Int) -> String in
            let (width, height, score) = (300 + place * 7 % 500, 300 + place * 13 % 300, 1 - Double(place) / 20_000)
            let found = "\"rank\":\(place + 1),\"vector_rank\":\(place + 1),\"score\":\(score),\"similarity\":\(score)"
            return "{\"id\":\(1_000 + place),\"path\":\"/p/\(place).jpg\",\"width\":\(width),\"height\":\(height),\(found)}"
        }
        let answers = [10_000, 200].map { count in
            "{\"hits\":[\(hits.prefix(count).joined(separator: ","))],\"count\":\(count),\"seconds\":0.1}"
        }
        let thumbnail = try ServiceFixture.picture(seed: 1).encoded(as: .png(compression: 1))
        let fixture = try await ServiceFixture(pictures: 1)
        try await PageVisit.make(
            fixture, at: "/?q=few",
            prepare: { page in
                let isFirst = Atomic(true)
                try await page.substitute { address in
                    if address.contains("/thumbnail") { return .bytes(thumbnail, type: "image/png") }
                    guard address.hasSuffix("/api/search") else { return .real }
                    return .answer(isFirst.exchange(false, ordering: .relaxed) ? answers[1] : answers[0])
                }
            }
        ) { visit in
            let page = visit.page, nodes = "document.querySelectorAll('*').length"
            try await page.wait("summary.textContent === '200 pictures' && document.querySelectorAll('.tile').length > 10")
            let few = try await page.int(nodes)
            try await page.evaluate("document.querySelector('.tile').isOld = true")
            try await visit.search("many")
            try await page.wait("summary.textContent === 'The first 10,000 pictures' && \(PageVisit.idle)")
            // Tiles of pictures that were shown already stay.
            #expect(try await page.isTrue("document.querySelector('.tile').isOld"))
            let height = try await page.int("grid.offsetHeight")
            for part in [0.0, 0.13, 0.5, 0.77, 1.0, 0.31] {
                try await page.evaluate("scrollTo(0, \(Double(height) * part))")
                try await page.wait(Self.rightTiles)
                let count = try await page.int(nodes)
                #expect(count < few + 700, "\(few) nodes with 200 hits, \(count) with 10,000")
            }
            // By the keyboard to the very end.
            try await page.evaluate("words.focus()")
            try await page.press("ArrowDown")
            try await page.press("End")
            try await page.wait("document.activeElement.closest('.tile')?.dataset.id === '10999'")
            try await page.wait(Self.rightTiles)
            try await page.press("Home")
            try await page.wait("document.activeElement.closest('.tile')?.dataset.id === '1000' && scrollY < innerHeight")
            print(try await Self.frames(page))
        }
    }

    /// Whether the tiles are those of the places in the window: without gaps, each the picture of its place, over the whole window.
    private static let rightTiles = """
        (() => {
            const all = (selector) => [...document.querySelectorAll(selector)], box = (one) => one.getBoundingClientRect();
            const isSeen = (one) => box(one).bottom > 0 && box(one).top < innerHeight, place = (tile) => Number(tile.dataset.place);
            const tiles = all('.tile'), seen = tiles.filter(isSeen).map(place).sort((a, b) => a - b), rows = all('.row').map(box);
            const end = Math.min(innerHeight, box(document.getElementById('grid')).bottom) - 1;
            return seen.length > 0 && seen.every((one, at) => at === 0 || one === seen[at - 1] + 1)
                && tiles.every((tile) => Number(tile.dataset.id) === 1000 + place(tile))
                && Math.min(...rows.map(({top}) => top)) <= Math.max(0, box(document.getElementById('grid')).top)
                && Math.max(...rows.map(({bottom}) => bottom)) >= end
                && all('.tile img').filter(isSeen).every((image) => image.naturalWidth > 0);
        })()
        """

    /// Scrolls a long way and says how long frames took.
    private static func frames(_ page: BrowserPage) async throws -> String {
        let times = try await page.evaluate(
            """
            new Promise((done) => {
                const frames = [];
                let last = performance.now();
                const step = (now) => {
                    frames.push(now - last);
                    last = now;
                    if (frames.length === 240) return done(frames);
                    scrollBy(0, 160);
                    requestAnimationFrame(step);
                };
                requestAnimationFrame(step);
            })
            """)
        let sorted = (times.list ?? []).compactMap(\.number).sorted()
        guard sorted.count > 200 else { return "no frames" }
        return String(
            format: "10,000 hits, 240 frames of 160 px: median %.1f ms, 95 %% within %.1f ms, longest %.1f ms", sorted[sorted.count / 2],
            sorted[sorted.count * 95 / 100], sorted[sorted.count - 1])
    }
}
