import ArgumentParser
import Checkpoints
import Dispatch
import Imaging
import ModelKit
import PictureLibrary
import Synchronization
import Tensors

extension BenchmarkCommand {
    struct Decoding: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "decode",
            abstract: "Turns files of pictures, read beforehand, into CLIP's pixels and prints a JSON line with the speed.")

        @Argument(help: "Pictures.", completion: .file())
        var pictures: [String]

        @Flag(name: .long, help: "Let the decoder make large pictures smaller while it decodes, as indexing does.")
        var shrink = false

        @Option(name: .long, help: "Pictures that are worked on at a time (default: all cores).")
        var threads: Int?

        @Option(name: .long, help: "Passes over all pictures that are measured; one more goes before.")
        var rounds = 5

        @Option(name: .shortAndLong, help: ArgumentHelp("Write the pixels there, as .npy.", valueName: "file"), completion: .file())
        var output: String?

        func validate() throws {
            guard (1...100_000).contains(rounds), (1...1_024).contains(threads ?? 1) else {
                throw ValidationError("--rounds and --threads must be at least 1.")
            }
        }

        func run() throws {
            let workers = threads ?? ThreadPool.threadCount
            // Each picture is prepared by the thread that decoded it.
            ThreadPool.limit(to: 1)
            let transform = try ImageTransform.shortestEdge(
                224, crop: 224, filter: .bicubic, statistics: ImageTransform.Statistics.clip)
            let files = try pictures.map { try FilePath($0).contents(limit: DecodeLimits().fileBytes) }
            let useful = shrink ? transform.shortestUsefulSide : nil
            var prepared: [Tensor] = []
            let middle = try BenchmarkClock.median(of: rounds) {
                prepared = try Self.prepare(files, workers) { file in
                    try transform.apply(PictureDecoder.decode(bytes: file, shortestUsefulSide: useful))
                }
            }
            if let output { try NumpyWriter.write(Tensor.stacked(prepared), to: output) }
            var line = JSONLine()
            line.add("pictures", files.count)
            line.add("threads", workers)
            line.add("rounds", rounds)
            line.add("pictures_per_second", Double(files.count) / middle)
            Console.standard.line(line.text)
        }

        /// The files' tensors in their order, `workers` at a time.
        private static func prepare(
            _ files: [[UInt8]], _ workers: Int, _ work: @Sendable ([UInt8]) throws -> Tensor
        ) throws -> [Tensor] {
            let results = Mutex([Result<Tensor, any Error>?](repeating: nil, count: files.count))
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: workers) { _ in
                while true {
                    let place = next.add(1, ordering: .relaxed).oldValue
                    guard place < files.count else { return }
                    let result = Result { try work(files[place]) }
                    results.withLock { $0[place] = result }
                }
            }
            return try results.withLock { try $0.compactMap { try $0?.get() } }
        }
    }
}
