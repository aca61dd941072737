import CKernels

/// Memory of tensors: freed buffers wait for the next tensor of their size.
public enum BufferPool {
    /// Bytes obtained from the system since the start, for tensors and for the kernels' scratch. Constant while a steady state
    /// allocates nothing.
    public static var systemAllocations: Int { sn_pool_system_allocations() }

    /// Bytes of tensors now.
    public static var used: Int { sn_pool_used() }

    /// Runs `body` and tells how many bytes of tensors there were at most beyond those of its start. Tensors of other threads count
    /// too, so of two calls at a time neither is exact.
    public static func peak<Result, Failure: Error>(during body: () throws(Failure) -> Result) throws(Failure) -> (Result, bytes: Int) {
        let before = used
        _ = sn_pool_peak(true)
        let result = try body()
        return (result, max(0, sn_pool_peak(false) - before))
    }

    /// From now on memory outside the pool (files' bytes, decoded pictures) goes back to the system as soon as a block of `bytes` or more
    /// is freed. For programs that handle many of them on many threads; the C library would keep some for each thread.
    public static func returnLargeBlocks(of bytes: Int) { sn_return_large_blocks(bytes) }

    /// Gives buffers that wait back to the system.
    public static func trim() { sn_pool_trim() }
}
