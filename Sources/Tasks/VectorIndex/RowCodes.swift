import CKernels
import Tensors

/// The 8-bit codes of single rows, wherever they lie: in the codes file, or made of the vector where its block isn't there.
struct RowCodes: Sendable {
    let snapshot: Snapshot
    private let maps: CodeMaps?
    let width: Int

    init(_ snapshot: Snapshot, _ maps: CodeMaps?) {
        self.snapshot = snapshot
        self.maps = maps
        width = CodeBlock.width(snapshot.settings.dimension)
    }

    /// Where a row's code, scale and squared length lie; nil where its block has no codes.
    @inline(__always)
    func place(_ row: Int) -> (code: UnsafePointer<UInt8>, scale: Float, square: Float)? {
        guard let block = maps?.block(row / Chunk.block, snapshot) else { return nil }
        let slot = row % Chunk.block
        return (
            (block + CodeBlock.leadBytes).assumingMemoryBound(to: UInt8.self) + slot * width,
            block.load(fromByteOffset: CodeBlock.scalesOffset + 4 * slot, as: Float.self),
            block.load(fromByteOffset: CodeBlock.squaresOffset + 4 * slot, as: Float.self)
        )
    }

    /// Asks `maps` of a block; once it is known to be right, where it lies can be kept.
    func block(_ row: Int) -> UnsafeRawPointer? { maps?.block(row / Chunk.block, snapshot) }

    /// Copies a row's code to `codes` and returns its scale.
    func copy(_ row: Int, to codes: UnsafeMutablePointer<UInt8>) throws(IndexError) -> Float {
        if let place = place(row) {
            codes.update(from: place.code, count: width)
            return place.scale
        }
        try snapshot.checkRow(row)
        var line = [Float](repeating: 0, count: snapshot.settings.dimension)
        snapshot.load(snapshot.pointer(row), into: &line)
        codes.update(repeating: 128, count: width)
        return CodeBlock.quantise(line) { codes[$0] = UInt8(truncatingIfNeeded: $1 + 128) }
    }
}
