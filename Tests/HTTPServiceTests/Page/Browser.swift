import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A real Chromium without a window, told what to do over a pipe (the DevTools protocol).
final class Browser: Sendable {
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// What a request of the page gets in the place of the service's answer.
    enum Substitute: Sendable {
        /// The service itself.
        case real
        case answer(String, status: Int = 200)
        case bytes([UInt8], type: String)
        /// As if nobody listened.
        case unreachable
        /// No answer at all.
        case silence
    }

    private struct State {
        var next = 1
        var waiting: [Int: CheckedContinuation<JSONValue, any Error>] = [:]
        var hasEnded = false
        /// What pages complained of: exceptions, errors and warnings in the console.
        var complaints: [String] = []
        /// Requests that got no good answer, which browsers log by themselves.
        var refusals: [String] = []
        /// Addresses that were asked for.
        var requests: [String] = []
        /// By session.
        var substitutes: [String: @Sendable (String) -> Substitute] = [:]
    }

    /// A test that hangs is ended by ending its browser; nothing else takes nearly as long.
    private static let longest = DispatchTimeInterval.seconds(900)

    private let state = Mutex(State())
    private let process: pid_t
    /// What is said is one message after the other.
    private let speaking = Mutex(())
    private let socket: Int32
    private let profile: URL

    /// Where Chromium is.
    static func program() throws -> String {
        let named = ProcessInfo.processInfo.environment["SENSORIUM_CHROMIUM"]
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        for name in [named, "chromium", "chromium-browser", "google-chrome"].compactMap({ $0 }) {
            let paths = name.hasPrefix("/") ? [name] : places.map { $0 + "/" + name }
            for path in paths where access(path, X_OK) == 0 { return path }
        }
        throw Failure(
            description: "the web page is tested in Chromium, and there is none: run tools/setup.sh --test (or apt-get install chromium); "
                + "SENSORIUM_CHROMIUM names one that lies elsewhere")
    }

