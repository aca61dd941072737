import Synchronization
import Tensors
import VectorIndex

/// A collection of a Milvus server (2.3 or newer) as an index: an integer key `id` and a `vector` of floats. Requests go over gRPC, because
/// Milvus' HTTP interface knows neither consistency nor batches of queries.
///
/// Changes are durable when their call returns; one call is several requests where it is large, so a failure may leave some of it done.
/// Cosine is the inner product of unit vectors, as in a local index.
public final class MilvusIndex: NearestNeighborIndex {
    /// Milvus gives no more hits than this for one search.
    static let mostHits = 16_384

    public let address: MilvusAddress
    public let dimension: Int
    public let metric: Metric
    let client: MilvusClient
    /// As the server calls it.
    let serverMetric: String
    /// What reads must see. The server's time of the last change; for what has none, removals and what others did before, all reads are
    /// numbered by how many such changes there were, and the first after each waits for everything.
    private let seen = Mutex((time: UInt64(0), untimed: 1, read: 0))
    private let knownCount = Mutex(0)

    private static let mark = "Sensorium: "

    private init(_ client: MilvusClient, dimension: Int, metric: Metric, serverMetric: String) {
        (address, self.client, self.dimension, self.metric, self.serverMetric) = (client.address, client, dimension, metric, serverMetric)
    }

    /// Opens a collection that is there.
    /// - Parameter owner: as it was made with; nil takes any.
    public static func open(
        _ address: MilvusAddress, owner: String? = nil, retries: RetryPolicy = RetryPolicy()
    ) throws(IndexError) -> MilvusIndex {
        let client = MilvusClient(address, retries)
        guard try isThere(client) else {
            throw .remote(address: address.display, operation: "open the collection", reason: "there is none of this name")
        }
        return try open(client, owner)
    }

    /// Opens a collection, or makes one that isn't there.
    /// - Parameter owner: letters and digits that tell whose collection it is: one that was made with others is refused.
    public static func openOrCreate(
        _ address: MilvusAddress, dimension: Int, metric: Metric, owner: String = "", retries: RetryPolicy = RetryPolicy()
    ) throws(IndexError) -> MilvusIndex {
        guard (1...32_768).contains(dimension) else {
            throw .invalid(operation: "make a collection", field: "dimension", value: "\(dimension)", expected: "1...32768")
        }
        let client = MilvusClient(address, retries)
        if !(try isThere(client)) {
            let message = MilvusMessage.create(address, dimension: dimension, description: mark + metric.rawValue + " " + owner)
            _ = try client.call("CreateCollection", message, "make the collection", isStatus: true)
        }
        let index = try open(client, owner)
        guard index.dimension == dimension, index.metric == metric else {
            throw .invalid(
                operation: "open \(address.display)", field: "the collection", value: "\(index.metric) of \(index.dimension) numbers",
                expected: "\(metric) of \(dimension) numbers; name another")
        }
        return index
    }

    private static func isThere(_ client: MilvusClient) throws(IndexError) -> Bool {
        let operation = "look for the collection"
        let answer = try client.call("HasCollection", MilvusMessage.named(client.address), operation)
        return try client.reading(operation) { () throws(ProtobufReader.Malformed) in
            var isThere = false
            try ProtobufReader.read(answer) { number, value in if number == 2 { isThere = value.int == 1 } }
            return isThere
        }
    }

    private static func open(_ client: MilvusClient, _ owner: String?) throws(IndexError) -> MilvusIndex {
        let collection = try describe(client), address = client.address
        guard collection.idField == MilvusMessage.idField, collection.vectorField == MilvusMessage.vectorField else {
            throw .invalid(
                operation: "open \(address.display)", field: "fields",
                value: "key \(collection.idField ?? "of another type"), vectors \(collection.vectorField ?? "of another type")",
                expected: "an Int64 key `id` and a FloatVector `vector`")
        }
        let (own, made) = origin(collection)
        if let owner, made != owner {
            throw .remote(
                address: address.display, operation: "use the collection",
                reason: made == nil ? "another program made it; name a new one" : "it belongs to another library; name a new one")
        }
        let serverMetric = try indexed(client, own)
        guard let metric = own ?? [("IP", Metric.innerProduct), ("L2", .l2), ("COSINE", .cosine)].first(where: { $0.0 == serverMetric })?.1
        else {
            throw .invalid(operation: "open \(address.display)", field: "metric", value: serverMetric, expected: "IP, L2 or COSINE")
        }
        try load(client)
        return MilvusIndex(client, dimension: collection.dimension, metric: metric, serverMetric: serverMetric)
    }

