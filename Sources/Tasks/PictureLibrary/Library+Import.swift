import Checkpoints
import Foundation
import GRDB
import Imaging
import Pipelines
import Tensors
import VectorIndex

/// What an import brought.
public struct ImportSummary: Sendable, Equatable {
    /// Rows of the source.
    public var rows = 0
    /// Pictures that have a vector now and had none before.
    public var added = 0
    /// Vectors of an earlier import that were replaced.
    public var replaced = 0
    /// Pictures that were indexed with this model already; their vectors were kept.
    public var known = 0
    /// Pictures whose files were found.
    public var found = 0
    /// Files that aren't the ones the vectors were made of, by their SHA-256.
    public var changed = 0
    /// Whether searches use these vectors now.
    public var isActive = false
    /// Pictures of the library that this model hasn't yet.
    public var pending = 0
}

extension Library {
    /// Adds vectors that another program made. Pictures can then be found, by likeness, by the words of their metadata, and with the
    /// text tower of the model that made the vectors by what they show. What needs the pictures themselves (thumbnails, colours, another
    /// model) says so where their files aren't there. Each block of rows is durable; importing again goes on where a killed import ended.
    /// - Parameters:
    ///   - identity: of the model that made the vectors; nil takes what the source says, else an unknown model named like the source.
    ///   - pictures: the folder in which relative paths begin and whose files are looked at; it becomes one of the library's. nil: no
    ///     file is opened.
    public func importVectors(
        _ source: ImportSource, identity given: EmbedderIdentity? = nil, pictures: FilePath? = nil,
        onProgress: @escaping (TransferProgress) -> Void = { _ in }
    ) throws(LibraryError) -> ImportSummary {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let wanted = given ?? source.note?.identity ?? source.unknownModel, pictures = pictures?.absolute(), now = secondsSince1970()
        try source.check(wanted)
        if let pictures, !pictures.isFolder {
            throw .unreachableRoot(path: pictures.display, reason: "no such folder")
        }
        let row = try database.write { database in
            if let pictures { try database.recordRoot(pictures, at: now, isPartial: false) }
            return try database.register(wanted, at: now)
        }
        let index = try indexes.open(row, create: true)
        try reconcile(row, index)
        var run = ImportRun(
            library: self, index: index, identity: row.id, base: pictures ?? source.base, pictures: pictures, time: now)
        do {
            var rows = try ImportRows(source), meter = TransferMeter(total: source.count, onProgress)
            while let block = try rows.next() {
                try run.take(block.records, block.vectors)
                meter.add(block.records.count)
            }
        } catch let error as LibraryError {
            throw error
        } catch let error as DatabaseError {
            throw LibraryError(error, at: path.display)
        } catch {
            throw .source(path: source.path.display, reason: "\(error)")
        }
        var summary = run.summary
        let isKnown = given != nil || source.note != nil
        (summary.pending, summary.isActive) = try database.write { database -> (Int, Bool) in
            let pending = try database.pendingCount(identity: row.id)
            // Words can't be compared with vectors of an unknown model: it doesn't take the place of one that is known.
            if pending == 0 && isKnown { try database.activate(identity: row.id) }
            return (pending, try database.activeIdentity()?.id == row.id)
        }
        return summary
    }
}

extension ImportSource {
    /// Whether vectors of this model can have so many numbers.
    public func check(_ identity: EmbedderIdentity) throws(LibraryError) {
        guard identity.dimension != dimension else { return }
        throw .source(
            path: path.display,
            reason: "its vectors have \(dimension) numbers, those of \(identity.name) have \(identity.dimension): --model names another")
    }

    /// Vectors of nobody knows which model: words can't be compared with them.
    fileprivate var unknownModel: EmbedderIdentity {
        EmbedderIdentity(
            name: path.stem.display, digest: "imported:\(path.stem.display):\(dimension)", dimension: dimension, embedsText: false)
    }

    /// Where relative paths begin.
    fileprivate var base: FilePath { path.isFolder ? path : path.folder }
}

/// Puts blocks of imported rows into index and catalogue: vectors first, as an indexing run does.
private struct ImportRun {
    private struct Candidate {
        var file: FoundFile
        var content: ContentRecord
        /// SHA-256 of the picture that the vector was made of, where the source says it.
        var expected: Data?
    }

    private enum Place {
        /// A file that was indexed. `isOther`: its bytes aren't those that the vector was made of.
        case indexed(content: Int64, hasVector: Bool, isOther: Bool)
        /// `isReal`: a file that was indexed has the content, too.
        case imported(content: Int64?, hasVector: Bool, isReal: Bool)
    }

    /// What a block changes.
    private struct Changes {
        var ids: [Int64] = []
        /// Rows of the block whose vectors these ids get.
        var rows: [Int] = []
        var saved: [(ContentRecord, id: Int64)] = []
        var attached: [(FoundFile, id: Int64)] = []
    }

    let library: Library
    let index: any NearestNeighborIndex
    let identity: Int64
    let base: FilePath
    let pictures: FilePath?
    let time: Double
    private(set) var summary = ImportSummary()

