import Foundation
import Synchronization
import Testing

@testable import HTTPService

/// The page and what the service does to it: keys, errors, indexing.
extension PageTests {
    @Test func aLockedServiceIsOpenedByItsKey() async throws {
        let fixture = try await ServiceFixture(pictures: 3)
        var file = try KeyFile(fixture.folder.appending("keys"))
        let key = try file.make("page", scopes: Scope.allCases)
        // A browser logs each 401 itself.
        try await PageVisit.make(fixture, isRefused: true) { visit in
            let page = visit.page
            try await page.wait("document.getElementById('key-dialog').open")
            #expect(try await visit.problems() == [])
            try await page.type("sk-sensorium-wrong")
            try await page.press("Enter")
            try await page.wait("document.getElementById('key-dialog').open && document.getElementById('key-problem').checkVisibility()")
            #expect(try await visit.problems() == [])
            try await page.type(key)
            try await page.press("Enter")
            try await visit.shows(count: 3)
            // Pictures come with the key, too.
            try await page.wait(
                "[...document.querySelectorAll('.tile img')].every((image) => image.naturalWidth > 0 && image.src.startsWith('blob:'))")
            // It isn't asked for again while the tab is open, and is nowhere else.
            try await page.call("Page.reload")
            try await visit.shows(count: 3)
            #expect(try await page.isTrue("!document.getElementById('key-dialog').open && !JSON.stringify(localStorage).includes('sk-')"))
        }
    }

    @Test func errorsAreReadableInBothLanguages() async throws {
        let isFailing = Mutex(0)
        try await PageVisit.make(
            try await ServiceFixture(), isRefused: true,
            prepare: { page in
                try await page.substitute("*") { address in
                    switch isFailing.withLock({ $0 }) {
                    case 1 where address.hasSuffix("/api/search"):
                        .answer(
                            "{\"error\":{\"message\":\"too many wait already\",\"type\":\"x\",\"code\":\"overloaded\"}}",
                            status: 503)
                    case 2: .unreachable
                    case 3 where address.hasSuffix("/api/search"): .silence
                    default: .real
                    }
                }
            }
        ) { visit in
            let page = visit.page, said = "document.getElementById('problem').innerText"
            try await visit.shows(count: 6)
            isFailing.withLock { $0 = 1 }
            try await visit.search("picture number 1")
            try await page.wait("problem.checkVisibility() && \(PageVisit.idle)")
            #expect(try await page.text(said).contains("The service is busy"))
            try await page.click("#language")
            try await page.wait("document.documentElement.lang === 'zh-CN' && \(said).includes('服务繁忙')")
            #expect(try await visit.problems() == [])
            // Nobody there: said, and tried again until somebody is.
            isFailing.withLock { $0 = 2 }
            try await page.click("#retry")
            try await page.wait("\(said).includes('服务没有响应')")
            isFailing.withLock { $0 = 0 }
            try await page.wait("problem.hidden")
            try await visit.showsFirst("picture number 1")
            // A search that never ends is given up for the next one.
            isFailing.withLock { $0 = 3 }
            try await visit.search("picture number 2")
            try await page.wait("!(\(PageVisit.idle))")
            isFailing.withLock { $0 = 0 }
            try await visit.search("picture number 5")
            try await visit.showsFirst("picture number 5")
        }
    }

    @Test func indexingIsStartedAndFollowed() async throws {
        let fixture = try await ServiceFixture(pictures: 2)
        try await PageVisit.make(fixture, isRefused: true) { visit in
            let page = visit.page
            try await visit.shows(count: 2)
            try fixture.write("new.jpg", seed: 20, title: "a new one")
            try fixture.write("broken.jpg", text: "no picture")
            try await page.click("#open-library")
            try await page.wait("document.getElementById('library-facts').innerText.includes('sensorium-clip-base')")
            try await page.click("#start-job")
            try await page.wait("job.textContent.includes('1 new, 1 unreadable')")
            try await page.click("#problems summary")
            try await page.wait("problems.innerText.includes('broken.jpg')")
            #expect(try await visit.problems() == [])
            try await page.choose("/etc", in: "#job-folder")
            try await page.evaluate("document.getElementById('language').click()")
            try await page.evaluate("document.getElementById('start-job').click()")
            try await page.wait("document.getElementById('job-problem').textContent.includes('不允许索引这个文件夹')")
            try await page.press("Escape")
            try await visit.shows(count: 3)
        }
    }

