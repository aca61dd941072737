import Checkpoints
import Foundation
import GRDB
import Imaging
import Pipelines
import Tensors
import VectorIndex

/// What an export wrote.
public struct ExportSummary: Sendable {
    /// The first path of each picture, row by row.
    public var paths: [FilePath]
    public var dimension: Int
    /// Rows that have a caption, where captions were embedded.
    public var captions: Int?
}

extension Library {
    /// Rows that are read and written at once.
    static let transferredAtOnce = 4_096

    /// Writes the vectors of all pictures that can be shown to an `.npy`, `.fvecs` or FAISS flat file, by ascending content id, which a
    /// FAISS file carries.
    /// - Parameters:
    ///   - embedder: name or digest of the embedder; nil takes the active one.
    ///   - metadata: a `.jsonl` or `.parquet` file for what is known of each picture, row by row.
    public func exportVectors(
        to file: String, embedder: String? = nil, metadata: String? = nil, onProgress: @escaping (TransferProgress) -> Void = { _ in }
    ) throws(LibraryError) -> ExportSummary {
        let export = try VectorExport(self, exported(embedder), onProgress)
        return try export.failing(at: file) {
            let writer = try export.writer(file)
            let rows = try metadata.map { path throws(CheckpointError) in try MetadataWriter(path: path) }
            let paths = try export.run { records, vectors in
                try writer.append(vectors, ids: records.map { $0.vectorID ?? 0 })
                try rows?.append(records)
            }
            try writer.finish()
            try rows?.finish()
            return ExportSummary(paths: paths, dimension: export.index.dimension)
        }
    }

    /// Writes a folder as clip-retrieval's `inference` and `index` do, which its `back` serves: `img_emb/img_emb_0.npy`,
    /// `metadata/metadata_0.parquet` and the flat `image.index` of FAISS (clip_retrieval 2.44); with captions `text_emb/text_emb_0.npy`
    /// and `text.index`, too, where pictures without a caption have zeros. `metadata.jsonl` holds the same rows and `embeddings.json` the model. The
    /// folder appears under its name when it is whole; one that is there must be empty.
    /// - Parameter captions: embeds captions; must be the embedder of the vectors.
    public func exportFolder(
        to folder: String, embedder: String? = nil, captions: (any Embedder)? = nil,
        onProgress: @escaping (TransferProgress) -> Void = { _ in }
    ) throws(LibraryError) -> ExportSummary {
        let row = try exported(embedder)
        if let captions, captions.identity.digest != row.identity.digest || !captions.identity.embedsText {
            throw .embedder(name: captions.identity.name, reason: "captions need the text tower of \(row.identity.name)")
        }
        let export = try VectorExport(self, row, onProgress)
        return try export.failing(at: folder) {
            let place = try FreshFolder(folder)
            let summary = try export.write(place, captions: captions, model: RememberedModels.spec(of: row.identity, library: path))
            try place.commit()
            return summary
        }
    }

    /// The identity with this name or digest; nil takes the active one.
    func exported(_ embedder: String?) throws(LibraryError) -> IdentityRow {
        guard let embedder else {
            guard let active = try database.read({ try $0.activeIdentity() }) else { throw .noActiveIndex(path: path.display) }
            return active
        }
        return try identity(named: embedder)
    }

    /// The identity with this name or digest.
    func identity(named embedder: String) throws(LibraryError) -> IdentityRow {
        let all = try database.read { try $0.identities() }
        let matching = all.filter { $0.identity.digest == embedder || $0.identity.name == embedder }
        guard let row = matching.first else { throw .notIndexed(embedder: embedder, known: all.map(\.identity.name)) }
        guard matching.count == 1 else { throw .ambiguousIndex(name: embedder, digests: matching.map(\.identity.digest)) }
        return row
    }
}

/// Vectors and what is known of their pictures, read together.
struct VectorExport {
    let library: Library
    let row: IdentityRow
    let index: any NearestNeighborIndex
    let ids: [Int64]
    let onProgress: (TransferProgress) -> Void

