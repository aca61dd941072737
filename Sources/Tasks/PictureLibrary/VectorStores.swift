import Checkpoints
import Foundation
import Imaging
import MilvusIndex
import Pipelines
import Synchronization
import VectorIndex

/// Where an embedder's vectors lie.
public enum VectorPlace: Sendable, Equatable {
    /// In the library's folder.
    case local
    case milvus(MilvusAddress)

    /// `local`, or the address of a Milvus collection.
    public init(_ text: String) throws(IndexError) { self = text == "local" ? .local : .milvus(try MilvusAddress(text)) }

    public var display: String {
        switch self {
        case .local: "local"
        case .milvus(let address): address.display
        }
    }
}

/// A collection of a Milvus server that holds an embedder's vectors: the file `DIGEST.milvus` in the place of the folder `DIGEST`.
struct RemotePlace: Sendable, Equatable {
    private static let longest = 65_536

    var address: MilvusAddress
    /// What tells the collection from those of other libraries.
    var owner: String

    init(_ address: MilvusAddress) {
        self.address = address
        owner = String(UInt64.random(in: 0 ... .max), radix: 36)
    }

    /// Nil where there is no such file.
    init?(file: String) throws(LibraryError) {
        let path = FilePath(file)
        guard path.existsByName else { return nil }
        do {
            let text = String(decoding: try path.contents(limit: Self.longest), as: UTF8.self)
            let reader = try ConfigReader(text: text, file: file)
            address = try MilvusAddress(try reader.string("address"))
            owner = try reader.string("owner")
        } catch {
            throw .damaged(path: file, reason: "it doesn't say where the vectors lie (\(error))")
        }
    }

    /// Without the token.
    func write(to path: String) throws(LibraryError) {
        var line = JSONLine()
        line.add("address", address.stored)
        line.add("owner", owner)
        do {
            let file = try AtomicFile(path: path)
            try file.write(Array((line.text + "\n").utf8))
            try file.commit()
        } catch {
            throw .storage(path: path, reason: "\(error)")
        }
    }
}

/// The vector indexes of a library, opened once each.
final class VectorStores: Sendable {
    private struct Opened: Sendable {
        var index: any NearestNeighborIndex
        var place: RemotePlace?
    }

    private let folder: String
    private let opened = Mutex<[String: Opened]>([:])

    init(folder: String) { self.folder = folder }

    func path(_ identity: IdentityRow) -> String { folder + "/" + identity.folder }

    /// Says that the vectors lie on a server; without it they lie in the folder.
    func placeFile(_ identity: IdentityRow) -> String { path(identity) + ".milvus" }

    func remote(_ identity: IdentityRow) throws(LibraryError) -> RemotePlace? { try RemotePlace(file: placeFile(identity)) }

    func place(_ identity: IdentityRow) throws(LibraryError) -> VectorPlace {
        try remote(identity).map { VectorPlace.milvus($0.address) } ?? .local
    }

    /// - Parameter create: Whether an absent one is made.
    func open(_ identity: IdentityRow, create: Bool = false) throws(LibraryError) -> any NearestNeighborIndex {
        // Another process may have moved the vectors.
        let place = try remote(identity)
        if let known = opened.withLock({ $0[identity.folder] }), known.place == place { return known.index }
        let path = path(identity)
        let index: any NearestNeighborIndex
        do throws(IndexError) {
            if let place {
                index = try Self.open(place, identity, create: create)
            } else {
                index =
                    try create
                    ? Self.openOrCreate(path, dimension: identity.identity.dimension) : LocalIndex.open(at: path, exactness: .approximate)
            }
        } catch {
            throw LibraryError(vectors: error, identity: identity.identity, path: path)
        }
        guard index.dimension == identity.identity.dimension else {
            throw .damaged(path: path, reason: "vectors of \(index.dimension) numbers, the catalogue says \(identity.identity.dimension)")
        }
        opened.withLock { $0[identity.folder] = Opened(index: index, place: place) }
        return index
    }

    static func open(_ place: RemotePlace, _ identity: IdentityRow, create: Bool) throws(IndexError) -> MilvusIndex {
        try create
            ? MilvusIndex.openOrCreate(
                place.address, dimension: identity.identity.dimension, metric: .cosine, owner: place.owner)
            : MilvusIndex.open(place.address, owner: place.owner)
    }

    /// An index that isn't there is made; a damaged one is refused, never replaced.
    private static func openOrCreate(_ path: String, dimension: Int) throws(IndexError) -> LocalIndex {
        do throws(IndexError) { return try LocalIndex.open(at: path, exactness: .approximate) } catch {
            guard case .io = error else { throw error }
            do throws(IndexError) {
                return try LocalIndex.create(at: path, dimension: dimension, metric: .cosine, exactness: .approximate)
            } catch let second {
                // With an index in place, what kept it from being opened says more.
                if case .invalid = second { throw error }
                throw second
            }
        }
    }

    func close(_ identity: IdentityRow) { opened.withLock { _ = $0.removeValue(forKey: identity.folder) } }

    /// Removes the vectors, wherever they lie.
    func remove(_ identity: IdentityRow) throws(LibraryError) {
        close(identity)
        if let place = try remote(identity) { try drop(place, identity) }
        for path in [path(identity), placeFile(identity)] {
            do { try FileManager.default.removeItem(atPath: path) } catch {
                guard FilePath(path).existsByName else { continue }
                throw .storage(path: path, reason: "it can't be removed; remove it by hand")
            }
        }
    }

    /// Removes a collection of ours from its server; one that is gone doesn't matter.
    func drop(_ place: RemotePlace, _ identity: IdentityRow) throws(LibraryError) {
        do throws(IndexError) { try Self.open(place, identity, create: true).drop() } catch {
            throw LibraryError(vectors: error, identity: identity.identity, path: placeFile(identity))
        }
    }
}
