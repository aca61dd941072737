import Checkpoints
import Foundation
import Imaging
import Tensors
import VectorIndex

/// Vectors of another program and what it knows of their pictures: a folder in clip-retrieval's layout (`img_emb/*.npy` or a flat
/// `image.index`, `metadata/*.parquet` or `metadata.jsonl`), or an `.npy`, `.fvecs` or flat FAISS file with a `.jsonl`, `.parquet` or `.txt`
/// (paths) of the same name beside it.
public struct ImportSource: Sendable {
    public let path: FilePath
    let vectors: [VectorFileReader]
    let metadata: [String]
    /// Which model made the vectors, where the source says so.
    let note: EmbeddingsNote?

    public var count: Int { vectors.reduce(0) { $0 + $1.count } }
    public var dimension: Int { vectors[0].dimension }
    /// The metric that FAISS was to use.
    public var metric: Metric? { vectors[0].metric }
    /// The model that made the vectors, as `--model` takes it, and its digest.
    public var model: (spec: String, digest: String)? { note.flatMap { note in note.spec.map { ($0, note.identity.digest) } } }
    public var hasMetadata: Bool { !metadata.isEmpty }

    /// - Parameter metadata: takes the place of the file that is looked for beside the vectors.
    public init(_ path: FilePath, metadata: FilePath? = nil) throws(LibraryError) {
        let path = path.absolute()
        self.path = path
        do {
            let files = path.isFolder ? try Self.vectorFiles(path) : [path.display]
            var readers: [VectorFileReader] = []
            for file in files { readers.append(try VectorFileReader(path: file)) }
            vectors = readers
            self.metadata = try metadata.map { [$0.absolute().display] } ?? Self.metadataFiles(path, vectors: files.count)
            let place = path.appending(EmbeddingsNote.name)
            note = try path.isFolder && place.existsByName ? EmbeddingsNote(path: place.display) : nil
            try check()
        } catch let error as LibraryError {
            throw error
        } catch {
            throw .source(path: path.display, reason: "\(error)")
        }
    }

    private static func vectorFiles(_ folder: FilePath) throws(LibraryError) -> [String] {
        let pieces = files(folder.appending("img_emb"), ["npy"])
        if !pieces.isEmpty { return pieces }
        let index = folder.appending("image.index")
        guard index.existsByName else {
            throw .source(
                path: folder.display, reason: "the folder has neither img_emb/*.npy nor image.index, as clip-retrieval writes them")
        }
        return [index.display]
    }

    private static func metadataFiles(_ path: FilePath, vectors: Int) throws(LibraryError) -> [String] {
        guard path.isFolder else {
            let stem = path.folder.appending(path.stem).display
            return MetadataReader.extensions.map { stem + "." + $0 }.first { FilePath($0).existsByName }.map { [$0] } ?? []
        }
        let tables = files(path.appending("metadata"), ["parquet"]), lines = path.appending("metadata.jsonl")
        guard tables.isEmpty || tables.count == vectors || vectors == 1 else {
            throw .source(path: path.display, reason: "metadata has \(tables.count) Parquet files and img_emb \(vectors) arrays")
        }
        return tables.isEmpty && lines.existsByName ? [lines.display] : tables
    }

    /// Files of a folder, the shorter names first, so that numbers come in order.
    private static func files(_ folder: FilePath, _ extensions: [String]) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.display)) ?? []
        return names.filter { name in extensions.contains { name.hasSuffix("." + $0) } }
            .sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }.map { folder.display + "/" + $0 }
    }

    private func check() throws {
        for reader in vectors where reader.dimension != dimension {
            throw LibraryError.source(
                path: path.display, reason: "its arrays have vectors of \(dimension) and of \(reader.dimension) numbers")
        }
        if let note, note.identity.dimension != dimension {
            throw LibraryError.source(
                path: path.display,
                reason: "\(EmbeddingsNote.name) says \(note.identity.dimension) numbers a vector, the arrays have \(dimension)")
        }
        var rows = 0
        for (place, file) in metadata.enumerated() {
            guard MetadataReader.extensions.contains(FilePath(file).pathExtension ?? "") else {
                throw LibraryError.source(path: file, reason: "metadata is read from .jsonl, .parquet and .txt (paths)")
            }
            let count = try MetadataReader(path: file).count
            rows += count
            guard metadata.count != vectors.count || count == vectors[place].count else {
                throw LibraryError.source(
                    path: file, reason: "it has \(count) rows, and \(vectors[place].path) has \(vectors[place].count) vectors")
            }
        }
        guard metadata.isEmpty || rows == count else {
            throw LibraryError.source(path: path.display, reason: "there are \(rows) rows of metadata for \(count) vectors")
        }
    }
}

/// The rows of a source, some thousands at a time.
struct ImportRows {
    private let source: ImportSource
    private var part = 0
    private var row = 0
    private var file = 0
    private var reader: MetadataReader?
    private var waiting: ArraySlice<PictureRecord> = []
    /// Where vectors and metadata both carry ids, these say what belongs together.
    private var byID: [Int64: PictureRecord]?

    init(_ source: ImportSource) throws {
        self.source = source
        guard source.vectors[0].hasIDs, source.hasMetadata else { return }
        var found: [Int64: PictureRecord] = [:]
        for file in source.metadata {
            var reader = try MetadataReader(path: file)
            while case let records = try reader.next(), !records.isEmpty {
                for record in records {
                    guard let id = record.vectorID else { return }
                    guard found.updateValue(record, forKey: id) == nil else {
                        throw LibraryError.source(path: file, reason: "two rows have the id \(id)")
                    }
                }
            }
        }
        byID = found
    }

    mutating func next() throws -> (records: [PictureRecord], vectors: Tensor)? {
        while part < source.vectors.count, row == source.vectors[part].count { (part, row) = (part + 1, 0) }
        guard part < source.vectors.count else { return nil }
        let vectors = source.vectors[part], range = row..<min(vectors.count, row + Library.transferredAtOnce)
        row = range.upperBound
        let ids = try vectors.ids(range)
        var records: [PictureRecord] = []
        for id in ids {
            var record = try byID == nil ? nextRecord() : self.record(id)
            if record.path == nil { record.path = source.path.appending(place(record, id)) }
            records.append(record)
        }
        return (records, try vectors.rows(range))
    }

    /// What stands for the name of a picture that has none.
    private func place(_ record: PictureRecord, _ id: Int64) -> String {
        let part = source.vectors.count > 1 ? "\(part)-" : ""
        return part + "\(source.vectors[0].hasIDs ? id : record.vectorID ?? id)"
    }

    private func record(_ id: Int64) throws(LibraryError) -> PictureRecord {
        guard let record = byID?[id] else { throw .source(path: source.path.display, reason: "no row of the metadata has the id \(id)") }
        return record
    }

    private mutating func nextRecord() throws -> PictureRecord {
        guard source.hasMetadata else { return PictureRecord() }
        while waiting.isEmpty {
            if reader == nil {
                guard file < source.metadata.count else {
                    throw LibraryError.source(path: source.path.display, reason: "the metadata changed while it was read")
                }
                reader = try MetadataReader(path: source.metadata[file])
                file += 1
            }
            waiting = try reader?.next()[...] ?? []
            if waiting.isEmpty { reader = nil }
        }
        return waiting.removeFirst()
    }
}
