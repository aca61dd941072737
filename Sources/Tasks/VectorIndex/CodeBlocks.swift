import CKernels
import Foundation
import Synchronization
import Tensors

/// 8-bit codes of the vectors: component = scale of the vector * (code - 128). They are derived from the vectors, block by block
/// of 256 rows as these fill up, in the file `codes-GENERATION`. A block that is absent, damaged or of other vectors is scanned
/// exactly instead, so that codes change only the speed.
enum CodeBlock {
    static let magic: UInt32 = 0x42_43_4E_53
    /// Magic, source and payload checksums, then 256 scales and 256 squared lengths.
    static let leadBytes = 4096
    static let scalesOffset = 16, squaresOffset = 16 + 4 * Chunk.block
    /// Indexes with fewer rows are scanned exactly.
    static let worthwhileRows = 16384

    /// Bytes of a code: the dimension, padded with codes of 0.
    static func width(_ dimension: Int) -> Int { (dimension + 63) / 64 * 64 }
    static func byteCount(_ dimension: Int) -> Int { leadBytes + Chunk.block * width(dimension) }

    /// Says of which vectors a block is.
    static func source(_ chunk: Chunk, _ block: Int) -> UInt32 {
        let first = block * Chunk.block
        return chunk.checksums[first..<first + Chunk.block].withUnsafeBytes { sn_crc32c(0, $0.baseAddress!, $0.count) }
    }

    static func encode(_ snapshot: Snapshot, _ chunk: Chunk, _ block: Int) throws(IndexError) -> [UInt8] {
        let dimension = snapshot.settings.dimension, width = width(dimension)
        try snapshot.prepare(chunk, block: block)
        var bytes = [UInt8](repeating: 0, count: byteCount(dimension)), line = [Float](repeating: 0, count: dimension)
        bytes.withUnsafeMutableBytes { bytes in
            for slot in 0..<Chunk.block {
                let row = block * Chunk.block + slot
                snapshot.load(UnsafeRawPointer(chunk.vectors.pointer) + row * snapshot.settings.rowBytes, into: &line)
                let codes = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + leadBytes + slot * width
                let scale = quantise(line) { codes[$0] = UInt8(truncatingIfNeeded: $1 + 128) }
                for index in dimension..<width { codes[index] = 128 }
                bytes.storeBytes(of: scale, toByteOffset: scalesOffset + 4 * slot, as: Float.self)
                bytes.storeBytes(of: chunk.preparation.squaredLengths[row], toByteOffset: squaresOffset + 4 * slot, as: Float.self)
            }
            bytes.storeBytes(of: magic, as: UInt32.self)
            bytes.storeBytes(of: source(chunk, block), toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: sn_crc32c(0, bytes.baseAddress! + 16, bytes.count - 16), toByteOffset: 8, as: UInt32.self)
        }
        return bytes
    }

    /// Calls `store` with each component's code in -127...127 and returns the scale.
    static func quantise(_ line: [Float], _ store: (Int, Int) -> Void) -> Float {
        var largest: Float = 0
        for value in line { largest = max(largest, abs(value)) }
        let inverse = largest > 0 ? 127 / largest : 0
        // The reciprocal of a denormal isn't finite: such a vector is as good as zero.
        guard inverse.isFinite else {
            for index in line.indices { store(index, 0) }
            return 0
        }
        for index in line.indices { store(index, Int((line[index] * inverse).rounded())) }
        return largest / 127
    }

    static func isValid(_ bytes: UnsafeRawPointer, _ dimension: Int, source: UInt32) -> Bool {
        bytes.load(as: UInt32.self) == magic && bytes.load(fromByteOffset: 4, as: UInt32.self) == source
            && bytes.load(fromByteOffset: 8, as: UInt32.self) == sn_crc32c(0, bytes + 16, byteCount(dimension) - 16)
    }

    static func name(_ generation: UInt64) -> String { "codes-\(generation)" }
    static let headerBytes = 4096
}

/// The codes file of a generation as far as it goes, mapped.
struct CodeMaps: Sendable {
    let generation: UInt64
    let file: File
    /// Whole blocks in the file.
    var blocks = 0
    /// One map and one row of states (0 not looked at, 1 good, 2 not) for each chunk.
    private(set) var maps: [(codes: Storage, states: Storage)] = []

    /// Nil where the file isn't there or is another's.
    init?(_ folder: Folder, _ snapshot: Snapshot) {
        let path = folder.file(CodeBlock.name(snapshot.generation))
        let expected = Snapshot.codesHeader(snapshot.settings, generation: snapshot.generation)
        guard let file = try? File.open(path), (try? file.read(expected.count, at: 0, field: "header")) == expected else { return nil }
        generation = snapshot.generation
        self.file = file
    }

    /// Looks how far the file has grown.
    mutating func refresh(_ snapshot: Snapshot) {
        let size = CodeBlock.byteCount(snapshot.settings.dimension)
        guard let bytes = try? file.size() else { return }
        blocks = max(0, bytes - CodeBlock.headerBytes) / size
        let perChunk = Scan.blocksPerChunk
        while maps.count * perChunk < blocks {
            guard let codes = try? file.map(perChunk * size, at: CodeBlock.headerBytes + maps.count * perChunk * size) else { break }
            let states = Storage(byteCount: perChunk * 4)
            states.pointer.initializeMemory(as: UInt32.self, repeating: 0, count: perChunk)
            maps.append((codes, states))
        }
        blocks = min(blocks, maps.count * perChunk)
    }

    /// Where blocks and their states begin, chunk by chunk: for those who hold the maps and look at many single rows.
    var starts: [(codes: UnsafeRawPointer, states: UnsafePointer<UInt32>)] {
        maps.map { (UnsafeRawPointer($0.codes.pointer), UnsafePointer($0.states.pointer.assumingMemoryBound(to: UInt32.self))) }
    }

    /// A block's bytes, if they are there and right.
    func block(_ number: Int, _ snapshot: Snapshot) -> UnsafeRawPointer? {
        guard number < blocks else { return nil }
        let place = number / Scan.blocksPerChunk, block = number % Scan.blocksPerChunk, chunk = snapshot.chunks[place]
        guard (block + 1) * Chunk.block <= chunk.count else { return nil }
        let dimension = snapshot.settings.dimension
        let bytes = UnsafeRawPointer(maps[place].codes.pointer) + block * CodeBlock.byteCount(dimension)
        let state = maps[place].states.pointer.assumingMemoryBound(to: UInt32.self) + block
        if sn_counter_load(state) == 0 {
            sn_counter_store(state, CodeBlock.isValid(bytes, dimension, source: CodeBlock.source(chunk, block)) ? 1 : 2)
        }
        return sn_counter_load(state) == 1 ? bytes : nil
    }
}

extension Snapshot {
    static func codesHeader(_ settings: Settings, generation: UInt64) -> [UInt8] {
        var bytes = vectorsHeader(settings, generation: generation)
        bytes.replaceSubrange(0..<8, with: Array("SNVCODES".utf8))
        return bytes
    }
}
