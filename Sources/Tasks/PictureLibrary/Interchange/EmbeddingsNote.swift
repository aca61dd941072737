import Checkpoints
import Foundation
import Pipelines

/// `embeddings.json` of an exported folder: which model made the vectors.
struct EmbeddingsNote: Sendable {
    static let name = "embeddings.json"

    var identity: EmbedderIdentity
    /// The model as `--model` takes it, where the library knows.
    var spec: String?
    var rows: Int

    init(identity: EmbedderIdentity, spec: String?, rows: Int) { (self.identity, self.spec, self.rows) = (identity, spec, rows) }

    init(path: String) throws(CheckpointError) {
        let reader = try ConfigReader(path: path)
        identity = EmbedderIdentity(
            name: try reader.string("model"), digest: try reader.string("digest"), dimension: try reader.int("dimension", in: 1...65_536),
            embedsText: try reader.bool("embeds_text"))
        spec = try reader.has("spec") ? reader.string("spec") : nil
        rows = try reader.int("rows", in: 0...Int.max)
    }

    func write(to path: String) throws(CheckpointError) {
        var line = JSONLine()
        line.add("model", identity.name)
        line.add("digest", identity.digest)
        line.add("dimension", identity.dimension)
        line.add("embeds_text", identity.embedsText)
        line.add("spec", spec)
        line.add("rows", rows)
        let file = try AtomicFile(path: path)
        try file.write(Array((line.text + "\n").utf8))
        try file.commit()
    }
}
