// The parsers of files from outside, as one program that libFuzzer drives (`make fuzz`): the variable FUZZ_PARSER names one of them.
// Built without -D FUZZING, as every other build does, it runs files through a parser once, to see again what the fuzzer found:
//
//     fuzz-parsers PARSER FILE...
//
// A parser may refuse its input with an error; it may not trap, read beyond its input, take memory without bound, or take seconds.
import Checkpoints
import Foundation
import Imaging
import Tensors
import Tokenizers
import TrainingData
import VectorIndex

/// What one parser does with an input; errors are answers.
typealias Parser = @Sendable ([UInt8]) throws -> Void

enum Parsers {
    static let all: [String: Parser] = [
        "checkpoint": { try checkpoint($0, "input") }, "safetensors": { try tensors(SafetensorsFile(path: file($0, "input.safetensors"))) },
        "gguf": { bytes in
            let opened = try GGUFFile(path: file(bytes, "input.gguf"))
            _ = try? opened.config()
            try tensors(opened)
        },
        "pytorch": { try tensors(PyTorchFile(path: file($0, "input.pt"))) },
        "npz": { try tensors(NumpyArchive(path: file($0, "input.npz"))) }, "npy": { try tensors(NumpyFile(path: file($0, "input.npy"))) },
        "onnx": { try tensors(ONNXFile(path: file($0, "input.onnx"))) }, "parquet": parquet, "json": json, "tokenizer": tokenizer,
        "sentencepiece": sentencePiece, "tar": { try samples($0, "input.tar") }, "csv": { try samples($0, "input.csv") },
        "jsonl": { try samples($0, "input.jsonl") }, "coco": { try samples($0, "input.json") }, "vectors": vectors, "picture": picture,
        "transform": { bytes in
            _ = try? ImageTransform(huggingFace: bytes)
            _ = try ImageTransform(openCLIP: bytes)
        },
        "text": text,
    ]

