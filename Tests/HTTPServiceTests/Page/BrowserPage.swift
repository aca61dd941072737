import Foundation
import Testing

/// One tab.
struct BrowserPage: Sendable {
    let browser: Browser
    let session: String

    @discardableResult
    func call(_ method: String, _ parameters: JSONValue = [:]) async throws -> JSONValue {
        try await browser.call(method, parameters, session: session)
    }

    /// Loads an address.
    func open(_ address: String) async throws {
        try await call("Page.navigate", ["url": .string(address)])
        try await wait("document.readyState === 'complete' && location.href !== 'about:blank'")
    }

    /// Requests whose address matches a pattern of the DevTools protocol are answered by `body`; nil ends that.
    func substitute(_ pattern: String = "*/api/*", _ body: (@Sendable (String) -> Browser.Substitute)?) async throws {
        browser.setSubstitute(session, body)
        if body == nil {
            try await call("Fetch.disable")
        } else {
            try await call("Fetch.enable", ["patterns": [["urlPattern": .string(pattern)]]])
        }
    }

    func resize(width: Int, height: Int, isNarrow: Bool = false) async throws {
        try await call(
            "Emulation.setDeviceMetricsOverride",
            ["width": .number(Double(width)), "height": .number(Double(height)), "deviceScaleFactor": 1, "mobile": .bool(isNarrow)])
    }

    /// As the user of the machine has chosen: `prefers-color-scheme`, `prefers-reduced-motion`.
    func prefer(_ features: [String: String]) async throws {
        let list = features.map { JSONValue.object(["name": .string($0), "value": .string($1)]) }
        try await call("Emulation.setEmulatedMedia", ["features": .list(list)])
    }

    // Asking

    /// What a JavaScript expression (or the promise that it is) gives.
    @discardableResult
    func evaluate(_ expression: String) async throws -> JSONValue {
        let found = try await call(
            "Runtime.evaluate",
            ["expression": .string(expression), "awaitPromise": true, "returnByValue": true, "userGesture": true])
        if let problem = found["exceptionDetails"] {
            let text = problem["exception"]?["description"]?.string ?? problem["text"]?.string ?? "an exception"
            throw Browser.Failure(description: "\(expression.prefix(300)): \(text)")
        }
        return found["result"]?["value"] ?? .null
    }

    func int(_ expression: String) async throws -> Int { Int(try await evaluate(expression).number ?? .nan) }
    func text(_ expression: String) async throws -> String { try await evaluate("String(\(expression))").string ?? "" }
    func isTrue(_ expression: String) async throws -> Bool { try await evaluate("Boolean(\(expression))").bool ?? false }
    func texts(_ expression: String) async throws -> [String] { try await evaluate(expression).list?.compactMap(\.string) ?? [] }

