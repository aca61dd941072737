import Foundation
import Testing

@testable import HTTPService

/// The page for those who hear it, see little contrast, can't use a mouse, or have a small screen; and in both languages.
extension PageTests {
    /// What is shown, by the script that brings it up from the start page.
    private static let states: [(name: String, script: String, isThere: String)] = [
        ("the start", "0", "document.querySelectorAll('.tile.loaded').length === 8"),
        ("the filters", "document.getElementById('toggle-filters').click()", "filters.checkVisibility()"),
        (
            "a mix",
            "document.querySelector('.tile [data-act=more]').click(); document.querySelectorAll('.tile [data-act=less]')[1].click()",
            "document.querySelectorAll('.term').length === 2"
        ),
        ("a picture", "document.querySelector('.tile .open').click()", "viewer.open && facts.children.length > 8"),
        ("the library", "document.getElementById('open-library').click()", "document.getElementById('library-facts').children.length > 4"),
        ("help", "document.getElementById('open-help').click()", "keys.children.length > 4"),
    ]

    @Test(arguments: [("light", "en"), ("dark", "zh")])
    func nothingIsHardToReadOrToReach(_ theme: String, _ language: String) async throws {
        try await PageVisit.make(
            try await PageVisit.library(),
            prepare: { page in
                try await page.prefer(["prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"])
                try await page.call(
                    "Page.addScriptToEvaluateOnNewDocument",
                    ["source": .string("try { localStorage.setItem('sensorium.language', '\(language)') } catch {}")])
            }
        ) { visit in
            let page = visit.page
            for width in [1_280, 360] {
                try await page.resize(width: width, height: 800, isNarrow: width < 500)
                for (name, script, isThere) in Self.states {
                    try await page.open("http://127.0.0.1:\(visit.port)/")
                    try await visit.shows(count: 8)
                    try await page.evaluate("void \(script)")
                    try await page.wait("\(isThere) && \(PageVisit.idle)")
                    let problems = try await visit.problems()
                    #expect(problems == [], "\(name), \(theme), \(language), \(width) px")
                    let wide = try await page.texts(Self.tooWide)
                    #expect(wide == [], "\(name), \(language), \(width) px")
                }
            }
            let dark = try await page.text("getComputedStyle(document.body).backgroundColor")
            #expect((dark == "rgb(16, 18, 22)") == (theme == "dark"), "\(dark)")
            // Whoever wants nothing to move sees nothing move.
            #expect(
                try await page.isTrue(
                    "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one))"
                        + ".every((style) => style.animationName === 'none' && parseFloat(style.transitionDuration) === 0)"
                ))
        }
    }

    /// What is wider than the window, or than the dialog that it is in.
    private static let tooWide = """
        [document.documentElement, ...document.querySelectorAll('dialog[open], dialog[open] > *')]
            .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'hidden' && one.id !== 'stage')
            .map((one) => `${one.tagName} ${one.id}: ${one.scrollWidth} > ${one.clientWidth}`)
        """

    /// The checks themselves: each of these mistakes must be found.
    @Test func mistakesWouldBeFound() async throws {
        try await PageVisit.make(try await ServiceFixture(pictures: 1)) { visit in
            try await visit.shows(count: 1)
            #expect(try await visit.problems() == [])
            for (mistake, complaint) in [
                ("document.querySelector('#theme').removeAttribute('aria-label')", "button#theme has no name"),
                ("document.querySelector('#summary').style.color = '#999'", "contrast"),
                ("document.querySelector('.tile img').removeAttribute('alt')", "has no alt"),
                ("document.querySelector('.quick').tabIndex = 0", "stops 2 times"),
                ("document.querySelector('#language').style.cssText = 'min-height: 0; height: 20px'", "hard to hit"),
                ("document.querySelector('#language').setAttribute('aria-invalid', 'true')", "nothing says why"),
                ("document.querySelector('.row').removeAttribute('role')", "no rows"),
            ] {
                try await visit.page.evaluate("void (\(mistake))")
                let found = try await visit.problems()
                #expect(found.contains { $0.contains(complaint) }, "\(complaint) isn't in \(found)")
            }
        }
    }

    @Test func theFocusIsSeenWhereverItGoes() async throws {
        try await PageVisit.make(try await PageVisit.library(), at: "/?t=1%3Abeach") { visit in
            let page = visit.page
            try await visit.shows(count: 8)
            try await page.press("f")
            try await page.wait("filters.checkVisibility()")
            try await page.evaluate("document.querySelector('.skip').focus()")
            var seen: Set<String> = [], last = ""
            for _ in 0..<200 {
                try await page.press("Tab")
                let stop = try await page.text(
                    """
                    (() => {
                        const one = document.activeElement, style = getComputedStyle(one.id === 'words' ? one.closest('form') : one);
                        if (one === document.body) return 'end';
                        const name = `${[...document.querySelectorAll('*')].indexOf(one)} ${one.tagName}#${one.id}.${one.className}`;
                        return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 ? 'seen ' : 'unseen ') + name;
                    })()
                    """)
                #expect(!stop.hasPrefix("unseen"), "\(stop)")
                // A date is several stops in one field.
                if stop == "end" || (stop != last && !seen.insert(stop).inserted) { break }
                last = stop
            }
            // All parts of the page are on the way.
            #expect(seen.count > 25, "\(seen.count) stops")
            for part in ["#words", "#toggle-filters", "#add-tag", ".open", "#tile-size"] {
                #expect(seen.contains { $0.contains(part) }, "\(part)")
            }
        }
    }

    @Test func bothLanguagesSayTheSame() async throws {
        try await PageVisit.make(try await ServiceFixture(pictures: 1)) { visit in
            let differences = try await visit.page.texts(
                """
                import('/ui/words.js').then(({LANGUAGES: {en, zh}}) => {
                    const names = (text) => [...new Set([text].flat().flatMap((one) => one.match(/\\{\\w+\\}/g) ?? []))].sort().join();
                    const used = [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes])
                        .filter(({name}) => name.startsWith('data-words')).map(({value}) => value);
                    return [
                        ...Object.keys(en).filter((key) => !(key in zh)).map((key) => `${key} isn't in Chinese`),
                        ...Object.keys(zh).filter((key) => !(key in en || key.startsWith('error_'))).map((key) => `${key} isn't in English`),
                        ...Object.keys(en).filter((key) => key in zh && names(en[key]) !== names(zh[key])).map((key) => `${key} has other {names}`),
                        ...used.filter((key) => !(key in en)).map((key) => `${key} is used and isn't there`),
                    ];
                })
                """)
            #expect(differences == [])
        }
    }
}
