/// Messages of Milvus 2.2 and newer, as far as an index needs them (milvus-proto: milvus.proto, schema.proto, common.proto). Numbers are
/// those of the fields.
enum MilvusMessage {
    static let idField = "id"
    static let vectorField = "vector"
    /// Of consistency: strong waits until every change anywhere is seen, session until those are that a timestamp names.
    static let session = 1
    private static let int64 = 5, floatVector = 101

    /// What most requests begin with: `database` (2) and `collection` (3).
    private static func request(_ address: MilvusAddress) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.add(2, address.database ?? "")
        writer.add(3, address.collection)
        return writer
    }

    static func named(_ address: MilvusAddress) -> [UInt8] { request(address).bytes }

    static func create(_ address: MilvusAddress, dimension: Int, description: String) -> [UInt8] {
        var schema = ProtobufWriter()
        schema.add(1, address.collection)
        schema.add(2, description)
        schema.add(4) { field in
            field.add(2, idField)
            field.add(3, true)
            field.add(5, int64)
        }
        schema.add(4) { field in
            field.add(2, vectorField)
            field.add(5, floatVector)
            pair(&field, 6, "dim", "\(dimension)")
        }
        var writer = request(address)
        writer.add(4, bytes: schema.bytes)
        // One shard: an id then lies in one place only.
        writer.add(5, 1)
        return writer.bytes
    }

    private static func pair(_ writer: inout ProtobufWriter, _ number: Int, _ key: String, _ value: String) {
        writer.add(number) { pair in
            pair.add(1, key)
            pair.add(2, value)
        }
    }

    static func createIndex(_ address: MilvusAddress, metric: String) -> [UInt8] {
        let (kind, parameters) =
            switch address.index {
            case .flat: ("FLAT", "{}")
            case .hnsw: ("HNSW", "{\"M\": 16, \"efConstruction\": 200}")
            case .ivfFlat: ("IVF_FLAT", "{\"nlist\": 1024}")
            case .autoindex: ("AUTOINDEX", "{}")
            }
        var writer = request(address)
        writer.add(4, vectorField)
        pair(&writer, 5, "index_type", kind)
        pair(&writer, 5, "metric_type", metric)
        pair(&writer, 5, "params", parameters)
        return writer.bytes
    }

    static func load(_ address: MilvusAddress) -> [UInt8] {
        var writer = request(address)
        writer.add(4, 1)
        return writer.bytes
    }

    static func loadState(_ address: MilvusAddress) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.add(2, address.collection)
        writer.add(4, address.database ?? "")
        return writer.bytes
    }

    static func compact(collection: Int64) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.add(1, Int(collection))
        return writer.bytes
    }

    /// - Parameter vectors: `ids.count * dimension` components.
    static func upsert(_ address: MilvusAddress, ids: ArraySlice<Int64>, vectors: UnsafeBufferPointer<Float>, dimension: Int) -> [UInt8] {
        var writer = request(address)
        writer.add(5) { field in
            field.add(1, int64)
            field.add(2, idField)
            field.add(3) { scalars in scalars.add(3) { longs in longs.add(1, packed: Array(ids)) } }
        }
        writer.add(5) { field in
            field.add(1, floatVector)
            field.add(2, vectorField)
            field.add(4) { data in
                data.add(1, dimension)
                data.add(2) { floats in floats.add(1, packed: vectors) }
            }
        }
        writer.add(7, ids.count)
        return writer.bytes
    }

    static func delete(_ address: MilvusAddress, expression: String) -> [UInt8] {
        var writer = request(address)
        writer.add(5, expression)
        return writer.bytes
    }

    /// When a read may be answered: after all changes, or after those up to `after` (nil: all).
    private static func consistency(
        _ writer: inout ProtobufWriter, _ level: MilvusAddress.Consistency, after: UInt64?, time: Int, level number: Int
    ) {
        guard level == .session, let after else { return }
        // 1 is "whatever is there": nothing was changed here yet.
        writer.add(time, unsigned: max(after, 1))
        writer.add(number, session)
    }

    static func query(
        _ address: MilvusAddress, expression: String, fields: [String], after: UInt64?
    ) -> [UInt8] {
        var writer = request(address)
        writer.add(4, expression)
        for field in fields { writer.add(5, field) }
        consistency(&writer, address.consistency, after: after, time: 8, level: 11)
        return writer.bytes
    }

    /// - Parameter queries: `count * dimension` components.
    static func search(
        _ address: MilvusAddress, metric: String, queries: UnsafeBufferPointer<Float>, count: Int, k: Int, expression: String?,
        after: UInt64?
    ) -> [UInt8] {
        var placeholder = ProtobufWriter()
        placeholder.add(1) { value in
            value.add(1, "$0")
            value.add(2, floatVector)
            let dimension = queries.count / max(count, 1)
            for row in 0..<count {
                value.add(
                    3, bytes: Array(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: queries[row * dimension..<(row + 1) * dimension])))
                )
            }
        }
        var writer = request(address)
        writer.add(5, expression ?? "")
        writer.add(6, bytes: placeholder.bytes)
        writer.add(7, 1)
        pair(&writer, 9, "anns_field", vectorField)
        pair(&writer, 9, "topk", "\(k)")
        pair(&writer, 9, "metric_type", metric)
        pair(&writer, 9, "round_decimal", "-1")
        let parameters =
            switch address.index {
            case .flat, .autoindex: "{}"
            case .hnsw: "{\"ef\": \(min(32_768, max(2 * k, 64)))}"
            case .ivfFlat: "{\"nprobe\": 64}"
            }
        pair(&writer, 9, "params", parameters)
        consistency(&writer, address.consistency, after: after, time: 11, level: 14)
        writer.add(12, count)
        return writer.bytes
    }
}