    /// Until a condition holds. Three minutes are no measure of anything: by then nothing comes of it any more.
    func wait(_ condition: String, _ location: SourceLocation = #_sourceLocation) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < deadline {
            // Between two pages there is nothing to ask.
            if (try? await isTrue(condition)) == true { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        let said = (try? await text("document.body.innerText.slice(0, 800)")) ?? "nothing"
        throw Browser.Failure(description: "line \(location.line): never came true: \(condition); the page says: \(said)")
    }

    // Doing

    func press(_ key: String, shift: Bool = false) async throws {
        let codes = [
            "Backspace": 8, "Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
            "Home": 36, "End": 35,
            "PageDown": 34, "PageUp": 33, "?": 191, "/": 191,
        ]
        let text: String? = key == "Enter" ? "\r" : key.count == 1 ? key : nil
        var event: [String: JSONValue] = [
            "type": text == nil ? "rawKeyDown" : "keyDown", "key": .string(key), "modifiers": shift ? 8 : 0,
            "windowsVirtualKeyCode": .number(Double(codes[key] ?? Int(key.uppercased().utf8.first ?? 0))),
        ]
        if let text { event["text"] = .string(text) }
        try await call("Input.dispatchKeyEvent", .object(event))
        event["type"] = "keyUp"
        event["text"] = nil
        try await call("Input.dispatchKeyEvent", .object(event))
    }

    /// Into what has the focus.
    func type(_ text: String) async throws { try await call("Input.insertText", ["text": .string(text)]) }

    /// A click as a mouse makes it, in the middle of an element.
    func click(_ selector: String, _ location: SourceLocation = #_sourceLocation) async throws {
        try await wait("document.querySelector(\(Self.quoted(selector)))?.checkVisibility()", location)
        try await evaluate("document.querySelector(\(Self.quoted(selector))).scrollIntoView({block: 'nearest'})")
        let (x, y) = try await place(selector, 0.5, 0.5)
        try await mouse("mouseMoved", x, y)
        try await mouse("mousePressed", x, y)
        try await mouse("mouseReleased", x, y)
    }

    /// From one part of an element to another.
    func drag(_ selector: String, from start: (Double, Double), to end: (Double, Double)) async throws {
        let first = try await place(selector, start.0, start.1), last = try await place(selector, end.0, end.1)
        try await mouse("mouseMoved", first.x, first.y)
        try await mouse("mousePressed", first.x, first.y)
        try await mouse("mouseMoved", (first.x + last.x) / 2, (first.y + last.y) / 2)
        try await mouse("mouseMoved", last.x, last.y)
        try await mouse("mouseReleased", last.x, last.y)
    }

    private func place(_ selector: String, _ right: Double, _ down: Double) async throws -> (x: Double, y: Double) {
        let found = try await evaluate(
            "(() => { const r = document.querySelector(\(Self.quoted(selector))).getBoundingClientRect(); "
                + "return [r.x + r.width * \(right), r.y + r.height * \(down)] })()")
        guard let x = found.list?.first?.number, let y = found.list?.last?.number else {
            throw Browser.Failure(description: "no \(selector)")
        }
        return (x, y)
    }

    private func mouse(_ type: String, _ x: Double, _ y: Double) async throws {
        try await call(
            "Input.dispatchMouseEvent",
            [
                "type": .string(type), "x": .number(x), "y": .number(y), "button": "left", "buttons": type == "mouseReleased" ? 0 : 1,
                "clickCount": 1,
            ])
    }

    /// Chooses a value of a field, as a user does it.
    func choose(_ value: String, in selector: String) async throws {
        try await evaluate(
            """
            (() => { const field = document.querySelector(\(Self.quoted(selector))); field.value = \(Self.quoted(value));
            field.dispatchEvent(new Event('input', {bubbles: true})); field.dispatchEvent(new Event('change', {bubbles: true})) })()
            """)
    }

    /// Chooses files in an `<input type=file>`.
    func choose(files: [String], in selector: String) async throws {
        let root = try await call("DOM.getDocument")["root"]?["nodeId"] ?? .null
        let node = try await call("DOM.querySelector", ["nodeId": root, "selector": .string(selector)])["nodeId"] ?? .null
        try await call("DOM.setFileInputFiles", ["files": .list(files.map { .string($0) }), "nodeId": node])
    }

    /// The window as a picture.
    func screenshot(format: String = "png", quality: Int? = nil) async throws -> Data {
        var parameters: [String: JSONValue] = ["format": .string(format)]
        if let quality { parameters["quality"] = .number(Double(quality)) }
        guard let text = try await call("Page.captureScreenshot", .object(parameters))["data"]?.string, let data = Data(base64Encoded: text)
        else { throw Browser.Failure(description: "no picture") }
        return data
    }

    static func quoted(_ text: String) -> String {
        String(decoding: (try? JSONEncoder().encode([text])) ?? Data("[\"\"]".utf8), as: UTF8.self).dropFirst().dropLast().description
    }
}
