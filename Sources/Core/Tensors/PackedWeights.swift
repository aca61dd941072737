import CKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A copy of f32 matrices of a file in the order in which the kernels multiply fastest. It is made once the matrices have met so many
/// inputs that it pays, and takes their place in memory: the file's own pages are given back. Up to then, and for all other formats,
/// nothing is copied, and processes share the file.
final class PackedWeights: Sendable {
    private struct State {
        var rows = 0
        var panels: Storage?
        /// The table of kernels that the panels are for.
        var level: UInt = 0
        var isRefused = false
    }

    /// Rows of inputs that the matrices have met before they are packed: a few pictures, a hundred queries.
    static let worthwhile = 1_024
    /// Products with fewer rows are bound by memory and don't count: a language model that writes token by token stays in its file.
    private static let fewest = 8
    /// Bytes that all copies of this process take, at most a quarter of the machine's memory.
    private static let held = Atomic<Int>(0)
    private static let mostHeld = sysconf(Int32(_SC_PHYS_PAGES)) / 4 * sysconf(Int32(_SC_PAGESIZE))

    /// Whether matrices may be packed: not while training, whose steps must give the same bits after a restart.
    @TaskLocal static var isAllowed = true

    private let parts: [StoredRows]
    private let state = Mutex(State())

    /// nil where the parts aren't f32 matrices of a mapped file.
    init?(_ parts: [StoredRows]) {
        guard parts.allSatisfy({ $0.format == .f32 && $0.storage.isFile && $0.variable == nil && $0.byteOffset % 4 == 0 }),
            parts[0].columns > 0, parts.contains(where: { $0.rows > 0 })
        else { return nil }
        self.parts = parts
    }

    deinit { state.withLock { if let panels = $0.panels { Self.held.subtract(panels.byteCount, ordering: .relaxed) } } }

    /// The copy, where there is one by now, for a product with `rows` rows of inputs.
    func panels(meeting rows: Int) -> Storage? {
        guard Self.isAllowed else { return nil }
        let level = UInt(bitPattern: sn_kernels())
        return state.withLock { state in
            if let panels = state.panels { return state.level == level ? panels : nil }
            guard rows >= Self.fewest, !state.isRefused else { return nil }
            guard state.rows >= Self.worthwhile else {
                state.rows += rows
                return nil
            }
            state.panels = packed()
            (state.level, state.isRefused) = (level, state.panels == nil)
            return state.panels
        }
    }

    private func packed() -> Storage? {
        withUnsafeTemporaryAllocation(of: sn_weights.self, capacity: parts.count) { list in
            for (place, part) in parts.enumerated() { list.initializeElement(at: place, to: part.weights) }
            let bytes = sn_packed_weights_size(list.baseAddress!, parts.count) * 4
            guard Self.held.add(bytes, ordering: .relaxed).newValue <= Self.mostHeld else {
                Self.held.subtract(bytes, ordering: .relaxed)
                return nil
            }
            let panels = Storage(byteCount: bytes)
            sn_pack_weights(list.baseAddress!, parts.count, panels.pointer.assumingMemoryBound(to: Float.self))
            for part in parts { part.storage.forgetPages(part.byteOffset..<part.byteOffset + part.rows * part.rowBytes) }
            return panels
        }
    }
}

extension Tensor {
    /// Runs `body` with all weights read where they lie, so that results don't depend on how often they were used before.
    public static func readingWeightsInPlace<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try PackedWeights.$isAllowed.keepingErrors(false, body)
    }
}
