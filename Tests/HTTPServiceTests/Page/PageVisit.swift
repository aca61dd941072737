import Foundation
import Testing

@testable import HTTPService

/// A page of a running service in a browser.
struct PageVisit {
    static let idle = "document.getElementById('results').getAttribute('aria-busy') === 'false'"
    static let captions = "[...document.querySelectorAll('.tile .caption')].map((caption) => caption.textContent)"

    let page: BrowserPage
    let port: Int
    let fixture: ServiceFixture

    /// Serves a library and looks at it. The browser is ended in any case.
    /// - Parameters:
    ///   - isRefused: Whether requests of the page are meant to be refused.
    ///   - prepare: what is done to the tab before it loads the page.
    static func make(
        _ fixture: ServiceFixture, _ settings: ServiceSettings? = nil, at path: String = "/", isRefused: Bool = false,
        prepare: (BrowserPage) async throws -> Void = { _ in }, _ location: SourceLocation = #_sourceLocation,
        _ body: (PageVisit) async throws -> Void
    ) async throws {
        try await fixture.serve(settings) { port in
            let browser = try Browser()
            defer { browser.quit() }
            let page = try await browser.tab()
            try await prepare(page)
            try await page.open("http://127.0.0.1:\(port)\(path)")
            try await body(PageVisit(page: page, port: port, fixture: fixture))
            #expect(browser.complaints.isEmpty, sourceLocation: location)
            #expect(browser.refusals.isEmpty || isRefused, sourceLocation: location)
            let elsewhere = browser.requests.filter {
                !$0.hasPrefix("http://127.0.0.1:\(port)/") && !$0.hasPrefix("data:") && !$0.hasPrefix("blob:")
            }
            #expect(elsewhere.isEmpty, "the page asks for nothing from elsewhere", sourceLocation: location)
        }
    }

    /// Pictures of several kinds: wide ones and tall ones, a folder in the folder, one with tags and another format.
    static func library() async throws -> ServiceFixture {
        let fixture = try await ServiceFixture(pictures: 0)
        for seed in 0..<5 { try fixture.write("picture-\(seed).jpg", seed: seed, title: "picture number \(seed)") }
        try fixture.write("holiday/beach.jpg", seed: 11, title: "a beach\n海边")
        try fixture.write("holiday/tall.jpg", seed: 12, title: "a tower", width: 40, height: 90)
        try fixture.write(
            "drawing.svg",
            text: """
                <svg xmlns="http://www.w3.org/2000/svg" width="300" height="300" xmlns:dc="http://purl.org/dc/elements/1.1/"
                xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><title>a red box</title><metadata><rdf:RDF><rdf:Description>
                <dc:subject><rdf:Bag><rdf:li>box</rdf:li><rdf:li>red thing</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></metadata>
                <rect width="300" height="300" fill="#d62828"/></svg>
                """)
        try await fixture.index()
        return fixture
    }

    /// Until the page shows these pictures, whatever their order.
    func shows(_ names: Set<String>, _ location: SourceLocation = #_sourceLocation) async throws {
        let wanted = BrowserPage.quoted(names.sorted().joined(separator: "|"))
        try await page.wait("\(Self.idle) && \(Self.captions).sort().join('|') === \(wanted)", location)
    }

    func shows(count: Int, _ location: SourceLocation = #_sourceLocation) async throws {
        try await page.wait("\(Self.idle) && document.querySelectorAll('.tile').length === \(count)", location)
    }

    func showsFirst(_ name: String, _ location: SourceLocation = #_sourceLocation) async throws {
        try await page.wait("\(Self.idle) && \(Self.captions)[0] === \(BrowserPage.quoted(name))", location)
    }

    /// Empties the search field, types and presses Enter.
    func search(_ words: String) async throws {
        try await page.evaluate("(words.focus(), words.select())")
        try await page.press("Backspace")
        try await page.type(words)
        try await page.press("Enter")
    }

    /// What accessibility.js finds wrong.
    func problems() async throws -> [String] {
        let script = ServiceFixture.root.appendingPathComponent("Tests/HTTPServiceTests/fixtures/accessibility.js")
        return try await page.texts(String(contentsOf: script, encoding: .utf8))
    }
}

extension ServiceFixture {
    func write(_ name: String, text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: pictures.appending(name).display))
    }
}
