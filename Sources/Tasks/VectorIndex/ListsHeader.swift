import Foundation

/// The first page of the file `lists-GENERATION`. Behind it stand the centres of the lists (f32), a table with an entry for each
/// list, and the lists: blocks of 32 codes as the kernels read them (`sn_bit_scan`).
///
/// The file is derived from the vectors. It appears whole, under its name, by renaming; a file that is absent, damaged or of
/// other vectors is as good as none. Each list has a checksum, looked at before its first use.
struct ListsHeader: Sendable, Equatable {
    static let magic: [UInt8] = Array("SNVLISTS".utf8)
    static let version: UInt32 = 1
    static let byteCount = 4096
    /// How the search by lists was measured when they were made: at these ranks of neighbours, up to these shares of them.
    static let depths = [10, 100, 1000]
    static let shares: [Double] = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1]

    var settings: Settings
    var generation: UInt64
    /// Rows `0..<rows` are in the lists, but those that were removed before.
    var rows: Int
    /// Rows that there were when the centres were found.
    var trainedRows: Int
    var listCount: Int
    var seed: UInt64
    /// Checksum over the checksums of the rows: says of which vectors the lists are.
    var source: UInt32
    /// Root of the mean squared length of the vectors.
    var length: Float
    /// The reach that a list's bound needs, for each depth and share, and what it loses (see `ListSettings`) added.
    var reaches = [Float](repeating: 1, count: ListsHeader.depths.count * ListsHeader.shares.count)
    /// The reach of the bounds by which lists are put in order.
    var orderingReach = Float(0.3)
    /// Checksum of centres and table.
    var checksum: UInt32 = 0

    static func name(_ generation: UInt64) -> String { "lists-\(generation)" }
    /// More rows than their numbers of 32 bits can tell apart are searched without lists.
    static let maximumRows = 1 << 32

    var width: Int { CodeBlock.width(settings.dimension) }
    var groups: Int { width / 16 }
    var blockBytes: Int { 64 * groups + 16 * 32 }
    var centreBytes: Int { listCount * settings.dimension * 4 }
    var tableStart: Int { ListsHeader.byteCount + (centreBytes + 63) / 64 * 64 }
    var listsStart: Int { tableStart + listCount * ListEntry.byteCount }

    func encoded() -> [UInt8] {
        var bytes = ListsHeader.magic
        bytes.append(little: ListsHeader.version)
        bytes.append(little: UInt32(settings.dimension))
        bytes.append(little: UInt32(Metric.allCases.firstIndex(of: settings.metric)!))
        bytes.append(little: UInt32(VectorStorage.allCases.firstIndex(of: settings.storage)!))
        bytes.append(little: generation)
        bytes.append(little: UInt64(rows))
        bytes.append(little: UInt64(trainedRows))
        bytes.append(little: seed)
        bytes.append(little: UInt32(listCount))
        bytes.append(little: source)
        bytes.append(little: length.bitPattern)
        bytes.append(little: checksum)
        bytes.append(little: orderingReach.bitPattern)
        for reach in reaches { bytes.append(little: reach.bitPattern) }
        bytes += [UInt8](repeating: 0, count: ListsHeader.byteCount - 4 - bytes.count)
        bytes.append(little: bytes.checksum(0..<ListsHeader.byteCount - 4))
        return bytes
    }

    /// Nil where the page isn't whole, isn't of this index, or names what can't be.
    init?(_ bytes: [UInt8], settings: Settings, generation: UInt64) {
        let end = ListsHeader.byteCount
        guard bytes.count == end, Array(bytes[0..<8]) == ListsHeader.magic, bytes.little(UInt32.self, at: 8) == ListsHeader.version,
            bytes.little(UInt32.self, at: end - 4) == bytes.checksum(0..<end - 4),
            bytes.little(UInt32.self, at: 12) == UInt32(settings.dimension),
            bytes.little(UInt32.self, at: 16) == UInt32(Metric.allCases.firstIndex(of: settings.metric)!),
            bytes.little(UInt32.self, at: 20) == UInt32(VectorStorage.allCases.firstIndex(of: settings.storage)!),
            bytes.little(UInt64.self, at: 24) == generation
        else { return nil }
        let rows: UInt64 = bytes.little(at: 32), trained: UInt64 = bytes.little(at: 40), lists: UInt32 = bytes.little(at: 56)
        guard rows <= UInt64(ListsHeader.maximumRows), rows % UInt64(Chunk.block) == 0, trained <= 1 << 40, (1...1 << 24).contains(lists)
        else { return nil }
        self.init(
            settings: settings, generation: generation, rows: Int(rows), trainedRows: Int(trained), listCount: Int(lists),
            seed: bytes.little(at: 48), source: bytes.little(at: 60), length: Float(bitPattern: bytes.little(at: 64)))
        checksum = bytes.little(at: 68)
        for index in reaches.indices { reaches[index] = Float(bitPattern: bytes.little(at: 76 + 4 * index)) }
        orderingReach = Float(bitPattern: bytes.little(at: 72))
        guard orderingReach.isFinite, length.isFinite, length >= 0, reaches.allSatisfy({ $0.isFinite }) else { return nil }
    }

    init(
        settings: Settings, generation: UInt64, rows: Int, trainedRows: Int, listCount: Int, seed: UInt64, source: UInt32, length: Float
    ) {
        self.settings = settings
        self.generation = generation
        (self.rows, self.trainedRows, self.listCount) = (rows, trainedRows, listCount)
        (self.seed, self.source, self.length) = (seed, source, length)
    }

    /// The reach with which this share of the neighbours of a rank is found: measured at the next greater share, between the
    /// measured ranks by the logarithm.
    func reach(share: Double, depth: Double) -> Float {
        let column = ListsHeader.shares.firstIndex { $0 >= share } ?? ListsHeader.shares.count - 1
        func measured(_ row: Int) -> Float { reaches[row * ListsHeader.shares.count + column] }
        let place = min(max(log10(max(depth, 1)) - 1, 0), Double(ListsHeader.depths.count - 1))
        let lower = Int(place), upper = min(lower + 1, ListsHeader.depths.count - 1)
        return measured(lower) + (measured(upper) - measured(lower)) * Float(place - Double(lower))
    }
}

/// Where a list lies and what its centre is like.
struct ListEntry: Sendable, Equatable {
    static let byteCount = 32

    var offset = 0
    var count = 0
    var checksum: UInt32 = 0
    /// Root of the mean squared distance of the vectors from the centre; -1 in an empty list.
    var radius: Float = -1
    /// Squared length of the centre.
    var square: Float = 0

    init() {}

    init(_ bytes: [UInt8], at start: Int) {
        offset = Int(truncatingIfNeeded: bytes.little(UInt64.self, at: start))
        count = Int(bytes.little(UInt32.self, at: start + 8))
        checksum = bytes.little(at: start + 12)
        radius = Float(bitPattern: bytes.little(at: start + 16))
        square = Float(bitPattern: bytes.little(at: start + 20))
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(little: UInt64(offset))
        bytes.append(little: UInt32(count))
        bytes.append(little: checksum)
        bytes.append(little: radius.bitPattern)
        bytes.append(little: square.bitPattern)
        bytes.append(little: UInt64(0))
    }
}
