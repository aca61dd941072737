import Foundation
import Imaging
import Pipelines
import Synchronization
import Testing

@testable import PictureLibrary

/// Opens once; who comes before waits.
final class Gate: Sendable {
    private let signal = DispatchSemaphore(value: 0)
    func open() { signal.signal() }
    func pass() {
        signal.wait()
        signal.signal()
    }
}

/// What is slow holds up itself and nothing else. A stage that waited where it must not would wait for ever here.
@Suite struct PipelineTests {
    let scratch: Scratch
    let library: Library
    let pictures: FilePath

    init() throws {
        scratch = try Scratch()
        library = try Library(at: scratch.library, create: true)
        pictures = try scratch.folder("pictures")
    }

    private func makePictures(_ count: Int) throws {
        for number in 0..<count { try makePicture(pictures.appending("p\(number).png"), "red", seed: number + 1) }
    }

    /// A file on a disk that answers only when all others are embedded; the encoder doesn't wait for a full batch either.
    @Test func aSlowDiskHoldsUpItsFileOnly() async throws {
        try makePictures(21)
        let answered = Gate(), embedded = Mutex(0)
        let embedder = ColorEmbedder(onEmbed: { count in
            let sum = embedded.withLock { sum in
                sum += count
                return sum
            }
            if sum == 20 { answered.open() }
        })
        let progress = try await library.indexAll([pictures], embedder) { options in
            options.batchSize = 64
            options.readingThreads = 2
            options.readFile = { (file: inout FoundFile, limit: Int) throws(FileProblem) in
                if file.path.name.display == "p0.png" { answered.pass() }
                return try PictureFile.read(&file, limit: limit)
            }
        }
        #expect(progress.embedded == 21 && progress.failed == 0)
    }

    /// Two huge pictures come first: one is decoded at a time, on one thread, until the rest is through; the other's bytes aren't
    /// kept meanwhile.
    @Test func aHugePictureHoldsUpItselfOnly() async throws {
        try makePictures(20)
        for number in 0..<2 { try makePicture(pictures.appending("a\(number).png"), "blue", width: 300, height: 200, seed: number + 1) }
        let small = Gate(), embedded = Mutex(0), huge = Mutex((now: 0, most: 0)), reads = Mutex<[String: Int]>([:])
        let embedder = ColorEmbedder(
            onEmbed: { count in
                let sum = embedded.withLock { sum in
                    sum += count
                    return sum
                }
                if sum >= 20 { small.open() }
            },
            onPrepare: { picture in
                guard picture.width == 300 else { return }
                huge.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                small.pass()
                huge.withLock { $0.now -= 1 }
            })
        let progress = try await library.indexAll([pictures], embedder) { options in
            options.decodingLimits.large = 100_000
            options.readFile = { (file: inout FoundFile, limit: Int) throws(FileProblem) in
                let name = file.path.name.display
                reads.withLock { $0[name, default: 0] += 1 }
                return try PictureFile.read(&file, limit: limit)
            }
        }
        #expect(progress.embedded == 22 && progress.failed == 0)
        #expect(huge.withLock { $0.most } == 1)
        let counts = reads.withLock { $0 }
        #expect((counts["a0.png"] ?? 0) + (counts["a1.png"] ?? 0) == 3 && counts["p0.png"] == 1)
    }

    @Test func aLargePictureThatChangedMeanwhileIsToldOf() async throws {
        for number in 0..<2 { try makePicture(pictures.appending("a\(number).png"), "blue", width: 300, height: 200, seed: number + 1) }
        let reads = Mutex<[String: Int]>([:])
        let both = Gate()
        let embedder = ColorEmbedder(onPrepare: { _ in both.pass() })
        let progress = try await library.indexAll([pictures], embedder) { options in
            options.decodingLimits.large = 100_000
            options.readingThreads = 1
            options.readFile = { (file: inout FoundFile, limit: Int) throws(FileProblem) in
                let name = file.path.name.display
                let (count, total) = reads.withLock { reads in
                    reads[name, default: 0] += 1
                    return (reads[name] ?? 0, reads.values.reduce(0, +))
                }
                defer { if total == 2 { both.open() } }
                let bytes = try PictureFile.read(&file, limit: limit)
                return count == 1 ? bytes : Array(bytes.dropLast(10))
            }
        }
        // The second to come was read before the first went through, or was kept: never taken for what it no longer is.
        #expect(progress.embedded + progress.failed == 2 && progress.embedded >= 1)
        #expect(try library.problems().allSatisfy { $0.problem.kind == .unreadable && $0.problem.reason.contains("changed") })
    }

    /// The first group is being made durable until the network has begun its third batch, which waits for that writing to begin.
    @Test func theNetworkGoesOnWhileWriting() async throws {
        try makePictures(12)
        let writing = Gate(), encoding = Gate(), batches = Mutex(0)
        let embedder = ColorEmbedder(onEmbed: { _ in
            let count = batches.withLock { count in
                count += 1
                return count
            }
            guard count == 3 else { return }
            writing.pass()
            encoding.open()
        })
        let progress = try await library.indexAll([pictures], embedder) { options in
            options.batchSize = 2
            options.interruption = { stage in
                guard stage == .vectorsStored else { return }
                writing.open()
                encoding.pass()
            }
        }
        #expect(progress.embedded == 12 && batches.withLock { $0 } >= 6)
    }

