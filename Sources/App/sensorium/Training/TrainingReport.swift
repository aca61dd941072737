import Checkpoints
import Foundation
import PictureLibrary
import Training

/// What a run tells: a live line, a line of JSON for each step in `log.jsonl`, and at the end `report.html`.
final class TrainingReport {
    private let run: TrainingRun
    private let output: OutputOptions
    private let log: FileHandle
    private var scores: [String: Float] = [:]
    private var lastShown = Date.distantPast
    private var total = 0
    private var isDrawn = false
    private let console = Console.standard

    init(run: TrainingRun, output: OutputOptions) throws {
        (self.run, self.output) = (run, output)
        let path = run.output + "/log.jsonl"
        if !FileManager.default.fileExists(atPath: path) { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        guard let log = FileHandle(forWritingAtPath: path) else { throw Failure(.notWritten, "\(path) can't be written") }
        try log.seekToEnd()
        self.log = log
    }

    func show(_ event: TrainingEvent) throws {
        switch event {
        case let .began(step, total, _):
            self.total = total
            output.remark("\(run.recipe.file): \(run.summary)" + (step > 0 ? "; goes on after step \(step)" : ""))
        case let .step(record): try show(record)
        case let .evaluated(step, scores):
            self.scores = scores
            var line = JSONLine()
            line.add("event", "evaluated")
            line.add("step", step)
            for (name, score) in scores.sorted(by: { $0.key < $1.key }) { line.add(name, Double(score)) }
            try write(line)
            clear()
            if !output.json {
                output.remark(
                    "step \(step): "
                        + scores.sorted { $0.key < $1.key }.map { "\($0.key) \(NumberText.fixed(Double($0.value), 1))" }
                        .joined(separator: ", "))
            }
        case let .saved(step, path):
            var line = JSONLine()
            line.add("event", "saved")
            line.add("step", step)
            line.add("path", path)
            try write(line)
        }
    }

    private func show(_ record: StepRecord) throws {
        var line = JSONLine()
        line.add("event", "step")
        line.add("step", record.step)
        line.add("loss", Double(record.loss))
        line.add("rate", Double(record.rate))
        line.add("gradient_norm", Double(record.gradientNorm))
        line.add("seconds", record.seconds)
        for (name, value) in record.metrics.sorted(by: { $0.key < $1.key }) { line.add(name, Double(value)) }
        try write(line)
        guard !output.json, !output.quiet, Date().timeIntervalSince(lastShown) > (console.errorIsTerminal ? 0.2 : 10) else { return }
        lastShown = Date()
        let left = Double(total - record.step) * record.seconds
        let text =
            "step \(record.step) of \(total), loss \(NumberText.fixed(Double(record.loss), 4)), \(NumberText.fixed(record.samplesPerSecond, 0)) pictures/s, \(NumberText.duration(left)) left"
        if console.errorIsTerminal {
            isDrawn = true
            console.draw("\r\u{1B}[K" + TextWidth.cut(text, to: console.width - 1))
        } else {
            console.error(text)
        }
    }

    private func clear() {
        if isDrawn { console.draw("\r\u{1B}[K") }
        isDrawn = false
    }

    private func write(_ line: JSONLine) throws {
        do { try log.write(contentsOf: Data((line.text + "\n").utf8)) } catch {
            throw Failure(.notWritten, "\(run.output)/log.jsonl can't be written: \(error.localizedDescription)")
        }
        if output.json { console.line(line.text) }
    }

    /// Writes `report.html`.
    func finish() throws {
        clear()
        try log.synchronize()
        try TrainingPage(run: run).write(to: run.output + "/report.html")
        output.remark("\(run.output)/report.html has the curves")
    }

    /// Says where the last scores stand beside what the recipe expects.
    func compare(with expected: [(key: String, value: Float)]) throws {
        for (name, wanted) in expected {
            guard let found = scores[name] else { continue }
            let verdict = found >= wanted ? "reached" : "missed"
            output.remark("\(name): \(NumberText.fixed(Double(found), 1)), expected \(NumberText.fixed(Double(wanted), 1)): \(verdict)")
        }
    }
}
