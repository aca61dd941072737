import Foundation
import Synchronization
import Tensors

extension LocalIndex {
    /// The codes of a snapshot's generation, as far as they are there.
    func codeMaps(_ snapshot: Snapshot) -> CodeMaps? {
        codes.withLock { known in
            if known?.generation != snapshot.generation { known = CodeMaps(folder, snapshot) }
            known?.refresh(snapshot)
            return known
        }
    }

    /// Writes the codes that a quantised search needs and that are not there yet. Changes do this by themselves; it is of use
    /// where the codes file was lost or damaged.
    public func buildCodes(fromScratch: Bool = false) throws(IndexError) {
        try exclusively { (_) throws(IndexError) in
            let snapshot = try current()
            if fromScratch { unlink(folder.file(CodeBlock.name(snapshot.generation))) }
            try writeCodes(snapshot)
        }
        codes.withLock { $0 = nil }
    }

    /// Appends blocks that have filled up. Under the writer's lock. Codes are derived data: they need no commit.
    func writeCodes(_ snapshot: Snapshot) throws(IndexError) {
        guard snapshot.commit.rows >= CodeBlock.worthwhileRows else { return }
        let path = folder.file(CodeBlock.name(snapshot.generation)), size = CodeBlock.byteCount(settings.dimension)
        let header = Snapshot.codesHeader(settings, generation: snapshot.generation)
        let file = try File.open(path, flags: O_RDWR | O_CREAT)
        var start = 0
        if try file.size() >= header.count, try file.read(header.count, at: 0, field: "header") == header {
            start = (try file.size() - header.count) / size
            // A writer may have been killed within its last block.
            if start > 0, !(try isWhole(file, start - 1, snapshot)) { start -= 1 }
        } else {
            try file.truncate(to: 0)
            try file.write(header, at: 0)
        }
        // Some blocks at a time on all threads, then written in order.
        let end = snapshot.commit.rows / Chunk.block, together = max(4, (16 << 20) / size)
        do throws(IndexError) {
            while start < end {
                let numbers = start..<min(end, start + together)
                for bytes in try encoded(numbers, snapshot) {
                    try file.write(bytes, at: CodeBlock.headerBytes + start * size)
                    start += 1
                }
            }
        } catch {
            try? file.truncate(to: CodeBlock.headerBytes + start * size)
            throw error
        }
    }

    private func encoded(_ numbers: Range<Int>, _ snapshot: Snapshot) throws(IndexError) -> [[UInt8]] {
        let results = Mutex([Result<[UInt8], IndexError>](repeating: .success([]), count: numbers.count))
        ThreadPool.parallelFor(numbers.count) { range in
            for place in range {
                let number = numbers.lowerBound + place, chunk = snapshot.chunks[number / Scan.blocksPerChunk]
                let result = Result { () throws(IndexError) in try CodeBlock.encode(snapshot, chunk, number % Scan.blocksPerChunk) }
                results.withLock { $0[place] = result }
            }
        }
        var all: [[UInt8]] = []
        for result in results.withLock({ $0 }) { all.append(try result.get()) }
        return all
    }

    private func isWhole(_ file: File, _ number: Int, _ snapshot: Snapshot) throws(IndexError) -> Bool {
        guard (number + 1) * Chunk.block <= snapshot.commit.rows else { return false }
        let size = CodeBlock.byteCount(settings.dimension)
        let bytes = try file.read(size, at: CodeBlock.headerBytes + number * size, field: "codes")
        let chunk = snapshot.chunks[number / Scan.blocksPerChunk]
        let source = CodeBlock.source(chunk, number % Scan.blocksPerChunk)
        return bytes.withUnsafeBytes { CodeBlock.isValid($0.baseAddress!, settings.dimension, source: source) }
    }
}