    @Test func largePicturesWaitAndOthersPass() throws {
        var limits = DecodingQueue.Limits()
        (limits.large, limits.largeTogether) = (100, 250)
        let queue = DecodingQueue(decoders: 3, limits: limits)
        func job(_ cost: Int, _ byte: UInt8) throws -> DecodingJob {
            let picture = try solid("red").encoded(as: .png())
            let file = FoundFile(path: "x", stamp: FileStamp(device: 0, inode: 0, modified: 0, size: 0))
            return DecodingJob(file: file, hash: Data([byte]), metadata: try .read(bytes: picture), bytes: [byte], cost: cost)
        }
        for (number, cost) in [100, 1_000, 100, 5, 120].enumerated() { #expect(queue.put(try job(cost, UInt8(number)))) }
        func take() -> DecodingJob? { queue.take() }
        let first = try #require(take())
        #expect(first.hash == Data([0]) && first.bytes == [0])
        // 1,000 would be too much beside 100, and those behind it keep their turn; what is small passes.
        let second = try #require(take())
        #expect(second.hash == Data([3]))
        queue.finished(first)
        let third = try #require(take())
        #expect(third.hash == Data([1]) && third.bytes == nil)
        queue.finished(third)
        let fourth = try #require(take()), fifth = try #require(take())
        #expect(fourth.hash == Data([2]) && fifth.hash == Data([4]))
        for job in [second, fourth, fifth] { queue.finished(job) }
        queue.close()
        #expect(take() == nil)
        #expect(!queue.put(first))
    }

    @Test func memoryOfDecodingIsForeseen() throws {
        let png = try solid("red", width: 300, height: 200).encoded(as: .png())
        #expect(PictureDecoder.memory(for: try .read(bytes: png), bytes: png) == 300 * 200 * 7)
        let plain: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC0, 0, 4, 1, 2], cut = Array(plain.prefix(9))
        let progressive: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0xFF, 0xC0, 0xFF, 0xFF, 0xC2, 0, 4, 1, 2]
        #expect(!PictureDecoder.isProgressiveJPEG(plain) && !PictureDecoder.isProgressiveJPEG(cut) && !PictureDecoder.isProgressiveJPEG([]))
        #expect(PictureDecoder.isProgressiveJPEG(progressive))
    }
}

@Suite struct BatchChooserTests {
    /// Runs batches that take `seconds(n)` and `bytes` a picture until the choice is made.
    private func chosen(bytes: Int = 1, available: Int = .max, most: Int = 32, _ seconds: (Int, Int) -> Double) -> (size: Int, batches: Int)
    {
        var chooser = BatchChooser(upTo: most), batches = 0
        while !chooser.isSettled, batches < 1_000 {
            let size = chooser.next
            chooser.record(count: size, seconds: seconds(size, batches), bytes: size * bytes, available: { available })
            batches += 1
        }
        return (chooser.next, batches)
    }

    @Test func theSmallestOfEquallyFastIsTaken() {
        let (size, batches) = chosen { size, _ in 0.03 * Double(size) }
        #expect(size == 1 && batches == 2 * BatchChooser.trials)
    }

    @Test func largerOnesAreTakenWhileTheyPay() {
        // 10 ms for any batch and 5 ms for each picture: 32 are 6 per cent faster than 16.
        #expect(chosen { size, _ in 0.010 + 0.005 * Double(size) }.size == 32)
        #expect(chosen { size, _ in 0.001 + 0.005 * Double(size) }.size == 2)
        #expect(chosen(most: 8) { _, _ in 0.010 }.size == 8)
    }

    @Test func aDisturbedBatchDoesNotDecide() {
        #expect(chosen { size, batch in (batch == 0 || batch == 3 ? 10 : 1) * 0.03 * Double(size) }.size == 1)
    }

    @Test func memoryBoundsIt() {
        #expect(chosen(bytes: 10 << 20, available: 200 << 20) { _, _ in 0.010 }.size == 4)
        #expect(chosen(bytes: 10 << 20, available: 0) { _, _ in 0.010 }.size == 1)
    }

    @Test func smallerBatchesThanWantedTellNothingOfSpeed() {
        var chooser = BatchChooser(upTo: 8)
        for _ in 0..<BatchChooser.trials { chooser.record(count: chooser.next, seconds: 1, bytes: 1, available: { .max }) }
        for _ in 0..<100 { chooser.record(count: 1, seconds: 1e-6, bytes: 1, available: { .max }) }
        #expect(!chooser.isSettled)
        #expect(BatchChooser(always: 5).next == 5 && BatchChooser(always: 5).isSettled)
    }

    @Test func memoryOfTheSystemIsRead() {
        #expect(AvailableMemory.system("MemTotal: 5 kB\nMemAvailable:    1024 kB\n") == 1 << 20)
        #expect(AvailableMemory.system("nothing") == nil)
        #expect(AvailableMemory.bytes() > 0)
    }
}
