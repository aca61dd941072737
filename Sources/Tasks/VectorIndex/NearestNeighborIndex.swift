import Tensors

/// How two vectors are compared. Scores are always "higher is nearer".
public enum Metric: String, Sendable, Codable, CaseIterable {
    /// Score: the inner product.
    case innerProduct
    /// Score: the inner product of both vectors scaled to unit length. The index stores unit vectors.
    case cosine
    /// Score: minus the squared Euclidean distance.
    case l2
}

/// One answer of a search.
public struct Hit: Sendable, Hashable {
    public var id: Int64
    public var score: Float

    public init(id: Int64, score: Float) {
        self.id = id
        self.score = score
    }
}

/// Nearest-neighbour search over vectors with ids: the one interface of local and remote indexes.
/// Readers go on while a writer works; a search sees every change acknowledged before it began.
public protocol NearestNeighborIndex: Sendable {
    var dimension: Int { get }
    var metric: Metric { get }
    /// Number of live vectors.
    var count: Int { get }

    /// The `k` best ids for each row of `queries` `[n, dimension]` f32, best first, equal scores by smaller id.
    /// With `filter` only ids in it are considered, and recall doesn't fall with its selectivity.
    func search(_ queries: Tensor, k: Int, filter: IDSet?) throws(IndexError) -> [[Hit]]

    /// Adds vectors `[ids.count, dimension]`, replacing those whose id is there. Durable when it returns.
    func upsert(ids: [Int64], vectors: Tensor) throws(IndexError)

    /// Removes ids; those that are absent don't matter. Returns how many were there. Durable when it returns.
    @discardableResult func remove(ids: [Int64]) throws(IndexError) -> Int

    /// Stored vectors `[found, dimension]` f32 with the ids that were found, in the order asked for.
    func vectors(ids: [Int64]) throws(IndexError) -> (ids: [Int64], vectors: Tensor)

    /// All live ids, ascending.
    func ids() throws(IndexError) -> [Int64]

    /// Gives back the room of what was removed or replaced.
    func compact() throws(IndexError)
}
