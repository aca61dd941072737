import Checkpoints
import Foundation
import Tensors

/// A run's checkpoints: folders `step-00001000` that models are loaded from, each with what a restart needs. A folder is written under
/// another name and renamed when it is whole, so that the last one is always good.
public struct CheckpointFolder: Sendable {
    public let path: String
    /// Writes the model's own files (weights, configuration, tokenizer) into a folder.
    private let export: @Sendable (ParameterStore, URL) throws -> Void
    /// Says what the run is: a checkpoint of another run isn't taken up.
    private let identity: String

    /// - Parameters:
    ///   - path: created where it isn't there.
    ///   - identity: of the recipe and the start weights.
    public init(path: String, identity: String, export: @escaping @Sendable (ParameterStore, URL) throws -> Void) throws {
        (self.path, self.identity, self.export) = (path, identity, export)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // What a killed run left half done.
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasPrefix(".part-") {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    private var folders: [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasPrefix("step-") }.sorted().map { URL(fileURLWithPath: path).appendingPathComponent($0) }
    }

    /// The newest whole checkpoint.
    public var latest: URL? { folders.last }
    public var best: URL { URL(fileURLWithPath: path).appendingPathComponent("best") }

    struct Saved {
        let path: String
        let tensors: [String: Tensor]
        let step, updates: Int
        let best: Float?
    }

    func save(_ model: ParameterStore, state: [String: Tensor], step: Int, updates: Int, best: Float?, keep: Int) throws -> String {
        var metadata = ["step": String(step), "updates": String(updates), "identity": identity]
        if let best { metadata["best"] = String(best.bitPattern) }
        let digits = String(step), name = "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        let target = URL(fileURLWithPath: path).appendingPathComponent(name)
        try write(to: target) { folder in
            try export(model, folder)
            try SafetensorsWriter.write(state, metadata: metadata, to: folder.appendingPathComponent("training_state.safetensors").path)
        }
        for old in folders.dropLast(max(1, keep)) { try? FileManager.default.removeItem(at: old) }
        return target.path
    }

    func saveBest(_ model: ParameterStore, step: Int, scores: [String: Float]) throws {
        try write(to: best) { folder in
            try export(model, folder)
            let lines = scores.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
            try Data("{\"step\": \(step), \(lines.joined(separator: ", "))}\n".utf8).write(to: folder.appendingPathComponent("scores.json"))
        }
    }

    private func write(to target: URL, _ body: (URL) throws -> Void) throws {
        let part = URL(fileURLWithPath: path).appendingPathComponent(".part-\(target.lastPathComponent)-\(getpid())")
        try? FileManager.default.removeItem(at: part)
        try FileManager.default.createDirectory(at: part, withIntermediateDirectories: true)
        do {
            try body(part)
            let old = URL(fileURLWithPath: path).appendingPathComponent(".part-old-\(target.lastPathComponent)")
            try? FileManager.default.removeItem(at: old)
            if FileManager.default.fileExists(atPath: target.path) { try FileManager.default.moveItem(at: target, to: old) }
            try FileManager.default.moveItem(at: part, to: target)
            try? FileManager.default.removeItem(at: old)
        } catch {
            try? FileManager.default.removeItem(at: part)
            throw error
        }
    }

    func restore() throws -> Saved? {
        guard let latest else { return nil }
        let place = latest.appendingPathComponent("training_state.safetensors").path
        let file = try SafetensorsFile(path: place)
        guard let step = file.metadata["step"].flatMap({ Int($0) }), let updates = file.metadata["updates"].flatMap({ Int($0) }) else {
            throw TrainingError.state(file: place, problem: "it isn't the state of a training run")
        }
        guard file.metadata["identity"] == identity else {
            throw TrainingError.state(
                file: place, problem: "it belongs to a run of another recipe or of other start weights; give this run another output folder"
            )
        }
        var tensors: [String: Tensor] = [:]
        for entry in file.entries { tensors[entry.name] = try file.tensor(entry.name) }
        let best = file.metadata["best"].flatMap { UInt32($0) }.map { Float(bitPattern: $0) }
        return Saved(path: place, tensors: tensors, step: step, updates: updates, best: best)
    }
}
