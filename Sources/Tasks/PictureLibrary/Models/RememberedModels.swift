import Checkpoints
import Foundation
import Imaging
import ModelKit
import Pipelines
import Tensors

/// The models that a library was indexed with, so that later searches needn't name them: a file `models` in the library's folder, a
/// line for each with the digest of its vectors' identity, a tab, and the model as it was named; where its weights are rounded, a tab
/// and the precision. The last one is the one in use.
public struct RememberedModels {
    public static let standard = "sensorium-clip-base"
    /// The model that reads text where none is named.
    public static let standardReader = "ppocr-small"
    private static let longest = 1 << 20
    private let library: FilePath
    private let find: ModelFinder
    private(set) var entries: [(digest: String, spec: String, precision: WeightFormat?)]

    public init(library: FilePath, find: @escaping ModelFinder) {
        (self.library, self.find) = (library, find)
        entries = Self.read(library)
    }

    private static func read(_ library: FilePath) -> [(digest: String, spec: String, precision: WeightFormat?)] {
        let text = (try? FilePath(file(library)).contents(limit: longest)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t", maxSplits: 2).map(String.init)
            return parts.count >= 2 ? (parts[0], parts[1], parts.count > 2 ? WeightFormat(rawValue: parts[2]) : nil) : nil
        }
    }

    /// The model that made an identity's vectors, as it was named; nil where nothing says so.
    static func spec(of identity: EmbedderIdentity, library: FilePath) -> String? {
        read(library).first { $0.digest == identity.digest }?.spec
    }

    private static func file(_ library: FilePath) -> String { library.appending("models").display }

    /// - Parameter isInUse: whether later runs take it where no model is named.
    public mutating func remember(_ model: any ModelSource, _ identity: EmbedderIdentity, isInUse: Bool = true) throws {
        if let last = entries.last, last == (identity.digest, model.spec, model.precision) { return }
        entries.removeAll { $0.digest == identity.digest }
        entries.insert((identity.digest, model.spec, model.precision), at: isInUse ? entries.count : 0)
        let file = try AtomicFile(path: Self.file(library))
        try file.write(
            Array(entries.map { "\($0.digest)\t\($0.spec)" + ($0.precision.map { "\t" + $0.rawValue } ?? "") + "\n" }.joined().utf8))
        try file.commit()
    }

    /// To index with: the model given, else the one in use, else the standard one.
    /// A precision that is given counts for the model in use, too.
    public func modelForIndexing(given: String?, precision: WeightFormat?) throws -> any ModelSource {
        if let given { return try find(given, precision) }
        guard let last = entries.last else { return try find(Self.standard, precision) }
        return try found(last.spec, precision ?? last.precision)
    }

    /// The embedder that made the vectors of `identity`.
    public func embedder(of identity: EmbedderIdentity) throws -> ModelEmbedder {
        guard let entry = entries.first(where: { $0.digest == identity.digest }) else {
            throw LibraryError.model(path: library.display, reason: "nothing says where the model \(identity.name) is")
        }
        let embedder = try ModelEmbedder(found(entry.spec, entry.precision))
        guard embedder.identity.digest == identity.digest else {
            let reason = "the model \(entry.spec) has changed since: run `sensorium index` again, or put the former model back"
            throw LibraryError.model(path: library.display, reason: reason)
        }
        return embedder
    }

    private func found(_ spec: String, _ precision: WeightFormat?) throws -> any ModelSource {
        do { return try find(spec, precision) } catch { throw LibraryError.model(path: library.display, reason: "\(error)") }
    }
}