    @Test func progressIsShownAsItComes() async throws {
        let progress =
            "{\"event\":\"progress\",\"found\":40,\"walking\":false,\"embedded\":9,\"unchanged\":0,\"duplicates\":0,\"moved\":0,"
            + "\"failed\":1,\"missing\":0,\"unreachable\":0,\"seconds\":4,\"rate\":2.5,\"remaining\":12}"
        let job =
            "{\"id\":7,\"model\":\"clip-mini\",\"outcome\":\"running\",\"started\":\"2026-01-01T00:00:00Z\",\"problem_count\":0,\"problems\":[],"
            + "\"progress\":\(progress.replacing("40", with: "10"))}"
        let events = Array("event: progress\ndata: \(progress)\n\n".utf8)
        let isHeld = Mutex(true)
        try await PageVisit.make(
            try await ServiceFixture(pictures: 1),
            prepare: { page in
                try await page.substitute("*/api/jobs*") { address in
                    if address.hasSuffix("/api/jobs") { return .answer("{\"jobs\":[\(job)]}") }
                    return isHeld.withLock { $0 } ? .silence : .bytes(events, type: "text/event-stream")
                }
            }
        ) { visit in
            let page = visit.page
            // Before the first event there is what the list of jobs says.
            try await page.wait("indexing.checkVisibility() && document.getElementById('indexing-share').textContent === '100 %'")
            try await page.click("#indexing")
            try await page.wait("document.getElementById('library-dialog').open && document.getElementById('job-progress').value === 10")
            isHeld.withLock { $0 = false }
            try await page.call("Page.reload")
            try await page.wait("job.textContent === 'Changing to clip-mini: 10 of 40 files, 2.5 a second, 12 sec left'")
        }
    }

    @Test func theModelIsChanged() async throws {
        let fixture = try await ServiceFixture(pictures: 3)
        try fixture.standIn("dinov2-small", for: "Vision/DINOv2/golden/plain")
        try await PageVisit.make(fixture) { visit in
            let page = visit.page
            let models = "[...document.getElementById('job-model').options].map((option) => option.textContent).join('|')"
            try await visit.shows(count: 3)
            try await page.click("#open-library")
            try await page.wait("\(models) === 'sensorium-clip-base (in use)|dinov2-small (finds by pictures only)'")
            try await page.choose("dinov2-small", in: "#job-model")
            #expect(
                try await page.text("document.getElementById('job-model-note').textContent").contains(
                    "Searches use sensorium-clip-base until that is done"))
            #expect(try await visit.problems() == [])
            try await page.click("#start-job")
            try await page.wait("\(models).startsWith('dinov2-small (in use)|sensorium-clip-base')")
            try await page.press("Escape")
            // Words are no longer compared with pictures; pictures are.
            try await visit.search("picture number 2")
            try await visit.showsFirst("picture number 2")
            try await page.wait("note.checkVisibility() && note.textContent.includes('dinov2-small')")
            try await page.click("#language")
            try await page.wait("note.textContent.includes('dinov2-small') && document.documentElement.lang === 'zh-CN'")
        }
    }

    @Test func anEmptyLibrarySaysHowToBegin() async throws {
        // Asking for a library that isn't there is a 404, which a browser logs.
        try await PageVisit.make(try await ServiceFixture(pictures: 0), isRefused: true) { visit in
            try await visit.page.wait("empty.checkVisibility() && empty.innerText.includes('sensorium index')")
            #expect(try await visit.problems() == [])
        }
    }
}
