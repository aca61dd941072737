import Foundation
import Imaging
import PictureLibrary
import Synchronization

/// Shows how an indexing run goes on: a line that is drawn again on a terminal, plain lines now and then elsewhere, or JSON lines.
final class ProgressReport: Sendable {
    enum Form { case live, plain, json, quiet }

    private struct State {
        var lastShown = -Double.infinity
        var isDrawn = false
    }

    private let form: Form
    private let console: Console
    private let state = Mutex(State())

    init(form: Form, console: Console = .standard) {
        self.form = form
        self.console = console
    }

    convenience init(_ output: OutputOptions) {
        let console = Console.standard
        self.init(form: output.json ? .json : output.quiet ? .quiet : console.errorIsTerminal ? .live : .plain, console: console)
    }

    func show(_ event: IndexEvent) {
        switch event {
        case .progress(let progress): show(Self.line(progress), after: progress.elapsed) { JSONLine(progress) }
        case .problem(let path, let problem): show(problem, of: path)
        }
    }

    func show(_ event: ReadingEvent) {
        switch event {
        case .progress(let progress): show(Self.line(progress), after: progress.elapsed) { JSONLine(progress) }
        case .problem(let path, let problem): show(problem, of: path)
        }
    }

    /// Takes the live line away, so that other lines can follow.
    func clear() {
        state.withLock { state in
            if state.isDrawn { console.draw("\r\u{1B}[K") }
            state.isDrawn = false
        }
    }

    private func show(_ line: @autoclosure () -> String, after elapsed: Double, json: () -> JSONLine) {
        switch form {
        case .quiet: return
        // Every line acknowledges what it counts, so none is left out.
        case .json: console.line(json().text)
        case .live:
            state.withLock { state in
                // Reading begins at 0 again.
                guard elapsed < state.lastShown || elapsed - state.lastShown >= 0.1 else { return }
                state.lastShown = elapsed
                state.isDrawn = true
                console.draw("\r\u{1B}[K" + TextWidth.cut(line(), to: console.width - 1))
            }
        case .plain:
            state.withLock { state in
                guard elapsed < state.lastShown || elapsed - state.lastShown >= 5, elapsed > 1 else { return }
                state.lastShown = elapsed
                console.error(line())
            }
        }
    }

    private func show(_ problem: FileProblem, of path: FilePath) {
        if form == .json {
            console.line(JSONLine(problem, of: path).text)
        } else {
            clear()
            let name = TextWidth.printable(path.display)
            let reason =
                problem.reason.hasPrefix(path.display + ": ") ? String(problem.reason.dropFirst(path.display.count + 2)) : problem.reason
            console.complain("\(name): \(TextWidth.printable(reason))")
        }
    }

    /// `read 12 of 340 pictures, 57 lines of text, 1.4/s, 1 failed`.
    static func line(_ progress: ReadingProgress) -> String {
        let done = progress.read + progress.failed
        var parts = ["read \(NumberText.grouped(done)) of \(NumberText.grouped(done + progress.pending)) pictures"]
        parts.append("\(NumberText.grouped(progress.lines)) lines of text")
        if progress.elapsed > 0 { parts.append(NumberText.fixed(Double(done) / progress.elapsed, 1) + "/s") }
        if progress.failed > 0 { parts.append("\(NumberText.grouped(progress.failed)) failed") }
        return parts.joined(separator: ", ")
    }

    /// What a run did, in words: counts above 0 but for those left out; the embedded ones always where `alwaysEmbedded`.
    static func outcome(_ progress: IndexProgress, withUnchanged: Bool, alwaysEmbedded: Bool) -> String {
        [
            ("embedded", progress.embedded), ("unchanged", withUnchanged ? progress.unchanged : 0), ("copies", progress.duplicates),
            ("moved", progress.moved), ("failed", progress.failed), ("gone", progress.missing), ("out of reach", progress.unreachable),
        ].filter { $0.1 > 0 || alwaysEmbedded && $0.0 == "embedded" }.map { "\(NumberText.grouped($0.1)) \($0.0)" }.joined(separator: ", ")
    }

    /// `312 of 1,024 pictures (30%), 41.2/s, 0:17 left, 3 failed`.
    static func line(_ progress: IndexProgress) -> String {
        let of =
            progress.isWalking
            ? " of \(NumberText.grouped(progress.found)) found so far" : " of \(NumberText.grouped(progress.found)) files"
        var parts = [NumberText.grouped(progress.done) + of]
        if !progress.isWalking, progress.found > 0 { parts[0] += " (\(progress.done * 100 / progress.found)%)" }
        if progress.rate > 0 { parts.append(NumberText.fixed(progress.rate, 1) + "/s") }
        if let remaining = progress.remaining { parts.append(NumberText.duration(remaining) + " left") }
        if progress.failed > 0 { parts.append("\(NumberText.grouped(progress.failed)) failed") }
        return parts.joined(separator: ", ")
    }
}
