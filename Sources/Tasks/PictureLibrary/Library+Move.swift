import Foundation
import GRDB
import Imaging
import MilvusIndex
import Pipelines
import VectorIndex

extension Library {
    /// Where an embedder's vectors lie.
    /// - Parameter embedder: name or digest; nil takes the active one.
    public func place(ofVectors embedder: String? = nil) throws(LibraryError) -> VectorPlace {
        try indexes.place(try exported(embedder))
    }

    /// Moves an embedder's vectors to a Milvus collection, to another one, or back into the library's folder, with their ids and scores. They
    /// answer from where they were until all have been copied; a move that is broken off leaves everything there, and is begun again.
    /// - Returns: How many were moved; nil where they lay there already.
    public func moveVectors(
        _ embedder: String? = nil, to place: VectorPlace, onProgress: @escaping (TransferProgress) -> Void = { _ in }
    ) throws(LibraryError) -> Int? {
        let lock = try LibraryLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let row = try exported(embedder), former = try indexes.remote(row)
        if try isThere(row, place) { return nil }
        let source = try indexes.open(row, create: true)
        do {
            let moved: Int
            switch place {
            case .milvus(let address):
                // Killed meanwhile, the next move knows its own collection again.
                let noted = indexes.path(row) + ".moving"
                var remote = RemotePlace(address)
                if let begun = try RemotePlace(file: noted), begun.address.isSameCollection(as: address) { remote.owner = begun.owner }
                try remote.write(to: noted)
                moved = try copy(source, to: try VectorStores.open(remote, row, create: true), onProgress)
                try remote.write(to: indexes.placeFile(row))
                unlink(noted)
            case .local:
                let path = indexes.path(row)
                // What an earlier move left, which was broken off.
                try? FileManager.default.removeItem(atPath: path)
                let target = try LocalIndex.create(at: path, dimension: source.dimension, metric: .cosine, exactness: .approximate)
                moved = try copy(source, to: target, onProgress)
                unlink(indexes.placeFile(row))
            }
            indexes.close(row)
            if let former { try indexes.drop(former, row) } else { try? FileManager.default.removeItem(atPath: indexes.path(row)) }
            return moved
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: row.identity, path: indexes.path(row))
        } catch {
            throw LibraryError(error, at: path.display)
        }
    }

    private func copy(
        _ source: any NearestNeighborIndex, to target: any NearestNeighborIndex, _ onProgress: @escaping (TransferProgress) -> Void
    ) throws -> Int {
        let ids = try source.ids()
        var meter = TransferMeter(total: ids.count, onProgress)
        for start in stride(from: 0, to: ids.count, by: Self.transferredAtOnce) {
            let part = Array(ids[start..<min(ids.count, start + Self.transferredAtOnce)]), stored = try source.vectors(ids: part)
            try target.upsert(ids: stored.ids, vectors: stored.vectors)
            meter.add(part.count)
        }
        // Of an earlier attempt.
        let strays = IDSet(try target.ids()).subtracting(IDSet(ids))
        if !strays.isEmpty { try target.remove(ids: strays.sorted) }
        guard try target.ids() == ids else {
            throw LibraryError.service(reason: "the vectors that were copied aren't those that were sent; nothing was moved. Try again")
        }
        return ids.count
    }

    /// Whether the vectors lie in a place already; how a collection is to be used may have changed.
    private func isThere(_ row: IdentityRow, _ place: VectorPlace) throws(LibraryError) -> Bool {
        let known = try indexes.remote(row)
        guard case .milvus(let address) = place else { return known == nil }
        guard var known, known.address.isSameCollection(as: address) else { return false }
        known.address = address
        try known.write(to: indexes.placeFile(row))
        return true
    }

    /// Puts the vectors of an embedder that has none yet on a server.
    func settle(_ row: IdentityRow, at address: MilvusAddress) throws(LibraryError) {
        if try isThere(row, .milvus(address)) { return }
        let held = try database.read { try $0.vectorCount(identity: row.id) }
        guard held == 0, try indexes.remote(row) == nil else {
            throw .place(
                embedder: row.identity.name,
                reason: "lie at \(try indexes.place(row).display); `sensorium move \(address.display)` moves them")
        }
        let remote = RemotePlace(address)
        try remote.write(to: indexes.placeFile(row))
        do throws(IndexError) { _ = try VectorStores.open(remote, row, create: true) } catch {
            unlink(indexes.placeFile(row))
            throw LibraryError(vectors: error, identity: row.identity, path: path.display)
        }
        indexes.close(row)
        try? FileManager.default.removeItem(atPath: indexes.path(row))
    }
}
