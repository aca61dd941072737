import Foundation
import Tensors
import Testing

/// In a process of its own: the counts are of the whole process.
@Suite struct BufferPoolTests {
    @Test func buffersOfAnySizeAreUsedAgain() async {
        await #expect(processExitsWith: .success) {
            let sizes = [1, 64, 65, 4_000, 4_096, 4_097, 100_000, (1 << 27) + 1, 300 << 20]
            let before = BufferPool.systemAllocations
            for size in sizes { _ = Storage(byteCount: size) }
            let first = BufferPool.systemAllocations
            // Each is counted at its full size, whatever that is.
            guard first - before >= sizes.reduce(0, +) else { exit(2) }
            for _ in 0..<3 { for size in sizes.reversed() { _ = Storage(byteCount: size) } }
            guard BufferPool.systemAllocations == first else { exit(3) }
            BufferPool.trim()
            _ = Storage(byteCount: 100_000)
            guard BufferPool.systemAllocations > first else { exit(4) }
        }
    }

    @Test func thePeakIsOfTheWorkAlone() async {
        await #expect(processExitsWith: .success) {
            let kept = Storage(byteCount: 1 << 20)
            let (_, bytes) = BufferPool.peak {
                for _ in 0..<4 { _ = Storage(byteCount: 1 << 18) }
            }
            withExtendedLifetime(kept) {}
            guard bytes == 1 << 18 else { exit(2) }
        }
    }
}
