import Dispatch
import Imaging
import Synchronization
import Tensors

/// Decodes and prepares pictures on all cores, some at a time, and keeps their order.
enum PictureLoader {
    /// One result for each path.
    static func load<Prepared: Sendable>(
        _ paths: ArraySlice<FilePath>, shortestUsefulSide: Int?, prepare: @escaping @Sendable (Picture) throws -> Prepared
    ) -> [Result<Prepared, any Error>] {
        let paths = Array(paths)
        let results = Mutex([Result<Prepared, any Error>?](repeating: nil, count: paths.count))
        DispatchQueue.concurrentPerform(iterations: paths.count) { place in
            let result = Result { try prepare(PictureDecoder.decode(path: paths[place], shortestUsefulSide: shortestUsefulSide)) }
            results.withLock { $0[place] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
