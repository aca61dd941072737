import Synchronization
import Tensors

/// The first error of several threads.
final class Failure: Sendable {
    private let first = Mutex<IndexError?>(nil)

    func keep(_ error: IndexError) { first.withLock { $0 = $0 ?? error } }
    func rethrow() throws(IndexError) { if let error = first.withLock({ $0 }) { throw error } }
}

/// Runs `body` over ranges of `0..<count` on all threads and throws what one of them threw.
func inParallel(_ count: Int, grain: Int = 1, _ body: @Sendable (Range<Int>) throws(IndexError) -> Void) throws(IndexError) {
    let failure = Failure()
    ThreadPool.parallelFor(count, grain: grain) { range in
        do throws(IndexError) { try body(range) } catch { failure.keep(error) }
    }
    try failure.rethrow()
}

/// Numbers that threads write, each its own part.
struct SharedArray<Element: BitwiseCopyable & Sendable>: Sendable {
    private let storage: Storage
    let count: Int

    init(repeating value: Element, count: Int) {
        self.count = count
        storage = Storage(byteCount: count * MemoryLayout<Element>.stride)
        storage.pointer.initializeMemory(as: Element.self, repeating: value, count: count)
    }

    init(_ elements: [Element]) {
        count = elements.count
        storage = Storage(byteCount: count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes { bytes in
            if let first = bytes.baseAddress { storage.pointer.copyMemory(from: first, byteCount: bytes.count) }
        }
    }

    var pointer: UnsafeMutablePointer<Element> { storage.pointer.assumingMemoryBound(to: Element.self) }

    subscript(index: Int) -> Element {
        get { pointer[index] }
        nonmutating set { pointer[index] = newValue }
    }

    var array: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
