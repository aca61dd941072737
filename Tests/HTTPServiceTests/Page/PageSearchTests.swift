import Foundation
import Synchronization
import Testing

@testable import HTTPService

/// Weights, the cut-off, text in pictures, and the overviews.
extension PageTests {
    @Test func weightsAreSetAndKeptInTheAddress() async throws {
        try await PageVisit.make(try await ServiceFixture(), at: "/?q=picture+number+2") { visit in
            let page = visit.page
            try await visit.showsFirst("picture number 2")
            try await page.click("#toggle-filters")
            try await page.choose("0", in: "#weight_meaning")
            try await page.wait("location.search.includes('weight_meaning=0') && \(PageVisit.idle)")
            #expect(try await page.text("document.querySelector('[for=weight_meaning] ~ output').textContent") == "left out")
            try await page.choose("2", in: "#weight_words")
            try await page.wait("location.search.includes('weight_words=2') && \(PageVisit.idle)")
            try await page.evaluate("document.querySelector('.tile[data-place=\"0\"] .open').click()")
            // That ranking, and all together.
            try await page.wait("viewer.open && reasons.children.length === 2")
            let reasons = try await page.text("reasons.innerText")
            #expect(reasons.contains("Words about it") && reasons.contains("weight 2.00") && !reasons.contains("cosine"), "\(reasons)")
            try await page.press("Escape")
            try await page.wait("!viewer.open")
            #expect(try await visit.problems() == [])
            // Loaded again it is the same; set back it is gone from the address.
            try await page.call("Page.reload")
            try await visit.showsFirst("picture number 2")
            #expect(try await page.text("document.getElementById('weight_words').value") == "2")
            try await page.click("#toggle-filters")
            try await page.choose("1", in: "#weight_words")
            try await page.choose("1", in: "#weight_meaning")
            try await page.wait("location.search === '?q=picture+number+2' && \(PageVisit.idle)")
        }
    }

    @Test func whereHitsEndIsToldAndAllAreShownOnDemand() async throws {
        let hit = "{\"id\":1,\"path\":\"/p/1.jpg\",\"width\":40,\"height\":30,\"rank\":1,\"score\":0.5,\"similarity\":0.5}"
        let numbers = "\"median\":0.0271,\"spread\":0.0982,\"sample\":2000,\"candidates\":7000,\"false_share\":0.05"
        func answer(_ hits: String, _ cut: Int) -> String {
            "{\"hits\":[\(hits)],\"count\":1,\"seconds\":0.1,\"cutoff\":{\"how\":\"auto\",\"threshold\":0.2134,\"cut\":\(cut),\(numbers)}}"
        }
        let answers = [
            answer(hit, 40), "{\"hits\":[\(hit)],\"count\":1,\"seconds\":0.1}", answer("", 41), answer(hit, 0),
        ]
        let thumbnail = try ServiceFixture.picture(seed: 1).encoded(as: .png(compression: 1)), which = Mutex(0)
        try await PageVisit.make(
            try await ServiceFixture(pictures: 1), at: "/?q=dog",
            prepare: { page in
                try await page.substitute { address in
                    if address.contains("/thumbnail") { return .bytes(thumbnail, type: "image/png") }
                    return address.hasSuffix("/api/search") ? .answer(answers[which.withLock { $0 }]) : .real
                }
            }
        ) { visit in
            let page = visit.page, said = "document.getElementById('cut-text').textContent"
            try await page.wait("\(said) === 'The rest is no better than chance and left out (similarity below 0.213).'")
            try await page.evaluate("document.querySelector('#cut details').open = true")
            let how = try await page.text("document.getElementById('cut-how').textContent")
            #expect(how.contains("2,000 pictures") && how.contains("0.027") && how.contains("0.098") && how.contains("5 %"), "\(how)")
            #expect(try await visit.problems() == [])
            which.withLock { $0 = 1 }
            try await page.click("#cut-toggle")
            try await page.wait("location.search.includes('cutoff=off') && \(said).includes('are shown, too')")
            which.withLock { $0 = 2 }
            try await page.click("#cut-toggle")
            try await page.wait("!location.search.includes('cutoff') && \(said).includes('Nothing here is better than chance')")
            which.withLock { $0 = 3 }
            try await visit.search("cat")
            try await page.wait("\(said).startsWith('Everything that was found') && document.getElementById('cut-toggle').hidden")
            try await page.click("#language")
            try await page.wait("\(said).includes('0.213') && \(said).includes('优于随机')")
        }
    }

    @Test func theServiceIsAskedForTheCutoff() async throws {
        try await PageVisit.make(try await ServiceFixture(), at: "/?q=picture") { visit in
            try await visit.shows(count: 6)
            // Six pictures tell nothing of chance: all are shown, and nothing is said of it.
            #expect(try await visit.page.isTrue("document.getElementById('cut').hidden"))
        }
    }

