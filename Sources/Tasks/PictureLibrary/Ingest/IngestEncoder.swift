import Pipelines
import Tensors

/// Puts pictures through the network: the work of the encoding thread. It takes what is there, up to the batch that has proved the
/// fastest, and never waits for more.
struct IngestEncoder {
    /// Pictures refused one after another that make the network itself suspect.
    static let mostRefusals = 8

    private let embedder: any Embedder
    private let options: IndexingOptions
    private var chooser: BatchChooser
    /// Held back until the network has shown that it takes another.
    private var refused: [EmbeddedPicture] = []

    init(embedder: any Embedder, options: IndexingOptions) {
        self.embedder = embedder
        self.options = options
        chooser = options.batchSize > 0 ? BatchChooser(always: options.batchSize) : BatchChooser(upTo: IndexingOptions.largestChosenBatch)
    }

    /// Pictures wanted for the next batch, at most.
    var wanted: Int { chooser.next }

    /// One result for each picture, and for those of earlier batches that were held back.
    /// - Throws: `LibraryError.embedder` where the network seems to be at fault and not the pictures.
    mutating func embed(_ batch: [PreparedPicture]) throws -> [EmbeddedPicture] {
        try options.interruption?(.loaded)
        let wasSettled = chooser.isSettled, start = options.clock()
        let (vectors, bytes) = BufferPool.peak { rows(of: batch.map { $0.pixels }) }
        chooser.record(count: batch.count, seconds: options.clock() - start, bytes: bytes, available: options.availableMemory)
        // Buffers of the sizes that were tried and not chosen.
        if chooser.isSettled && !wasSettled { BufferPool.trim() }
        try options.interruption?(.embedded)
        let results = zip(batch, vectors).map { EmbeddedPicture(file: $0.file, content: $0.content, vector: $1) }
        refused += results
        if results.contains(where: { $0.isEmbedded }) { return finish() }
        if refused.count >= Self.mostRefusals, case .failure(let first) = refused[0].vector {
            throw LibraryError.embedder(name: embedder.identity.name, reason: first.reason)
        }
        return []
    }

    /// What is still held back at the end.
    mutating func finish() -> [EmbeddedPicture] {
        defer { refused = [] }
        return refused
    }

    /// Where a batch fails its pictures are tried alone, to find the one that is at fault.
    private func rows(of prepared: [Tensor]) -> [Result<[Float], FileProblem>] {
        do { return try vectors(of: prepared) } catch {
            return prepared.map { one in
                do { return try vectors(of: [one])[0] } catch { return .failure(FileProblem(.notEmbedded, "\(error)")) }
            }
        }
    }

    private func vectors(of prepared: [Tensor]) throws -> [Result<[Float], FileProblem>] {
        let (count, dimension) = (prepared.count, embedder.identity.dimension), tensor = try embedder.embed(prepared)
        guard tensor.shape == [count, dimension] else {
            throw FileProblem(.notEmbedded, "the model gave vectors of shape \(tensor.shape), expected \([count, dimension])")
        }
        let values = tensor.floats()
        return (0..<count).map { row in
            let vector = Array(values[(row * dimension)..<((row + 1) * dimension)])
            let length = vector.reduce(0) { $0 + $1 * $1 }
            guard length.isFinite, length > 0 else {
                return .failure(FileProblem(.notEmbedded, "the model gave no usable vector (length \(length))"))
            }
            return .success(vector)
        }
    }
}
