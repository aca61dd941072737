import CKernels

/// One pool of threads over all cores that the process may use (`SENSORIUM_THREADS` sets another number).
/// A call from inside a parallel region, or while another task uses the pool, runs on the calling thread.
public enum ThreadPool {
    public static var threadCount: Int { Int(sn_thread_count()) }

    /// Limits the pool to `count` threads (at least 1, at most what it was started with) from now on.
    public static func limit(to count: Int) { sn_thread_limit(Int32(clamping: count)) }

    /// Calls `body` with disjoint ranges that cover `0..<count`, each at least `grain` long but the last.
    public static func parallelFor(_ count: Int, grain: Int = 1, _ body: @Sendable (Range<Int>) -> Void) {
        guard count > 0 else { return }
        if count <= grain || threadCount == 1 { return body(0..<count) }
        withoutActuallyEscaping(body) { escaping in
            var box = escaping
            withUnsafeMutablePointer(to: &box) { pointer in
                sn_parallel_for(
                    count, grain,
                    { context, start, end in
                        context!.assumingMemoryBound(to: (@Sendable (Range<Int>) -> Void).self).pointee(start..<end)
                    }, pointer)
            }
        }
    }
}