    @Test func textThatWasReadIsMarkedOnThePicture() async throws {
        let fixture = try await ServiceFixture(pictures: 2)
        try await fixture.readText()
        try await PageVisit.make(fixture, at: "/?q=text%3A+exit") { visit in
            let page = visit.page
            try await visit.shows(count: 2)
            try await page.click(".tile[data-place='0'] .open")
            try await page.wait("viewer.open && document.querySelectorAll('#lines polygon').length === 2")
            try await page.wait("document.getElementById('viewer-image').naturalWidth > 0")
            // Over the words, whatever the size of the picture.
            let parts =
                try await page.evaluate(
                    """
                    (() => {
                        const mark = document.querySelector('#lines .match').getBoundingClientRect(), all = document.getElementById('viewer-image').getBoundingClientRect();
                        return [(mark.left - all.left) / all.width, (mark.top - all.top) / all.height, mark.width / all.width, mark.height / all.height];
                    })()
                    """
                ).list?.compactMap(\.number) ?? []
            #expect(parts.count == 4 && zip(parts, [0.1, 0.1, 0.4, 0.2]).allSatisfy { abs($0 - $1) < 0.01 }, "\(parts)")
            #expect(try await page.int("document.querySelectorAll('#lines .match').length") == 1)
            #expect(
                try await page.texts("[...document.querySelectorAll('#read-lines li')].map((line) => line.firstChild.textContent)") == [
                    "Emergency EXIT", "<b>other</b> line",
                ])
            #expect(try await page.text("document.querySelector('#read-lines mark').textContent") == "Emergency EXIT")
            #expect(try await page.text("reasons.innerText").contains("“Emergency EXIT”"))
            #expect(try await visit.problems() == [])
            try await page.press("t")
            try await page.wait(
                "!document.getElementById('lines').checkVisibility() && document.getElementById('toggle-lines').getAttribute('aria-pressed') === 'false'"
            )
            // It stays so, until it is turned on again.
            try await page.call("Page.reload")
            try await page.wait("viewer.open && document.querySelectorAll('#read-lines li').length === 2")
            #expect(try await page.isTrue("!document.getElementById('lines').checkVisibility()"))
            try await page.click("#toggle-lines")
            try await page.wait("document.getElementById('lines').checkVisibility()")
        }
    }

    @Test func groupsAndDuplicatesAreShown() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        for seed in 0..<4 { try fixture.write("picture-\(seed).jpg", seed: seed, title: "picture number \(seed)") }
        try fixture.write("twice.jpg", seed: 2)
        try await fixture.index()
        try await PageVisit.make(fixture) { visit in
            let page = visit.page, names = "[...document.querySelectorAll('.group .name')].map((name) => name.textContent)"
            try await visit.shows(count: 5)
            try await page.click("[data-show=clusters]")
            try await page.wait(
                "location.search === '?show=clusters' && document.querySelectorAll('.card').length > 0 && \(PageVisit.idle)")
            #expect(try await page.isTrue("document.querySelector('[data-show=clusters]').getAttribute('aria-pressed') === 'true'"))
            #expect(try await page.isTrue("/^\\d+ groups?$/.test(document.getElementById('summary').textContent)"))
            #expect(try await visit.problems() == [])
            try await page.click(".card")
            try await page.wait(
                "location.search === '?show=clusters&cluster=1' && document.querySelectorAll('.tile').length > 0 && \(PageVisit.idle)")
            try await page.evaluate("history.back()")
            try await page.wait("document.querySelectorAll('.card').length > 0 && document.querySelectorAll('.tile').length === 0")
            try await page.click("[data-show=duplicates]")
            try await page.wait("document.querySelectorAll('.group').length === 1 && \(PageVisit.idle)")
            #expect(Set(try await page.texts(names)).isSuperset(of: ["picture-2.jpg", "twice.jpg"]))
            #expect(try await visit.problems() == [])
            // Of the tiny model many pictures look alike; exactly the same are two.
            try await page.choose("1", in: "#alike")
            try await page.wait("location.search === '?show=duplicates&alike=1' && \(PageVisit.idle) && \(names).length === 2")
            #expect(Set(try await page.texts(names)) == ["picture-2.jpg", "twice.jpg"])
            // A picture of a group opens among those of its group, and closes to where it was.
            try await page.click(".member")
            try await page.wait("viewer.open && document.getElementById('viewer-count').textContent === '1 of 2'")
            try await page.press("Escape")
            try await page.wait(
                "!viewer.open && location.search === '?show=duplicates&alike=1' && document.querySelectorAll('.group').length === 1")
            // Loaded again it is the same; searching ends it.
            try await page.call("Page.reload")
            try await page.wait("document.querySelectorAll('.group').length === 1 && document.getElementById('alike').value === '1'")
            try await visit.search("picture number 3")
            try await visit.showsFirst("picture number 3")
            #expect(try await page.isTrue("document.getElementById('overview').hidden && location.search === '?q=picture+number+3'"))
            try await page.click("[data-show='']")
            try await visit.shows(count: 5)
        }
    }
}