    init() throws {
        let program = try Self.program()
        profile = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-browser-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: profile, withIntermediateDirectories: true)
        let started = try Self.start([
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio", "--hide-scrollbars",
            "--remote-debugging-pipe", "--lang=en-US", "--user-data-dir=\(profile.path)", "about:blank",
        ])
        (process, socket) = (started.process, started.socket)
        Thread.detachNewThread { self.listen() }
        let process = process
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.longest) { [weak self] in if self != nil { kill(-process, SIGKILL) } }
    }

    /// The browser reads commands from its descriptor 3 and writes answers to 4.
    private static func start(_ arguments: [String]) throws -> (process: pid_t, socket: Int32) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Failure(description: "no socket: \(String(cString: strerror(errno)))")
        }
        let (own, other) = (ends[0], ends[1])
        var actions = posix_spawn_file_actions_t(), attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, other, 3)
        posix_spawn_file_actions_adddup2(&actions, other, 4)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // A group of its own, so that all its processes can be ended together.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        var environment: [UnsafeMutablePointer<CChar>?] =
            ProcessInfo.processInfo.environment.map { name, value in strdup("\(name)=\(value)") } + [nil]
        defer { environment.forEach { free($0) } }
        let status = posix_spawn(&child, arguments[0], &actions, &attributes, &words, &environment)
        close(other)
        guard status == 0 else {
            close(own)
            throw Failure(description: "\(arguments[0]) doesn't start: \(String(cString: strerror(status)))")
        }
        return (child, own)
    }

    deinit { close(socket) }

    /// Ends the browser with all its processes and removes its profile.
    func quit() {
        kill(-process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        try? FileManager.default.removeItem(at: profile)
    }

    // What the browser says

    /// Messages end with a zero byte.
    private func listen() {
        var rest = Data(), buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(socket, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest.append(contentsOf: buffer[..<count])
            while let end = rest.firstIndex(of: 0) {
                take(rest[rest.startIndex..<end])
                rest = Data(rest[(end + 1)...])
            }
        }
        take(nil)
    }

    private func take(_ data: Data?) {
        guard let data else {
            let waiting = state.withLock { state in
                state.hasEnded = true
                defer { state.waiting = [:] }
                return state.waiting.values.map { $0 }
            }
            for one in waiting { one.resume(throwing: Failure(description: "the browser has ended")) }
            return
        }
        guard let message = try? JSONDecoder().decode(JSONValue.self, from: data) else { return }
        if let id = message["id"]?.number {
            let one = state.withLock { $0.waiting.removeValue(forKey: Int(id)) }
            if let error = message["error"] {
                one?.resume(throwing: Failure(description: error["message"]?.string ?? "an error"))
            } else {
                one?.resume(returning: message["result"] ?? .null)
            }
        } else if let method = message["method"]?.string {
            note(method, message["params"] ?? .null, session: message["sessionId"]?.string ?? "")
        }
    }

    private func note(_ method: String, _ parameters: JSONValue, session: String) {
        if method == "Fetch.requestPaused" { return substitute(parameters, session) }
        state.withLock { state in
            switch method {
            case "Runtime.exceptionThrown": state.complaints.append("exception: \(parameters)")
            case "Runtime.consoleAPICalled":
                if ["error", "assert", "warning"].contains(parameters["type"]?.string) {
                    state.complaints.append("console: \(parameters)")
                }
            case "Log.entryAdded":
                guard let entry = parameters["entry"], ["error", "warning"].contains(entry["level"]?.string) else { return }
                if entry["source"]?.string == "network" {
                    state.refusals.append("\(entry)")
                } else {
                    state.complaints.append("log: \(entry)")
                }
            case "Network.requestWillBeSent":
                if let address = parameters["request"]?["url"]?.string { state.requests.append(address) }
            default: break
            }
        }
    }

    private func substitute(_ parameters: JSONValue, _ session: String) {
        let (id, address) = (parameters["requestId"] ?? .null, parameters["request"]?["url"]?.string ?? "")
        func fulfil(_ body: [UInt8], _ type: String, _ status: Int) {
            post(
                "Fetch.fulfillRequest",
                [
                    "requestId": id, "responseCode": .number(Double(status)), "body": .string(Data(body).base64EncodedString()),
                    "responseHeaders": [["name": "Content-Type", "value": .string(type)]],
                ], session: session)
        }
        switch state.withLock({ $0.substitutes[session] })?(address) ?? .real {
        case .real: post("Fetch.continueRequest", ["requestId": id], session: session)
        case .answer(let text, let status): fulfil(Array(text.utf8), "application/json", status)
        case .bytes(let bytes, let type): fulfil(bytes, type, 200)
        case .unreachable: post("Fetch.failRequest", ["requestId": id, "errorReason": "ConnectionRefused"], session: session)
        case .silence: break
        }
    }

    var complaints: [String] { state.withLock(\.complaints) }
    var refusals: [String] { state.withLock(\.refusals) }
    var requests: [String] { state.withLock(\.requests) }
    func setSubstitute(_ session: String, _ body: (@Sendable (String) -> Substitute)?) { state.withLock { $0.substitutes[session] = body } }

    // What it is told

    private func send(_ id: Int, _ method: String, _ parameters: JSONValue, _ session: String?) throws {
        var message: [String: JSONValue] = ["id": .number(Double(id)), "method": .string(method), "params": parameters]
        if let session { message["sessionId"] = .string(session) }
        let bytes = [UInt8](try JSONEncoder().encode(JSONValue.object(message))) + [0]
        try speaking.withLock { _ in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Failure(description: "the browser has ended") }
                sent += count
            }
        }
    }

    private func number() -> Int {
        state.withLock { state in
            state.next += 1
            return state.next
        }
    }

    /// A command whose result nobody wants.
    private func post(_ method: String, _ parameters: JSONValue, session: String) { try? send(number(), method, parameters, session) }

    /// A command and its result.
    @discardableResult
    func call(_ method: String, _ parameters: JSONValue = [:], session: String? = nil) async throws -> JSONValue {
        let id = number()
        return try await withCheckedThrowingContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiting[id] = continuation }
                return state.hasEnded
            }
            if hasEnded { return continuation.resume(throwing: Failure(description: "the browser has ended")) }
            do { try send(id, method, parameters, session) } catch {
                state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: error)
            }
        }
    }

    /// A tab without an address yet.
    func tab(width: Int = 1_280, height: Int = 800) async throws -> BrowserPage {
        let target = try await call("Target.createTarget", ["url": "about:blank"])["targetId"] ?? .null
        let session = try await call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"]?.string ?? ""
        let page = BrowserPage(browser: self, session: session)
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"] { try await page.call("\(domain).enable") }
        try await page.resize(width: width, height: height)
        return page
    }
}
