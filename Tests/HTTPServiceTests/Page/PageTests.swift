import Foundation
import Testing

@testable import HTTPService

/// The web page in a real browser, one at a time.
@Suite(.serialized) struct PageTests {
    @Test func wordsAreSearchedAndTheKeyboardDoesAll() async throws {
        try await PageVisit.make(try await ServiceFixture()) { visit in
            let page = visit.page
            try await visit.shows(count: 6)
            // `/` leads to the search field, wherever the focus is.
            try await page.press("/")
            #expect(try await page.isTrue("document.activeElement.id === 'words' && words.value === ''"))
            try await visit.search("picture number 3")
            try await visit.showsFirst("picture number 3")
            #expect(try await page.text("location.search") == "?q=picture+number+3")
            #expect(try await page.text("document.title").contains("picture number 3"))
            #expect(try await page.text("summary.textContent") == "6 pictures")
            // Down into the grid, along it, and back up.
            try await page.press("ArrowDown")
            try await page.wait("document.activeElement.closest('.tile')?.dataset.place === '0'")
            for (key, place) in [("ArrowRight", 1), ("End", 5), ("ArrowLeft", 4), ("Home", 0)] {
                try await page.press(key)
                try await page.wait("document.activeElement.closest('.tile')?.dataset.place === '\(place)'")
            }
            #expect(
                try await page.int("[...document.querySelectorAll('#grid button')].filter((button) => button.tabIndex === 0).length") == 1)
            // Enter opens, the arrows turn, Escape closes, and the focus is on the picture that was shown last.
            try await page.press("Enter")
            try await page.wait("viewer.open && document.getElementById('viewer-name').textContent === 'picture number 3'")
            #expect(try await page.isTrue("location.search.includes('view=')"))
            try await page.press("ArrowRight")
            try await page.wait("document.getElementById('viewer-count').textContent === '2 of 6'")
            try await page.press("Escape")
            try await page.wait("!viewer.open && document.activeElement.closest('.tile')?.dataset.place === '1'")
            try await page.wait("location.search === '?q=picture+number+3'")
            try await page.press("ArrowUp")
            try await page.wait("document.activeElement.id === 'words'")
            // Back leads to what was there before, forward to the search.
            try await page.evaluate("history.back()")
            try await page.wait("location.search === '' && words.value === '' && seconds.textContent === '' && \(PageVisit.idle)")
            try await page.evaluate("history.forward()")
            try await visit.showsFirst("picture number 3")
            #expect(try await page.text("words.value") == "picture number 3")
        }
    }

    @Test func whatIsTypedIsSearchedForAndLeavesOneEntryToGoBackTo() async throws {
        try await PageVisit.make(try await ServiceFixture()) { visit in
            try await visit.shows(count: 6)
            let entries = try await visit.page.int("history.length")
            try await visit.page.click("#words")
            for part in ["picture", " number", " 4"] {
                try await visit.page.type(part)
                try await visit.page.wait("\(PageVisit.idle) && location.search.endsWith(new URLSearchParams({q: words.value}).toString())")
            }
            try await visit.showsFirst("picture number 4")
            #expect(try await visit.page.int("history.length") == entries + 1)
        }
    }

    @Test func picturesAreUploadedPastedDroppedAndMixed() async throws {
        let fixture = try await ServiceFixture()
        try await PageVisit.make(fixture) { visit in
            let page = visit.page
            try await visit.shows(count: 6)
            try await page.choose(files: [fixture.pictures.appending("picture-4.jpg").display], in: "#files")
            try await visit.showsFirst("picture number 4")
            #expect(try await page.int("document.querySelectorAll('.term img').length") == 1)
            // It is in the history's entry, so that loading the page again keeps it.
            try await page.call("Page.reload")
            try await page.wait("document.querySelectorAll('.term').length === 1")
            try await visit.showsFirst("picture number 4")
            // Words beside it, with a weight of their own.
            try await page.click("#words")
            try await page.type("picture number 2")
            try await page.press("Enter", shift: true)
            try await page.wait("document.querySelectorAll('.term').length === 2 && words.value === '' && \(PageVisit.idle)")
            try await page.choose("-0.5", in: ".term:nth-child(2) input")
            try await page.wait("location.search.includes('t=-0.5') && \(PageVisit.idle)")
            #expect(try await page.isTrue("document.querySelectorAll('.term')[1].classList.contains('taken-away')"))
            // Taken away without anything asked for: said, not searched.
            try await page.click(".term:nth-child(1) button")
            try await page.wait("document.getElementById('problem-text').checkVisibility()")
            #expect(try await page.text("document.getElementById('problem-text').textContent").contains("taken away"))
            try await page.click(".term:nth-child(1) button")
            try await visit.shows(count: 6)
            // Pasted, then dropped: as a browser does it, with a file of its own.
            for (event, field) in [("ClipboardEvent('paste'", "clipboardData"), ("DragEvent('drop'", "dataTransfer")] {
                try await page.evaluate(
                    """
                    (async () => {
                        const id = document.querySelector('.tile[data-place="2"]').dataset.id;
                        const bytes = await (await fetch(`/api/pictures/${id}/file`)).blob(), data = new DataTransfer();
                        data.items.add(new File([bytes], 'mine.jpg', {type: 'image/jpeg'}));
                        window.wanted = document.querySelector('.tile[data-place="2"] .caption').textContent;
                        document.body.dispatchEvent(new \(event), {\(field): data, bubbles: true, cancelable: true}));
                    })()
                    """)
                try await page.wait(
                    "document.querySelectorAll('.term').length === 1 && \(PageVisit.idle) && \(PageVisit.captions)[0] === wanted")
                try await page.click(".term button")
                try await visit.shows(count: 6)
            }
            // What is no picture is told.
            try await page.evaluate(
                """
                (() => { const data = new DataTransfer(); data.items.add(new File(['a'], 'a.txt', {type: 'text/plain'}));
                document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})) })()
                """)
            try await page.wait("document.getElementById('problem-text').textContent.includes('a.txt')")
        }
    }

    @Test func moreAndLessLikeAPictureComeFromTilesKeysAndTheViewer() async throws {
        try await PageVisit.make(try await ServiceFixture()) { visit in
            let page = visit.page
            try await visit.search("picture number 3")
            try await visit.showsFirst("picture number 3")
            // The buttons on a tile are there while it has the focus or the mouse.
            try await page.evaluate("document.querySelector('.tile .open').focus()")
            try await page.click(".tile[data-place='0'] [data-act=more]")
            try await page.wait(
                "/[?&]p=\\d+%3A1(&|$)/.test(location.search) && document.querySelectorAll('.term').length === 1 && \(PageVisit.idle)")
            try await page.press("/")
            try await page.press("ArrowDown")
            try await page.press("ArrowRight")
            try await page.press("l")
            try await page.wait(
                "location.search.includes('%3A-0.5') && document.querySelectorAll('.term').length === 2 && \(PageVisit.idle)")
            // The part that somebody draws a box around.
            try await page.click(".tile[data-place='0'] .open")
            try await page.wait("viewer.open && document.getElementById('viewer-image').naturalWidth > 0")
            try await page.press("r")
            try await page.wait("stage.classList.contains('selecting')")
            try await page.drag("#viewer-frame", from: (0.25, 0.25), to: (0.75, 0.5))
            try await page.wait("!viewer.open && document.querySelectorAll('.term').length === 3 && \(PageVisit.idle)")
            let region = try await page.text("decodeURIComponent(location.search).match(/:1:([\\d.,]+)/)[1]").split(separator: ",")
                .compactMap { Double($0) }
            #expect(region.count == 4 && zip(region, [0.25, 0.25, 0.5, 0.25]).allSatisfy { abs($0 - $1) < 0.02 }, "\(region)")
            // One step back is the query without it, not the viewer.
            try await page.evaluate("history.back()")
            try await page.wait("document.querySelectorAll('.term').length === 2 && !viewer.open && \(PageVisit.idle)")
        }
    }

    @Test func filtersNarrowWhatIsShown() async throws {
        let all: Set = ["picture number 0", "picture number 1", "picture number 2", "picture number 3", "picture number 4"]
        try await PageVisit.make(try await PageVisit.library(), isRefused: true) { visit in
            let page = visit.page
            try await visit.shows(count: 8)
            try await page.click("#toggle-filters")
            try await page.click("[data-name=shape][data-value=portrait]")
            try await visit.shows(["a tower"])
            #expect(try await page.text("location.search") == "?shape=portrait")
            #expect(try await page.text("document.getElementById('filter-count').textContent") == "1")
            try await page.click("[data-name=shape][data-value=square]")
            try await visit.shows(["a red box"])
            // Back and forth by the browser's own button.
            try await page.evaluate("history.back()")
            try await visit.shows(["a tower"])
            try await page.click("#clear-filters")
            try await visit.shows(count: 8)
            try await page.click("[data-name=tag][data-value='red thing']")
            try await visit.shows(["a red box"])
            try await page.click("[data-name=tag][data-value='red thing']")
            try await page.click("[data-name=format][data-value=svg]")
            try await visit.shows(["a red box"])
            try await page.click("[data-name=format][data-value=jpeg]")
            try await visit.shows(count: 8)
            try await page.click("#clear-filters")
            // Folders are a tree whose names are those beneath the library's.
            try await page.wait(
                "[...document.querySelectorAll('[name=folder] option')].some((option) => /holiday \\(2\\)/.test(option.textContent))")
            try await page.choose(visit.fixture.pictures.appending("holiday").display, in: "[name=folder]")
            try await visit.shows(["a beach", "a tower"])
            try await page.choose("", in: "[name=folder]")
            try await page.choose("256", in: "[name=side]")
            try await visit.shows(["a red box"])
            try await page.choose("", in: "[name=side]")
            // Colour orders; together with words it lifts.
            try await page.click("[data-name=colour][data-value='#d62828']")
            try await visit.showsFirst("a red box")
            try await page.click("#clear-filters")
            try await page.choose("2100-01-01", in: "[name=from]")
            try await page.wait("empty.checkVisibility() && \(PageVisit.idle)")
            try await page.click("#empty-acts button")
            try await visit.shows(count: 8)
            try await page.choose("title like \"picture%\"", in: "[name=where]")
            try await visit.shows(all)
            try await page.choose("nothing = 1", in: "[name=where]")
            try await page.wait("document.querySelector('[name=where]').getAttribute('aria-invalid') === 'true'")
            #expect(try await page.text("document.getElementById('where-problem').textContent").contains("unknown field"))
            #expect(try await visit.problems() == [])
        }
    }
}
