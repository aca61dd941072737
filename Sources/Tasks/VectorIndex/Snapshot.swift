import CKernels
import Tensors

/// Rows `start..<start + count` of an index: their vectors, mapped, and what the journal says of them.
struct Chunk: Sendable {
    /// Rows of a full chunk. With it the size in bytes is a multiple of the page size whatever the dimension.
    static let capacity = 65536
    /// Rows that are checked together at their first use.
    static let block = 256

    let start: Int
    let vectors: Storage
    private(set) var ids: [Int64] = []
    private(set) var checksums: [UInt32] = []
    /// Bit i of word i / 64: row start + i is live.
    private(set) var live: [UInt64] = []
    private(set) var liveCount = 0
    /// The ids are whole numbers in a row: the id says the place.
    private(set) var isConsecutive = true
    let preparation: Preparation

    init(start: Int, vectors: Storage) {
        self.start = start
        self.vectors = vectors
        preparation = Preparation()
    }

    var count: Int { ids.count }

    mutating func append(id: Int64, checksum: UInt32) {
        if ids.count % 64 == 0 { live.append(0) }
        live[ids.count / 64] |= 1 << UInt64(ids.count % 64)
        if let last = ids.last, last == .max || last + 1 != id { isConsecutive = false }
        ids.append(id)
        checksums.append(checksum)
        liveCount += 1
    }

    /// False where the row was removed before.
    mutating func remove(_ index: Int) -> Bool {
        guard isLive(index) else { return false }
        live[index / 64] &= ~(1 << UInt64(index % 64))
        liveCount -= 1
        return true
    }

    func isLive(_ index: Int) -> Bool { live[index / 64] >> UInt64(index % 64) & 1 == 1 }
}

/// What is worked out of a chunk's vectors at their first use, shared by all snapshots that hold the chunk.
struct Preparation: Sendable {
    /// For each block the number of rows whose checksum was found right, written when the rest is in place.
    private let counters: Storage
    /// Squared length of each row.
    private let squares: Storage

    init() {
        let blocks = Chunk.capacity / Chunk.block
        counters = Storage(byteCount: blocks * 4)
        counters.pointer.initializeMemory(as: UInt32.self, repeating: 0, count: blocks)
        squares = Storage(byteCount: Chunk.capacity * 4)
    }

    func ready(_ block: Int) -> Int { Int(sn_counter_load(counter(block))) }
    func setReady(_ block: Int, _ rows: Int) { sn_counter_store(counter(block), UInt32(rows)) }
    private func counter(_ block: Int) -> UnsafeMutablePointer<UInt32> { counters.pointer.assumingMemoryBound(to: UInt32.self) + block }
    var squaredLengths: UnsafeMutablePointer<Float> { squares.pointer.assumingMemoryBound(to: Float.self) }
}

/// An index at one moment: a value, untouched by later changes; maps live as long as somebody holds them.
struct Snapshot: Sendable {
    let settings: Settings
    let generation: UInt64
    let vectorsFile: File
    let journalFile: File
    var commit: Commit
    var chunks: [Chunk] = []
    var liveCount = 0

    static func vectorsName(_ generation: UInt64) -> String { "vectors-\(generation)" }
    static func journalName(_ generation: UInt64) -> String { "journal-\(generation)" }

    /// First byte of the rows in the vectors file: a page, so that chunks can be mapped.
    static let vectorsHeaderBytes = 4096

    static func vectorsHeader(_ settings: Settings, generation: UInt64) -> [UInt8] {
        var bytes = Array("SNVECTOR".utf8)
        bytes.append(little: generation)
        bytes.append(little: UInt32(settings.dimension))
        bytes.append(little: UInt32(settings.storage.size))
        bytes += [UInt8](repeating: 0, count: vectorsHeaderBytes - 4 - bytes.count)
        bytes.append(little: bytes.checksum(0..<vectorsHeaderBytes - 4))
        return bytes
    }

    subscript(row: Int) -> (chunk: Chunk, index: Int) { (chunks[row / Chunk.capacity], row % Chunk.capacity) }

    func id(_ row: Int) -> Int64 { chunks[row / Chunk.capacity].ids[row % Chunk.capacity] }

    /// The stored bytes of a row.
    func pointer(_ row: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(chunks[row / Chunk.capacity].vectors.pointer) + row % Chunk.capacity * settings.rowBytes
    }

    /// Applies a record that lies at `commit.journalBytes` of the journal.
    mutating func apply(_ record: Journal.Record, _ next: Commit) throws(IndexError) {
        for row in record.removed {
            guard chunks[row / Chunk.capacity].remove(row % Chunk.capacity) else {
                throw .corrupt(
                    file: journalFile.path, offset: commit.journalBytes, field: "removed row", found: "\(row), removed before",
                    expected: "a live row")
            }
            liveCount -= 1
        }
        for (index, id) in record.ids.enumerated() {
            let row = record.firstRow + index
            if row % Chunk.capacity == 0 { try appendChunk(row) }
            chunks[chunks.count - 1].append(id: id, checksum: record.checksums[index])
            liveCount += 1
        }
        commit = next
    }

    private mutating func appendChunk(_ row: Int) throws(IndexError) {
        let bytes = Chunk.capacity * settings.rowBytes
        chunks.append(Chunk(start: row, vectors: try vectorsFile.map(bytes, at: Snapshot.vectorsHeaderBytes + row * settings.rowBytes)))
    }
}

extension Snapshot {
    /// Checks the rows of a block against their checksums and works out their lengths, once.
    func prepare(_ chunk: Chunk, block: Int) throws(IndexError) {
        let first = block * Chunk.block, end = min(chunk.count, first + Chunk.block)
        let ready = chunk.preparation.ready(block)
        guard first + ready < end else { return }
        let kernels = sn_vectors().pointee
        var line = [Float](repeating: 0, count: settings.dimension)
        let origin = [Float](repeating: 0, count: settings.dimension)
        for index in first + ready..<end {
            let bytes = UnsafeRawPointer(chunk.vectors.pointer) + index * settings.rowBytes
            guard sn_crc32c(0, bytes, settings.rowBytes) == chunk.checksums[index] else {
                // A removed row is never shown, yet a damaged file is a damaged file.
                throw damaged(row: chunk.start + index)
            }
            load(bytes, into: &line)
            var square: Float = 0
            kernels.l2_rows(origin, line, 1, settings.dimension, &square)
            chunk.preparation.squaredLengths[index] = -square
        }
        chunk.preparation.setReady(block, end - first)
    }

    func damaged(row: Int) -> IndexError {
        let chunk = chunks[row / Chunk.capacity], index = row % Chunk.capacity
        let bytes = UnsafeRawPointer(chunk.vectors.pointer) + index * settings.rowBytes
        return .corrupt(
            file: vectorsFile.path, offset: Snapshot.vectorsHeaderBytes + row * settings.rowBytes,
            field: "checksum of the vector with id \(chunk.ids[index])", found: sn_crc32c(0, bytes, settings.rowBytes).hex,
            expected: chunk.checksums[index].hex)
    }

    /// A stored row as f32.
    func load(_ bytes: UnsafeRawPointer, into line: inout [Float]) {
        switch settings.storage {
        case .f32: line.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: settings.rowBytes)) }
        case .f16: sn_kernels().pointee.from_half(bytes.assumingMemoryBound(to: UInt16.self), &line, settings.dimension)
        }
    }
}