    init(_ library: Library, _ row: IdentityRow, _ onProgress: @escaping (TransferProgress) -> Void) throws(LibraryError) {
        (self.library, self.row, self.onProgress) = (library, row, onProgress)
        index = try library.indexes.open(row)
        ids = try library.database.read { [id = row.id] database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT v.content_id FROM vector v JOIN content c ON c.id = v.content_id
                    WHERE v.identity_id = ? AND c.files > 0 ORDER BY v.content_id
                    """, arguments: [id])
        }
    }

    func writer(_ file: String, withIDs: Bool = true) throws(IndexError) -> VectorFileWriter {
        try VectorFileWriter(
            path: file, dimension: index.dimension, metric: index.metric, withIDs: withIDs)
    }

    /// Calls `body` with some thousand pictures and their vectors at a time; returns all paths.
    func run(_ body: ([PictureRecord], Tensor) throws -> Void) throws -> [FilePath] {
        var paths: [FilePath] = [], meter = TransferMeter(total: ids.count, onProgress)
        for start in stride(from: 0, to: ids.count, by: Library.transferredAtOnce) {
            let part = Array(ids[start..<min(ids.count, start + Library.transferredAtOnce)])
            let records = try library.database.read { try $0.records(part) }, stored = try index.vectors(ids: part)
            // A picture removed meanwhile would shift the rows.
            guard stored.ids == part, records.map(\.vectorID) == part else {
                throw LibraryError.storage(path: library.path.display, reason: "the library changed while it was exported; try again")
            }
            try body(records, stored.vectors)
            paths += records.map { $0.path ?? FilePath("") }
            meter.add(part.count)
        }
        return paths
    }

    func write(_ place: FreshFolder, captions: (any Embedder)?, model: String?) throws -> ExportSummary {
        let folders = ["img_emb", "metadata"] + (captions == nil ? [] : ["text_emb"])
        for name in folders { try place.makeFolder(name) }
        let pictures = try [writer(place.file("img_emb/img_emb_0.npy")), writer(place.file("image.index"), withIDs: false)]
        let texts =
            captions == nil ? [] : try [writer(place.file("text_emb/text_emb_0.npy")), writer(place.file("text.index"), withIDs: false)]
        let metadata = try [
            MetadataWriter(path: place.file("metadata/metadata_0.parquet")), MetadataWriter(path: place.file("metadata.jsonl")),
        ]
        var captioned = 0
        let paths = try run { records, vectors in
            for writer in pictures { try writer.append(vectors) }
            for writer in metadata { try writer.append(records) }
            guard let captions else { return }
            let vectors = try embed(records.map(\.caption), captions)
            for writer in texts { try writer.append(vectors) }
            captioned += records.count { $0.caption != nil }
        }
        for writer in pictures + texts { try writer.finish() }
        for writer in metadata { try writer.finish() }
        let note = EmbeddingsNote(identity: row.identity, spec: model, rows: paths.count)
        try note.write(to: place.file(EmbeddingsNote.name))
        return ExportSummary(paths: paths, dimension: index.dimension, captions: captions.map { _ in captioned })
    }

    /// A row of zeros where there is no caption, which is near nothing.
    private func embed(_ captions: [String?], _ embedder: any Embedder) throws -> Tensor {
        var values = [Float](repeating: 0, count: captions.count * index.dimension)
        let given = captions.indices.filter { captions[$0] != nil }
        for start in stride(from: 0, to: given.count, by: 64) {
            let rows = given[start..<min(given.count, start + 64)]
            let vectors = try embedder.embed(texts: rows.compactMap { captions[$0] }).floats()
            for (place, row) in rows.enumerated() {
                values.replaceSubrange(
                    row * index.dimension..<(row + 1) * index.dimension,
                    with: vectors[place * index.dimension..<(place + 1) * index.dimension])
            }
        }
        return try Tensor(values, [captions.count, index.dimension])
    }

    func failing<Result>(at file: String, _ body: () throws -> Result) throws(LibraryError) -> Result {
        do { return try body() } catch IndexError.unwritable(let file, let reason) {
            throw .output(path: file, reason: reason)
        } catch CheckpointError.unwritable(let file, let reason) {
            throw .output(path: file, reason: reason)
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: row.identity, path: library.indexes.path(row))
        } catch {
            throw LibraryError(error, at: file)
        }
    }
}

extension Database {
    /// What is known of contents, each by the first of its files that can be shown; by ascending id.
    fileprivate func records(_ contents: [Int64]) throws -> [PictureRecord] {
        var records: [PictureRecord] = []
        // SQLite takes a bounded number of values in a statement.
        for start in stride(from: 0, to: contents.count, by: 500) {
            let part = contents[start..<min(contents.count, start + 500)]
            let rows = try Row.fetchAll(
                self,
                sql: """
                    SELECT f.content_id AS id, f.path, f.title, f.description, f.tags, c.width, c.height, c.format, c.hash, c.taken,
                    c.latitude, c.longitude FROM file f JOIN content c ON c.id = f.content_id
                    WHERE f.state = 'indexed' AND f.content_id IN (\(part.map { _ in "?" }.joined(separator: ", ")))
                    ORDER BY f.content_id, f.path
                    """, arguments: StatementArguments(part))
            for row in rows where records.last?.vectorID != (row["id"] as Int64) { records.append(PictureRecord(row)) }
        }
        return records
    }
}

extension PictureRecord {
    fileprivate init(_ row: Row) {
        (vectorID, path) = (row["id"], FilePath(row["path"] as Data))
        words = PictureWords(title: row["title"], description: row["description"], tags: PictureWords.tags(column: row["tags"]))
        (width, height, format, hash) = (row["width"], row["height"], row["format"], row["hash"])
        (taken, latitude, longitude) = (row["taken"], row["latitude"], row["longitude"])
    }
}
