import Foundation
import Imaging

/// Standard output and error. Bytes are written as they are: names of files need not be UTF-8.
struct Console: Sendable {
    static let standard = Console()

    /// Whether standard output is a terminal.
    let isTerminal: Bool
    /// Whether messages and progress go to a terminal.
    let errorIsTerminal: Bool
    let colors: Bool

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let dumb = environment["TERM"].map { $0 == "dumb" } ?? true
        isTerminal = isatty(STDOUT_FILENO) == 1
        errorIsTerminal = isatty(STDERR_FILENO) == 1 && !dumb
        // https://no-color.org: set and not empty.
        colors = isTerminal && !dumb && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Columns of the terminal, 80 where that can't be told.
    var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return 80 }
        return Int(size.ws_col)
    }

    func line(_ text: String) { write(Array(text.utf8) + [10], to: STDOUT_FILENO) }
    func line(bytes: [UInt8]) { write(bytes + [10], to: STDOUT_FILENO) }
    func raw(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    /// A line on the error output.
    func error(_ text: String) { write(Array(text.utf8) + [10], to: STDERR_FILENO) }

    /// A failure, after the program's name and on one line as far as it is one.
    func complain(_ message: String) { error("sensorium: " + message) }

    /// Text without a line end on the error output, for a line that is drawn again and again.
    func draw(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

    private func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = Foundation.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
                if count > 0 { done += count } else if errno != EINTR { return lost(descriptor, errno) }
            }
        }
    }

    /// Results that go nowhere must not look like success. A reader that went away (`| head`) knows that it did.
    private func lost(_ descriptor: Int32, _ code: Int32) {
        guard descriptor == STDOUT_FILENO else { return }
        if code != EPIPE { complain("the output can't be written: \(String(cString: strerror(code)))") }
        exit(ExitStatus.notWritten.rawValue)
    }
}

/// Terminal colours.
enum Style: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"

    func apply(_ text: String, _ wanted: Bool) -> String { wanted ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text }
}