/// Whether a request went well; most answers have it as their first field, some are nothing else.
struct MilvusStatus: Equatable {
    var legacyCode = 0
    var code = 0
    var reason = ""
    var mayPass = false

    var isGood: Bool { code == 0 && legacyCode == 0 }

    init() {}

    init(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var status = MilvusStatus()
        try ProtobufReader.read(bytes) { number, value in
            switch number {
            case 1: status.legacyCode = value.int ?? 0
            case 2: status.reason = value.text ?? ""
            case 3: status.code = value.int ?? 0
            case 4: status.mayPass = value.int == 1
            default: break
            }
        }
        self = status
    }
}

/// What `DescribeCollection` says.
struct MilvusCollection {
    var id: Int64 = 0
    var description = ""
    var dimension = 0
    /// Names of the fields of the primary key, if it is an integer, and of the vectors, if they are floats.
    var idField: String?
    var vectorField: String?

    init(_ answer: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var schema = ArraySlice<UInt8>(), found = 0
        try ProtobufReader.read(answer) { number, value in
            if number == 2 { schema = value.bytes ?? [] }
            if number == 3 { found = value.int ?? 0 }
        }
        id = Int64(found)
        var fields: [ArraySlice<UInt8>] = [], text = ""
        try ProtobufReader.read(schema) { number, value in
            if number == 2 { text = value.text ?? "" }
            if number == 4, let bytes = value.bytes { fields.append(bytes) }
        }
        description = text
        for field in fields { try add(field) }
    }

    private mutating func add(_ field: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var name = "", type = 0, isKey = false, parameters: [String: String] = [:]
        try ProtobufReader.read(field) { (number, value) throws(ProtobufReader.Malformed) in
            switch number {
            case 2: name = value.text ?? ""
            case 3: isKey = value.int == 1
            case 5: type = value.int ?? 0
            case 6: try Self.add(value.bytes ?? [], to: &parameters)
            default: break
            }
        }
        if isKey, type == 5 { idField = name }
        if type == 101 { (vectorField, dimension) = (name, Int(parameters["dim"] ?? "") ?? 0) }
    }

    static func add(_ pair: ArraySlice<UInt8>, to parameters: inout [String: String]) throws(ProtobufReader.Malformed) {
        var key = "", text = ""
        try ProtobufReader.read(pair) { number, value in
            if number == 1 { key = value.text ?? "" }
            if number == 2 { text = value.text ?? "" }
        }
        parameters[key] = text
    }