    static func describe(_ client: MilvusClient) throws(IndexError) -> MilvusCollection {
        let operation = "describe the collection"
        let answer = try client.call("DescribeCollection", MilvusMessage.named(client.address), operation)
        return try client.reading(operation) { () throws(ProtobufReader.Malformed) in try MilvusCollection(answer) }
    }

    /// The metric of the index on the vectors, which is made for a collection of ours that has none (a process was killed meanwhile).
    private static func indexed(_ client: MilvusClient, _ own: Metric?) throws(IndexError) -> String {
        if let own {
            let metric = own == .l2 ? "L2" : "IP", message = MilvusMessage.createIndex(client.address, metric: metric)
            // One that is there already is left as it is, if it is the same; another is as good.
            do throws(IndexError) { _ = try client.call("CreateIndex", message, "make the index", isStatus: true) } catch {
                guard try describedIndex(client)["metric_type"] == metric else { throw error }
            }
            return metric
        }
        guard let metric = try describedIndex(client)["metric_type"] else {
            throw .invalid(
                operation: "open \(client.address.display)", field: "index", value: "none", expected: "an index on the field `vector`")
        }
        return metric
    }

    private static func describedIndex(_ client: MilvusClient) throws(IndexError) -> [String: String] {
        let operation = "describe the index"
        let answer = try client.call("DescribeIndex", MilvusMessage.named(client.address), operation)
        return try client.reading(operation) { () throws(ProtobufReader.Malformed) in
            try MilvusCollection.indexParameters(answer, field: MilvusMessage.vectorField)
        }
    }

    /// Searches need the collection in the server's memory.
    private static func load(_ client: MilvusClient) throws(IndexError) {
        let operation = "load the collection"
        _ = try client.call("LoadCollection", MilvusMessage.load(client.address), operation, isStatus: true)
        var waited = 0.0
        while true {
            let answer = try client.call("GetLoadState", MilvusMessage.loadState(client.address), operation)
            let isLoaded = try client.reading(operation) { () throws(ProtobufReader.Malformed) in
                var state = 0
                try ProtobufReader.read(answer) { number, value in if number == 2 { state = value.int ?? 0 } }
                return state == 3
            }
            if isLoaded { return }
            guard waited < max(60, client.address.timeout) else {
                throw client.failure(operation, GRPCFailure(kind: .timeout, reason: "it isn't loaded after \(Int(waited)) s"))
            }
            client.retries.pause(0.1)
            waited += 0.1
        }
    }

    /// Metric and owner of a collection that was made here; others' have none.
    private static func origin(_ collection: MilvusCollection) -> (metric: Metric?, owner: String?) {
        guard collection.description.hasPrefix(mark) else { return (nil, nil) }
        let words = collection.description.dropFirst(mark.count).split(separator: " ", omittingEmptySubsequences: false)
        return (words.first.flatMap { Metric(rawValue: String($0)) }, words.count > 1 ? String(words[1]) : "")
    }

    /// Removes the collection with all that is in it, if it was made here.
    public func drop() throws(IndexError) {
        guard Self.origin(try Self.describe(client)).metric != nil else {
            throw .invalid(
                operation: "drop \(address.display)", field: "the collection", value: "one that another program made",
                expected: "one of sensorium; drop it with Milvus' own tools")
        }
        _ = try client.call("DropCollection", MilvusMessage.named(address), "drop the collection", isStatus: true)
    }

