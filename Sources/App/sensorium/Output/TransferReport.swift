import PictureLibrary
import Synchronization

/// Shows how an export, an import or a move goes on: a line that is drawn again on a terminal, plain lines now and then elsewhere, or
/// JSON lines.
final class TransferReport: Sendable {
    private let isJSON: Bool
    private let isQuiet: Bool
    private let noun: String
    private let console = Console.standard
    private let state = Mutex((lastShown: 0.0, isDrawn: false))

    init(_ output: OutputOptions, _ noun: String) { (isJSON, isQuiet, self.noun) = (output.json, output.quiet, noun) }

    func show(_ progress: TransferProgress) {
        if isJSON { return console.line(JSONLine(progress).text) }
        guard !isQuiet else { return }
        state.withLock { state in
            guard progress.elapsed - state.lastShown >= (console.errorIsTerminal ? 0.1 : 5) else { return }
            state = (progress.elapsed, console.errorIsTerminal)
            if console.errorIsTerminal { console.draw("\r\u{1B}[K" + line(progress)) } else { console.error(line(progress)) }
        }
    }

    /// Takes the live line away, so that other lines can follow.
    func clear() {
        state.withLock { state in
            if state.isDrawn { console.draw("\r\u{1B}[K") }
            state.isDrawn = false
        }
    }

    /// `4,096 of 100,000 rows (4%)`.
    private func line(_ progress: TransferProgress) -> String {
        let share = progress.total > 0 ? " (\(progress.done * 100 / progress.total)%)" : ""
        return "\(NumberText.grouped(progress.done)) of \(NumberText.grouped(progress.total)) \(noun)\(share)"
    }
}
