import Catalog
import Foundation
import Imaging
import Logging
import Testing

@testable import HTTPService

/// Pictures of the page for the README, made by tools/screenshots.sh of the demo's library; no test of anything.
extension PageTests {
    private static let screenshots = ProcessInfo.processInfo.environment["SENSORIUM_SCREENSHOTS"]

    @Test(.enabled(if: PageTests.screenshots != nil, "tools/screenshots.sh makes screenshots")) func screenshotsForTheReadme() async throws
    {
        let environment = ProcessInfo.processInfo.environment
        let folder = URL(fileURLWithPath: try #require(Self.screenshots)), library = try #require(environment["SENSORIUM_LIBRARY"])
        var settings = ServiceSettings(library: FilePath(library), keys: FilePath("/nowhere/keys"))
        settings.port = 0
        let logger = Logger(label: "screenshots") { _ in SwiftLogNoOpLogHandler() }
        let service = try PictureService(settings, version: "1", logger: logger, cache: ModelCache())
        let (stop, signal) = AsyncStream<Void>.makeStream()
        let (ports, told) = AsyncStream<Int>.makeStream()
        let run = Task {
            defer { told.finish() }
            try await service.run(stop: stop) { told.yield($0) }
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { return try await run.value }
        let browser = try Browser()
        defer { browser.quit() }
        for shot in Self.shots {
            let page = try await browser.tab(width: shot.width, height: shot.height)
            try await page.prefer(["prefers-color-scheme": shot.theme, "prefers-reduced-motion": "reduce"])
            try await page.call(
                "Page.addScriptToEvaluateOnNewDocument",
                ["source": .string("try { localStorage.setItem('sensorium.language', '\(shot.language)') } catch {}")])
            try await page.open("http://127.0.0.1:\(port)/?\(shot.query)")
            try await page.wait("\(PageVisit.idle) && document.querySelectorAll('.tile').length > 0")
            if !shot.script.isEmpty { try await page.evaluate("void \(shot.script)") }
            try await page.wait(
                "[...document.querySelectorAll('.tile img')].every((image) => { const box = image.getBoundingClientRect(); "
                    + "return box.top > innerHeight || box.bottom < 0 || image.naturalWidth > 0 })")
            try await page.wait(shot.isThere)
            // What was asked for last is painted in the next frame.
            try await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            let data = try await page.screenshot(format: "webp", quality: 82)
            try data.write(to: folder.appendingPathComponent(shot.name + ".webp"))
            print("\(shot.name).webp: \(data.count / 1_024) KB")
        }
        signal.finish()
        try await run.value
    }

    private struct Shot {
        var name: String, query: String, theme = "light", language = "en", width = 1_280, height = 800
        /// What is done to the page, and how one sees that it is done.
        var script = "", isThere = "true"
    }

    private static let shots = [
        Shot(
            name: "page-light", query: "q=a+bird+flying",
            script: "(document.getElementById('toggle-filters').click(), document.activeElement.blur())",
            isThere: "filters.checkVisibility() && document.querySelectorAll('[data-name=tag]').length > 5"),
        Shot(
            name: "page-dark", query: "q=%E6%B5%B7%E8%BE%B9&t=0.75%3A%E8%88%B9&t=-0.5%3Apeople", theme: "dark", language: "zh",
            isThere: "document.querySelectorAll('.term').length === 2"),
        Shot(
            name: "page-picture", query: "q=dolphin", script: "document.querySelectorAll('.tile .open')[1].click()",
            isThere:
                "viewer.open && facts.children.length > 8 && document.querySelector('#viewer-image[src$=file]')?.naturalWidth > 0"
        ),
        Shot(name: "page-narrow", query: "q=a+red+flower", theme: "light", width: 390, height: 800),
    ]
}