    init(library: Library, index: any NearestNeighborIndex, identity: Int64, base: FilePath, pictures: FilePath?, time: Double) {
        (self.library, self.index, self.identity) = (library, index, identity)
        (self.base, self.pictures, self.time) = (base, pictures, time)
    }

    mutating func take(_ records: [PictureRecord], _ vectors: Tensor) throws {
        var candidates: [Candidate] = []
        for record in records { candidates.append(candidate(record)) }
        let (found, identity) = (candidates, identity)
        let places = try library.database.read { database in try found.map { try Self.place($0, identity, database) } }
        let changes = try plan(candidates, places)
        summary.rows += records.count
        if !changes.ids.isEmpty {
            try index.upsert(
                ids: changes.ids, vectors: changes.ids.count == records.count ? vectors : vectors.selecting(rows: changes.rows))
        }
        try library.database.write { [time] database in
            for (content, id) in changes.saved { try database.save(content, id: id) }
            for (file, id) in changes.attached { try database.attach(file, to: id, at: time) }
            for id in changes.ids {
                try database.execute(
                    sql: "INSERT OR IGNORE INTO vector (identity_id, content_id) VALUES (?, ?)", arguments: [identity, id])
            }
        }
    }

    private mutating func plan(_ candidates: [Candidate], _ places: [Place]) throws -> Changes {
        let unknown = places.count { if case .imported(content: nil, hasVector: _, isReal: _) = $0 { true } else { false } }
        var fresh = unknown == 0 ? 0..<0 : try library.database.write { try $0.reserveContentIDs(Int64(unknown)) }
        var changes = Changes(), ofBlock: [Data: Int64] = [:]
        func give(_ id: Int64, _ row: Int) {
            changes.ids.append(id)
            changes.rows.append(row)
        }
        for (row, place) in places.enumerated() {
            let (file, content) = (candidates[row].file, candidates[row].content)
            switch place {
            case .indexed(content: _, hasVector: _, isOther: true): summary.changed += 1
            case .indexed(content: _, hasVector: true, isOther: _): summary.known += 1
            case .indexed(content: let id, hasVector: false, isOther: _):
                give(id, row)
                summary.added += 1
            case .imported(content: let known, hasVector: let hasVector, isReal: let isReal):
                let twin = ofBlock[content.hash], id = known ?? twin ?? fresh.removeFirst()
                ofBlock[content.hash] = id
                changes.attached.append((file, id))
                if !isReal { changes.saved.append((content, id)) }
                if isReal && hasVector {
                    summary.known += 1
                } else {
                    give(id, row)
                    if hasVector || twin != nil { summary.replaced += 1 } else { summary.added += 1 }
                }
            }
        }
        return changes
    }

    private static func place(_ candidate: Candidate, _ identity: Int64, _ database: Database) throws -> Place {
        if let known = try database.file(candidate.file.path), known.state == .indexed, let id = known.contentID, !known.stamp.isNone {
            let isOther = try candidate.expected.map { try database.contentID(hash: $0) != id } ?? false
            return .indexed(content: id, hasVector: try database.hasVector(content: id, identity: identity), isOther: isOther)
        }
        guard let id = try database.contentID(hash: candidate.content.hash) else {
            return .imported(content: nil, hasVector: false, isReal: false)
        }
        let isReal = try database.files(ofContent: id).contains { !$0.stamp.isNone }
        return .imported(content: id, hasVector: try database.hasVector(content: id, identity: identity), isReal: isReal)
    }

    /// The file that a row names, and what it holds. Only files in the pictures' folder are opened.
    private mutating func candidate(_ record: PictureRecord) -> Candidate {
        let path = record.path ?? FilePath(""), isAddress = path.display.contains("://")
        var file = FoundFile(path: isAddress ? path : path.absolute(from: base), stamp: .none, words: record.words)
        var content = ContentRecord(
            hash: record.hash ?? PictureFile.hash(Array("imported ".utf8) + file.path.bytes), width: record.width ?? 0,
            height: record.height ?? 0, format: record.format ?? file.path.pathExtension ?? "unknown", taken: record.taken,
            latitude: record.latitude, longitude: record.longitude)
        let unseen = Candidate(file: file, content: content, expected: record.hash)
        guard let pictures, file.path.isInside(pictures) else { return unseen }
        let limit = IndexingOptions().largestFile
        guard let bytes = try? PictureFile.read(&file, limit: limit), let metadata = try? PictureMetadata.read(bytes: bytes) else {
            return unseen
        }
        let hash = PictureFile.hash(bytes)
        if let expected = record.hash, expected != hash {
            summary.changed += 1
            return unseen
        }
        summary.found += 1
        content.hash = hash
        (content.width, content.height, content.format) = (metadata.width, metadata.height, metadata.format.rawValue)
        content.taken = metadata.taken ?? content.taken
        return Candidate(file: file, content: content, expected: hash)
    }
}

extension Tensor {
    /// Some rows of a matrix of f32.
    fileprivate func selecting(rows: [Int]) throws -> Tensor {
        let width = shape[1]
        return try withElements(Float.self) { values in
            try Tensor(rows.flatMap { values[$0 * width..<($0 + 1) * width] }, [rows.count, width])
        }
    }
}