    /// Where inputs of parsers that read files lie: memory, as far as the system has it.
    private static let folder: String = {
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let path = "\(base)/sensorium-fuzz-\(getpid())"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(atPath: Parsers.folder) }
        return path
    }()

    private static func file(_ bytes: [UInt8], _ name: String) -> String {
        let path = folder + "/" + name
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count, "no room for inputs in \(folder)")
        close(descriptor)
        return path
    }

    private static func checkpoint(_ bytes: [UInt8], _ name: String) throws { try tensors(CheckpointFile.open(file(bytes, name))) }

    /// Everything that is told of a checkpoint, and every number in it that isn't too many.
    private static func tensors(_ source: any TensorSource) throws {
        _ = Describe(source).summary()
        for entry in source.entries.prefix(64) where entry.shape.allSatisfy({ $0 >= 0 }) && entry.byteCount <= 1 << 24 {
            if let tensor = try? source.tensor(entry.name), tensor.count <= 1 << 22 { _ = tensor.asType(.f32).floats() }
            _ = try? source.rows(entry.name)
        }
    }

    private static func parquet(_ bytes: [UInt8]) throws {
        let reader = try ParquetReader(path: file(bytes, "input.parquet"))
        for group in 0..<min(reader.groupCount, 4) where reader.rows(inGroup: group) <= 1 << 20 {
            for column in reader.columns.prefix(16) { _ = try? reader.values(column, group: group) }
        }
    }

    private static func json(_ bytes: [UInt8]) throws {
        let value = try bytes.withUnsafeBytes { try JSONValue.parse($0, file: "input") }
        let reader = try ConfigReader(value, file: "input")
        for field in reader.fields.prefix(16) {
            _ = try? reader.int(field)
            _ = try? reader.floats(field)
            _ = try? reader.sections(field)
        }
    }

    private static let sentence = "Hello,  world's 123.45 naïve 世界你好 \u{1F600}\u{200D}e\u{301}\t\n ٣ <s> </s>[MASK] don't"

    private static func tokenizer(_ bytes: [UInt8]) throws {
        let tokenizer = try Tokenizer(json: bytes)
        _ = tokenizer.decode(tokenizer.encode(sentence, pair: "a pair").ids)
    }

    private static func sentencePiece(_ bytes: [UInt8]) throws {
        let tokenizer = try Tokenizer.sentencePiece(model: bytes, addBeginning: true, addEnd: true)
        _ = tokenizer.decode(tokenizer.encode(sentence).ids)
    }

    /// Any text through tokenizers that are as they should be.
    private static func text(_ bytes: [UInt8]) throws {
        for tokenizer in try sound.get() {
            let ids = tokenizer.encode(utf8: bytes, maxLength: 64).ids
            precondition(ids.count <= 64, "\(ids.count) tokens where 64 are the most")
            _ = tokenizer.decode(ids)
        }
    }

    private static let sound = Result {
        let folder = ProcessInfo.processInfo.environment["FUZZ_TOKENIZERS"] ?? "Tests/TokenizersTests/golden"
        return try ["clip.json", "gpt2.json", "wordpiece.json", "unigram.json", "llama.json"].compactMap { name in
            try FileManager.default.contents(atPath: folder + "/" + name).map { try Tokenizer(json: $0, file: name) }
        }
    }

    private static func samples(_ bytes: [UInt8], _ name: String) throws {
        let source = try DataOpener.open(file(bytes, name))
        if let indexed = source as? any IndexedSource {
            for index in 0..<min(indexed.count, 32) { _ = try? indexed.sample(index) }
        }
        if let sharded = source as? any ShardedSource {
            let reader = try sharded.open(shard: 0)
            var count = 0
            while count < 64, let sample = try reader.next() {
                count += 1
                _ = try? sample.load()
            }
        }
    }

    private static func vectors(_ bytes: [UInt8]) throws {
        for format in VectorFileFormat.allCases {
            guard let reader = try? VectorFileReader(path: file(bytes, "input." + format.rawValue), format: format) else { continue }
            let rows = 0..<min(reader.count, 64)
            _ = try? reader.rows(rows)
            _ = try? reader.ids(rows)
        }
    }

    private static func picture(_ bytes: [UInt8]) throws {
        let limits = DecodeLimits(pixels: 1 << 20, fileBytes: 1 << 20, svgBytes: 1 << 16)
        _ = try? PictureMetadata.read(bytes: bytes, limits: limits)
        _ = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: bytes.count % 2 == 0 ? nil : 32, limits: limits)
    }
}

#if FUZZING
    // libFuzzer's own entry (compiler-rt/lib/fuzzer/FuzzerInterface.h); C and Swift call alike where all arguments are pointers.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runFuzzer(
        _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32

    nonisolated(unsafe) private var chosen: Parser = { _ in }

    @main struct FuzzParsers {
        static func main() {
            let name = ProcessInfo.processInfo.environment["FUZZ_PARSER"] ?? ""
            guard let parser = Parsers.all[name] else {
                print(Parsers.all.keys.sorted().joined(separator: " "))
                exit(name == "list" ? 0 : 2)
            }
            chosen = parser
            var (count, arguments) = (CommandLine.argc, CommandLine.unsafeArgv)
            exit(
                runFuzzer(&count, &arguments) { start, count in
                    try? chosen(Array(UnsafeBufferPointer(start: start, count: count)))
                    return 0
                })
        }
    }
#else
    @main struct FuzzParsers {
        static func main() throws {
            let arguments = Array(CommandLine.arguments.dropFirst())
            guard let name = arguments.first, let parser = Parsers.all[name] else {
                print("usage: fuzz-parsers PARSER FILE...\nparsers: " + Parsers.all.keys.sorted().joined(separator: " "))
                exit(2)
            }
            for path in arguments.dropFirst() {
                guard let bytes = FileManager.default.contents(atPath: path) else {
                    print("\(path): it can't be read")
                    exit(1)
                }
                do {
                    try parser(Array(bytes))
                    print("\(path): taken")
                } catch {
                    print("\(path): refused: \(error)")
                }
            }
        }
    }
#endif
