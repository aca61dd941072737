import Foundation
import Synchronization

/// Counts for `/metrics`, in the text format of Prometheus (exposition format 0.0.4).
final class ServiceMetrics: Sendable {
    private struct Series {
        var help: String
        var kind: String
        var values: [String: Double] = [:]
        var histograms: [String: Histogram] = [:]
    }

    private struct Histogram {
        var counts: [Int]
        var sum = 0.0
        var count = 0
    }

    private static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    private let series = Mutex<[String: Series]>([:])
    private let gauges: @Sendable () -> [(name: String, help: String, value: Double)]

    /// - Parameter gauges: what is read when somebody asks.
    init(gauges: @escaping @Sendable () -> [(name: String, help: String, value: Double)]) { self.gauges = gauges }

    func add(_ name: String, _ help: String, labels: [(String, String)] = [], by amount: Double = 1) {
        let key = Self.text(labels)
        series.withLock { $0[name, default: Series(help: help, kind: "counter")].values[key, default: 0] += amount }
    }

    func observe(_ name: String, _ help: String, labels: [(String, String)] = [], seconds: Double) {
        let key = Self.text(labels)
        series.withLock { series in
            var own = series[name] ?? Series(help: help, kind: "histogram")
            var histogram = own.histograms[key] ?? Histogram(counts: [Int](repeating: 0, count: Self.bounds.count))
            if let place = Self.bounds.firstIndex(where: { seconds <= $0 }) { histogram.counts[place] += 1 }
            histogram.sum += seconds
            histogram.count += 1
            own.histograms[key] = histogram
            series[name] = own
        }
    }

    private static func text(_ labels: [(String, String)]) -> String {
        labels.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }.joined(separator: ",")
    }

    var text: String {
        var lines: [String] = []
        for (name, own) in series.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            lines += ["# HELP \(name) \(own.help)", "# TYPE \(name) \(own.kind)"]
            for (labels, value) in own.values.sorted(by: { $0.key < $1.key }) {
                lines.append(name + (labels.isEmpty ? "" : "{\(labels)}") + " " + Self.number(value))
            }
            for (labels, histogram) in own.histograms.sorted(by: { $0.key < $1.key }) { lines += Self.lines(name, labels, histogram) }
        }
        for gauge in gauges() {
            lines += ["# HELP \(gauge.name) \(gauge.help)", "# TYPE \(gauge.name) gauge", gauge.name + " " + Self.number(gauge.value)]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ name: String, _ labels: String, _ histogram: Histogram) -> [String] {
        var total = 0, lines: [String] = []
        let comma = labels.isEmpty ? "" : labels + ","
        for (bound, count) in zip(bounds, histogram.counts) {
            total += count
            lines.append("\(name)_bucket{\(comma)le=\"\(number(bound))\"} \(total)")
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        return lines + [
            "\(name)_bucket{\(comma)le=\"+Inf\"} \(histogram.count)", "\(name)_sum\(braces) \(number(histogram.sum))",
            "\(name)_count\(braces) \(histogram.count)",
        ]
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? value.description
    }

    /// Bytes of memory that the process holds.
    static func residentBytes() -> Double {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first
        return Double(pages.flatMap { Int($0) } ?? 0) * Double(getpagesize())
    }
}
