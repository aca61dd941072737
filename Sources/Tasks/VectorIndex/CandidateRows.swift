import CKernels
import Tensors

/// Rows on their way to a score by 8-bit codes, some together so that memory can be asked for all of them at once, and the best
/// so far.
struct CandidateRows: ~Copyable {
    private let scan: Scan
    private let codes: RowCodes
    private let maps: CodeMaps?
    private let starts: [(codes: UnsafeRawPointer, states: UnsafePointer<UInt32>)]
    private let blockBytes: Int
    private let allowed: UnsafePointer<UInt64>
    private let capacity: Int
    private var number = 0
    private var scale: Float = 1
    private var factor: Float = 0
    private var term: Float = 0
    private var squared: Float = 0
    private var isL2 = false
    private var query: [Int8] = []
    private var waiting: [Int] = []
    private var pointers: [UnsafePointer<UInt8>] = []
    private var dots: [Int32]
    private var best = TopK(0)
    private(set) var pool = TopK(0)

    init(_ search: ListSearch, capacity: Int) {
        scan = search.scan
        maps = search.codes
        starts = search.codes?.starts ?? []
        blockBytes = CodeBlock.byteCount(scan.snapshot.settings.dimension)
        allowed = UnsafePointer(scan.mask.words.pointer)
        codes = RowCodes(scan.snapshot, search.codes)
        self.capacity = capacity
        dots = [Int32](repeating: 0, count: capacity)
    }

    /// What the k-th best has: a row below can't be in the answer.
    var threshold: Float { best.threshold }

    mutating func begin(_ query: borrowing ListQuery, _ number: Int, scale: Float, k: Int, pool: Int) {
        (self.number, self.scale, factor, term, isL2) = (number, scale, query.factor, query.term, query.isL2)
        squared = query.square
        self.query = query.codes
        best = TopK(k)
        self.pool = TopK(pool)
    }

    /// Takes a row that is live and passes the filter; others go by.
    @inline(__always)
    mutating func add(_ row: Int) throws(IndexError) {
        guard allowed[row / 64] >> UInt64(row % 64) & 1 == 1 else { return }
        guard let block = block(row) else { return try offerExact(row) }
        let slot = row % Chunk.block
        let code = (block + CodeBlock.leadBytes).assumingMemoryBound(to: UInt8.self) + slot * codes.width
        sn_fetch(code, codes.width)
        sn_fetch(block + CodeBlock.scalesOffset + 4 * slot, 4)
        waiting.append(row)
        pointers.append(code)
        if waiting.count == capacity { try flush() }
    }

    /// The block of codes that a row belongs to: at once where it has been found right before.
    @inline(__always)
    private func block(_ row: Int) -> UnsafeRawPointer? {
        let chunk = row / Chunk.capacity, number = row % Chunk.capacity / Chunk.block
        guard chunk < starts.count, sn_counter_load(starts[chunk].states + number) == 1 else { return codes.block(row) }
        return starts[chunk].codes + number * blockBytes
    }

    mutating func flush() throws(IndexError) {
        guard !waiting.isEmpty else { return }
        sn_code_dots_at(query, pointers, waiting.count, codes.width, &dots)
        for index in waiting.indices {
            let slot = 4 * (waiting[index] % Chunk.block)
            let lead = UnsafeRawPointer(pointers[index] - waiting[index] % Chunk.block * codes.width - CodeBlock.leadBytes)
            let scale = lead.load(fromByteOffset: CodeBlock.scalesOffset + slot, as: Float.self)
            let offset = isL2 ? -lead.load(fromByteOffset: CodeBlock.squaresOffset + slot, as: Float.self) : 0
            offer(scale * (factor * Float(dots[index]) + term) + offset, waiting[index])
        }
        waiting.removeAll(keepingCapacity: true)
        pointers.removeAll(keepingCapacity: true)
    }

    private mutating func offer(_ score: Float, _ row: Int) {
        guard score >= pool.threshold else { return }
        let candidate = Candidate(score: score, id: scan.snapshot.id(row), row: row)
        pool.offer(candidate)
        best.offer(candidate)
    }

    /// A row without a code: what its code would give but for the error.
    private mutating func offerExact(_ row: Int) throws(IndexError) {
        try scan.snapshot.checkRow(row)
        var score: Float = 0
        scan.queries.withQuery(number) { scan.snapshot.score($0, scan.snapshot.pointer(row), count: 1, into: &score) }
        offer(isL2 ? score + squared : score * scale, row)
    }
}