    /// Number of vectors; where the server can't be asked, the last known.
    public var count: Int {
        guard let count = try? count(nil) else { return knownCount.withLock { $0 } }
        knownCount.withLock { $0 = count }
        return count
    }

    /// Vectors whose ids lie in a range.
    func count(_ range: ClosedRange<Int64>?) throws(IndexError) -> Int {
        let rows = try query(range.map(IDExpression.within) ?? "", ["count(*)"], "count")
        return Int(rows.longs["count(*)"]?.first ?? 0)
    }

    /// A read that sees what was changed here. The first of all sees what was changed anywhere before.
    func reading<Result>(_ body: (_ after: UInt64?) throws(IndexError) -> Result) throws(IndexError) -> Result {
        let (time, number) = seen.withLock { ($0.read < $0.untimed ? nil : $0.time, $0.untimed) }
        let answer = try body(time)
        seen.withLock { $0.read = max($0.read, number) }
        return answer
    }

    func noteChange(at time: UInt64) { seen.withLock { $0.time = max($0.time, time) } }

    /// Milvus doesn't say when a removal takes effect.
    func noteRemoval() { seen.withLock { $0.untimed += 1 } }

    func query(_ expression: String, _ fields: [String], _ operation: String) throws(IndexError) -> MilvusRows {
        let answer = try reading { (after) throws(IndexError) in
            let message = MilvusMessage.query(address, expression: expression, fields: fields, after: after)
            return try client.call("Query", message, operation)
        }
        return try client.reading(operation) { () throws(ProtobufReader.Malformed) in try MilvusRows(answer) }
    }

    /// Ranges of ids that hold all vectors, each at most `most` of them.
    func ranges(most: Int) throws(IndexError) -> [ClosedRange<Int64>] {
        // Most ids are small; halving all the numbers there are takes a question for each bit.
        var waiting: [ClosedRange<Int64>] = [1 << 40...Int64.max, 1 << 20...(1 << 40) - 1, 0...(1 << 20) - 1, Int64.min...(-1)]
        var found: [ClosedRange<Int64>] = []
        while let range = waiting.popLast() {
            let count = try count(range)
            if count == 0 { continue }
            if count <= most || range.lowerBound == range.upperBound {
                found.append(range)
            } else {
                let middle = range.lowerBound &+ Int64(bitPattern: UInt64(bitPattern: range.upperBound &- range.lowerBound) / 2)
                waiting.append(middle + 1...range.upperBound)
                waiting.append(range.lowerBound...middle)
            }
        }
        return found
    }

    public func ids() throws(IndexError) -> [Int64] {
        var ids: [Int64] = []
        for range in try ranges(most: 100_000) {
            ids += try query(IDExpression.within(range), [MilvusMessage.idField], "list ids").longs[MilvusMessage.idField] ?? []
        }
        return IDSet(ids).sorted
    }

    public func vectors(ids: [Int64]) throws(IndexError) -> (ids: [Int64], vectors: Tensor) {
        var rows: [Int64: [Float]] = [:]
        let wanted = IDSet(ids).sorted, block = max(1, min(4_096, (4 << 20) / dimension))
        for start in stride(from: 0, to: wanted.count, by: block) {
            let part = wanted[start..<min(wanted.count, start + block)]
            let found = try query(IDExpression.among(part), [MilvusMessage.idField, MilvusMessage.vectorField], "read vectors")
            let ids = found.longs[MilvusMessage.idField] ?? []
            guard found.vectors.count == ids.count * dimension else { throw client.failure("read vectors", MilvusClient.malformed) }
            for (row, id) in ids.enumerated() { rows[id] = Array(found.vectors[row * dimension..<(row + 1) * dimension]) }
        }
        let found = ids.filter { rows[$0] != nil }, dimension = dimension
        let vectors = Tensor.makeFloats([found.count, dimension]) { out in
            for (place, id) in found.enumerated() { (out + place * dimension).update(from: rows[id] ?? [], count: dimension) }
        }
        return (found, vectors)
    }
}
