import Checkpoints
import Foundation
import Training

/// The report of a run: one page with its curves, drawn as SVG, without anything from elsewhere.
struct TrainingPage {
    private let run: TrainingRun

    init(run: TrainingRun) { self.run = run }

    func write(to path: String) throws {
        let log = (try? String(contentsOfFile: run.output + "/log.jsonl", encoding: .utf8)) ?? ""
        var values: [String: [Int: Double]] = [:], scores: [String: Double] = [:]
        for line in log.split(separator: "\n") {
            guard let value = try? JSONValue.parse(String(line), file: "log.jsonl"), let step = value["step"]?.int,
                let members = value.object
            else { continue }
            for (name, field) in members where !["step", "event", "path", "seconds"].contains(name) {
                let number: Double? =
                    switch field {
                    case let .number(value): value
                    case let .int(value): Double(value)
                    default: nil
                    }
                // A restart repeats the steps since the last checkpoint: the later line counts.
                if let number {
                    values[name, default: [:]][step] = number
                    if members["event"]?.string == "evaluated" { scores[name] = number }
                }
            }
        }
        let curves = values.mapValues { curve in curve.sorted { $0.key < $1.key }.map { (x: Double($0.key), y: $0.value) } }
        let file = try AtomicFile(path: path)
        try file.write(Array(page(curves, scores).utf8))
        try file.commit()
    }

    private func page(_ curves: [String: [(x: Double, y: Double)]], _ scores: [String: Double]) -> String {
        let order = ["loss", "gradient_norm", "rate"]
        let names = order.filter { curves[$0] != nil } + curves.keys.filter { !order.contains($0) }.sorted()
        // Types are named, as GRDB makes SQL out of interpolated strings where it may.
        let table: String = scores.sorted { $0.key < $1.key }.map { name, score -> String in
            let wanted: String = run.recipe.expected.first { $0.key == name }.map { NumberText.fixed(Double($0.value), 1) } ?? ""
            return "<tr><td>\(escaped(name))<td>\(NumberText.fixed(score, 2))<td>\(wanted)"
        }.joined(separator: "\n")
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(escaped(run.recipe.file))</title>
            <style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}
            figure{display:inline-block;margin:0 1.5rem 1.5rem 0}figcaption{font-weight:600}td,th{padding:.1rem 1rem .1rem 0;text-align:left}
            pre{background:#f4f4f4;padding:1rem;overflow:auto}path{fill:none;stroke:#0a6;stroke-width:1.5}text{font-size:11px;fill:#666}
            @media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}pre{background:#222}}</style>
            <h1>\(escaped(run.recipe.file))</h1><p>\(escaped(run.summary))</p>
            \(table.isEmpty ? "" : "<h2>Scores</h2><table><tr><th>measure<th>last<th>expected\n\(table)</table>")
            <h2>Curves</h2>
            \(names.map { figure($0, curves[$0] ?? []) }.joined(separator: "\n"))
            <h2>Recipe</h2><pre>\(escaped(run.recipe.text))</pre></html>
            """
    }

    /// A curve over the steps; of many points the mean of neighbours.
    private func figure(_ name: String, _ points: [(x: Double, y: Double)]) -> String {
        let (width, height) = (480.0, 200.0), most = 480
        let size = max(1, points.count / most)
        let shown = stride(from: 0, to: points.count, by: size).map { start in
            let part = points[start..<min(points.count, start + size)]
            return (x: part.reduce(0) { $0 + $1.x } / Double(part.count), y: part.reduce(0) { $0 + $1.y } / Double(part.count))
        }
        guard let low = shown.map(\.y).min(), let high = shown.map(\.y).max(), let first = shown.first?.x, let last = shown.last?.x else {
            return ""
        }
        let spreadX = max(last - first, 1), spreadY = high > low ? high - low : 1
        let line: String = shown.enumerated().map { place, point -> String in
            let x = NumberText.fixed((point.x - first) / spreadX * width, 1), y = NumberText.fixed((high - point.y) / spreadY * height, 1)
            return "\(place == 0 ? "M" : "L")\(x) \(y)"
        }.joined()
        return """
            <figure><figcaption>\(escaped(name))</figcaption><svg viewBox="-4 -14 \(width + 8) \(height + 34)" width="\(width)" role="img" \
            aria-label="\(escaped(name)) from \(points.first?.y ?? 0) to \(points.last?.y ?? 0)"><path d="\(line)"/>\
            <text x="0" y="-4">\(String(format: "%.4g", high))</text><text x="0" y="\(height + 14)">\(String(format: "%.4g", low)), steps \
            \(Int(first)) to \(Int(last)); last \(String(format: "%.4g", points.last?.y ?? 0))</text></svg></figure>
            """
    }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }
}
