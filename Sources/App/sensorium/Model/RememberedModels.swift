import Checkpoints
import Foundation
import Imaging
import PictureLibrary
import Pipelines
import Tensors

/// The models that a library was indexed with, so that later commands needn't name them: a file `models` in the library's folder, a
/// line for each with the digest of its vectors' identity, a tab, and the model as it was named; where its weights are rounded, a tab
/// and the precision. The last one is the one in use.
struct RememberedModels {
    static let standard = "sensorium-clip-base"
    private static let longest = 1 << 20
    private let library: FilePath
    private(set) var entries: [(digest: String, spec: String, precision: WeightFormat?)]

    init(library: FilePath) {
        self.library = library
        let text = (try? FilePath(Self.file(library)).contents(limit: Self.longest)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        entries = text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t", maxSplits: 2).map(String.init)
            return parts.count >= 2 ? (parts[0], parts[1], parts.count > 2 ? WeightFormat(rawValue: parts[2]) : nil) : nil
        }
    }

    private static func file(_ library: FilePath) -> String { library.appending("models").display }

    mutating func remember(_ place: ModelPlace, _ identity: EmbedderIdentity) throws {
        if let last = entries.last, last == (identity.digest, place.spec, place.precision) { return }
        entries.removeAll { $0.digest == identity.digest }
        entries.append((identity.digest, place.spec, place.precision))
        let file = try AtomicFile(path: Self.file(library))
        try file.write(
            Array(entries.map { "\($0.digest)\t\($0.spec)" + ($0.precision.map { "\t" + $0.rawValue } ?? "") + "\n" }.joined().utf8))
        try file.commit()
    }

    /// To index with: the model given, else the one in use, else the standard one.
    /// A precision that is given counts for the model in use, too.
    func placeForIndexing(given: String?, precision: WeightFormat?) throws -> ModelPlace {
        if let given { return try ModelPlace(given, precision: precision) }
        guard let last = entries.last else { return try ModelPlace(Self.standard, precision: precision) }
        return try place(last.spec, precision ?? last.precision)
    }

    /// The embedder that made the vectors of `identity`.
    func embedder(of identity: EmbedderIdentity) throws -> ModelEmbedder {
        guard let entry = entries.first(where: { $0.digest == identity.digest }) else {
            throw Failure(
                .unusable, "the library at \(library.display) doesn't say where its model \(identity.name) is: name it with --model")
        }
        let embedder = try place(entry.spec, entry.precision).embedder()
        guard embedder.identity.digest == identity.digest else {
            throw Failure(
                .unusable,
                "the model \(entry.spec) has changed since the library at \(library.display) was indexed with it: "
                    + "run `sensorium index` again, or put the former model back")
        }
        return embedder
    }

    private func place(_ spec: String, _ precision: WeightFormat?) throws -> ModelPlace {
        do { return try ModelPlace(spec, precision: precision) } catch let failure as Failure {
            let advice = "(the library at \(library.display) is indexed with it; --model chooses another)"
            throw Failure(failure.status, failure.message.map { "\($0) \(advice)" })
        }
    }
}