    /// Parameters of the index on the vectors, out of the answer to `DescribeIndex`.
    static func indexParameters(_ answer: ArraySlice<UInt8>, field: String) throws(ProtobufReader.Malformed) -> [String: String] {
        var found: [String: String] = [:]
        try ProtobufReader.read(answer) { (number, value) throws(ProtobufReader.Malformed) in
            guard number == 2, let bytes = value.bytes else { return }
            var parameters: [String: String] = [:], name = ""
            try ProtobufReader.read(bytes) { (number, value) throws(ProtobufReader.Malformed) in
                if number == 3 { try add(value.bytes ?? [], to: &parameters) }
                if number == 4 { name = value.text ?? "" }
            }
            if name == field { found = parameters }
        }
        return found
    }
}

/// Columns of an answer to `Query`, and hits of one to `Search`.
struct MilvusRows {
    var longs: [String: [Int64]] = [:]
    var vectors: [Float] = []

    /// An answer to `Query`.
    init(_ answer: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var columns: [ArraySlice<UInt8>] = []
        try ProtobufReader.read(answer) { number, value in
            if number == 2, let bytes = value.bytes { columns.append(bytes) }
        }
        for column in columns { try add(column) }
    }

    private mutating func add(_ column: ArraySlice<UInt8>) throws(ProtobufReader.Malformed) {
        var name = "", scalars = ArraySlice<UInt8>(), data = ArraySlice<UInt8>()
        try ProtobufReader.read(column) { number, value in
            switch number {
            case 2: name = value.text ?? ""
            case 3: scalars = value.bytes ?? []
            case 4: data = value.bytes ?? []
            default: break
            }
        }
        var longs: [Int64] = [], floats: [Float] = []
        try ProtobufReader.read(scalars) { (number, value) throws(ProtobufReader.Malformed) in
            guard number == 3, let bytes = value.bytes else { return }
            try ProtobufReader.read(bytes) { (number, value) throws(ProtobufReader.Malformed) in
                if number == 1 { try value.append(to: &longs) }
            }
        }
        try ProtobufReader.read(data) { (number, value) throws(ProtobufReader.Malformed) in
            guard number == 2, let bytes = value.bytes else { return }
            try ProtobufReader.read(bytes) { (number, value) throws(ProtobufReader.Malformed) in
                if number == 1 { try value.append(to: &floats) }
            }
        }
        self.longs[name] = longs
        if !floats.isEmpty { vectors = floats }
    }

    /// An answer to `Search`: for each query ids and what Milvus calls their scores.
    static func hits(_ answer: ArraySlice<UInt8>, queries: Int) throws(ProtobufReader.Malformed) -> [[(id: Int64, score: Float)]] {
        var results = ArraySlice<UInt8>()
        try ProtobufReader.read(answer) { number, value in if number == 2 { results = value.bytes ?? [] } }
        var scores: [Float] = [], ids: [Int64] = [], counts: [Int64] = []
        try ProtobufReader.read(results) { (number, value) throws(ProtobufReader.Malformed) in
            switch number {
            case 4: try value.append(to: &scores)
            case 5:
                try ProtobufReader.read(value.bytes ?? []) { (number, value) throws(ProtobufReader.Malformed) in
                    guard number == 1, let longs = value.bytes else { return }
                    try ProtobufReader.read(longs) { (number, value) throws(ProtobufReader.Malformed) in
                        if number == 1 { try value.append(to: &ids) }
                    }
                }
            case 6: try value.append(to: &counts)
            default: break
            }
        }
        guard ids.count == scores.count else { throw ProtobufReader.Malformed() }
        if ids.isEmpty { return [[(id: Int64, score: Float)]](repeating: [], count: queries) }
        guard counts.count == queries else { throw ProtobufReader.Malformed() }
        var rows: [[(id: Int64, score: Float)]] = [], start = 0
        for count in counts {
            guard count >= 0, count <= ids.count - start else { throw ProtobufReader.Malformed() }
            rows.append((start..<start + Int(count)).map { (id: ids[$0], score: scores[$0]) })
            start += Int(count)
        }
        return rows
    }
}
