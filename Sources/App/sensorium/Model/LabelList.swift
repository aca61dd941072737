import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors

/// Labels and the sentences that stand for each.
struct LabelList {
    private(set) var labels: [String] = []
    private(set) var prompts: [[String]] = []

    private static let largestFile = 16 << 20
    private static let mostLabels = 100_000

    /// `cat,dog`.
    init(commaSeparated text: String, templates: (String) -> PromptTemplates) throws {
        for label in text.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) where !label.isEmpty {
            add(label, templates(label).prompts(for: label))
        }
        try check("--labels")
    }

    /// A label on each line; after a tab (in a `.csv` a comma) the sentence to use for it instead of the templates. Lines with the
    /// same label give it several sentences.
    init(file: String, templates: (String) -> PromptTemplates) throws {
        let separator: Character = file.lowercased().hasSuffix(".csv") ? "," : "\t"
        for line in try Self.lines(file) {
            let parts = line.split(separator: separator, maxSplits: 1).map { Self.unquoted($0.trimmingCharacters(in: .whitespaces)) }
            guard let label = parts.first, !label.isEmpty else { continue }
            add(label, parts.count == 2 && !parts[1].isEmpty ? [parts[1]] : templates(label).prompts(for: label))
        }
        try check(file)
    }

    /// Whole sentences, one on each line, used as they are.
    init(captions file: String) throws {
        for line in try Self.lines(file) { add(line, [line]) }
        try check(file)
    }

    private mutating func add(_ label: String, _ sentences: [String]) {
        if let place = labels.firstIndex(of: label) {
            prompts[place] += sentences.filter { !prompts[place].contains($0) }
        } else {
            labels.append(label)
            prompts.append(sentences)
        }
    }

    private func check(_ source: String) throws {
        guard !labels.isEmpty else { throw Failure(.usage, "\(source) holds no label") }
        guard labels.count <= Self.mostLabels else {
            throw Failure(.usage, "\(source) holds \(labels.count) labels; at most \(Self.mostLabels)")
        }
    }

    private static func lines(_ file: String) throws -> [String] {
        let bytes: [UInt8]
        do throws(PictureError) { bytes = try FilePath(file).contents(limit: largestFile) } catch {
            throw Failure(.usage, "the labels can't be read: \(error)")
        }
        var text = String(decoding: bytes, as: UTF8.self)
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, text.first == "\"", text.last == "\"" else { return text }
        return String(text.dropFirst().dropLast()).replacing("\"\"", with: "\"")
    }

    /// One unit vector for each label, the mean over its sentences: `[labels, dimension]`.
    func vectors(_ encoder: any TextEncoder) throws -> Tensor {
        var rows: [Tensor] = []
        for sentences in prompts { rows.append(try encoder.embed(texts: sentences).unitLength().mean([0])) }
        return try Tensor.stacked(rows)
    }
}
