import Foundation
import GRDB
import Imaging
import Pipelines
import Synchronization
import Tensors

@testable import PictureLibrary

/// A folder that goes with the test.
final class Scratch: Sendable {
    let path: FilePath

    init() throws {
        let name = "sensorium-library-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        path = FilePath(FileManager.default.temporaryDirectory.path).absolute().appending(name)
        try FileManager.default.createDirectory(atPath: path.display, withIntermediateDirectories: true)
    }

    deinit {
        // Folders that a test made unreadable.
        let walk = FileManager.default.enumerator(atPath: path.display)
        while let name = walk?.nextObject() as? String {
            let item = path.appending(name)
            if item.isFolder { _ = item.withCString { chmod($0, 0o755) } }
        }
        try? FileManager.default.removeItem(atPath: path.display)
    }

    func folder(_ name: String) throws -> FilePath {
        let folder = path.appending(name)
        try FileManager.default.createDirectory(atPath: folder.display, withIntermediateDirectories: true)
        return folder
    }

    var library: FilePath { path.appending("library") }
}

func write(_ bytes: [UInt8], to path: FilePath) throws {
    let file = path.withCString { fopen($0, "wb") }
    guard let file else { throw CocoaError(.fileWriteUnknown) }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

func write(_ text: String, to path: FilePath) throws { try write(Array(text.utf8), to: path) }

/// One colour, with a few pixels set apart by `seed` so that files differ.
func solid(_ color: String, width: Int = 24, height: Int = 16, seed: Int = 0) throws -> Picture {
    guard let color = Color(color) else { throw CocoaError(.coderInvalidValue) }
    var pixels = (0..<(width * height)).flatMap { _ in [color.red, color.green, color.blue] }
    var state = UInt32(truncatingIfNeeded: seed &* 2_654_435_761)
    for place in 0..<min(6, pixels.count) where seed != 0 {
        state = state &* 1_664_525 &+ 1_013_904_223
        pixels[place] = UInt8(state >> 24)
    }
    return try Picture(width: width, height: height, pixels: pixels)
}

func makePicture(_ path: FilePath, _ color: String, width: Int = 24, height: Int = 16, seed: Int = 0) throws {
    try write(try solid(color, width: width, height: height, seed: seed).encoded(as: .png()), to: path)
}

/// Mean colour and a coarse histogram: pictures of like colours have like vectors. Words are names of colours.
final class ColorEmbedder: Embedder {
    let identity: EmbedderIdentity
    let shortestUsefulSide = 8
    private let count = Mutex(0)
    /// Called before each batch.
    let onEmbed: (@Sendable (Int) throws -> Void)?
    /// Called before each picture is prepared.
    let onPrepare: (@Sendable (Picture) -> Void)?

    init(
        name: String = "colours", text: Bool = false, onEmbed: (@Sendable (Int) throws -> Void)? = nil,
        onPrepare: (@Sendable (Picture) -> Void)? = nil
    ) {
        identity = EmbedderIdentity(name: name, digest: "digest-of-\(name)", dimension: 12, embedsText: text)
        self.onEmbed = onEmbed
        self.onPrepare = onPrepare
    }

    /// Pictures embedded so far.
    var embedded: Int { count.withLock { $0 } }

    func prepare(_ picture: Picture) throws -> Tensor {
        onPrepare?(picture)
        return try picture.resized(width: 8, height: 8, filter: .box).tensor.asType(.f32).permuted([2, 0, 1]).contiguous()
    }

    func embed(_ prepared: [Tensor]) throws -> Tensor {
        try onEmbed?(prepared.count)
        count.withLock { $0 += prepared.count }
        return try Tensor(prepared.flatMap { Self.vector($0.floats()) }, [prepared.count, 12])
    }

    func embed(texts: [String]) throws -> Tensor {
        let vectors = try texts.map { text in Self.vector(try prepare(try solid(Color(text) == nil ? "white" : text)).floats()) }
        return try Tensor(vectors.flatMap { $0 }, [texts.count, 12])
    }

    private static func vector(_ planes: [Float]) -> [Float] {
        var vector = [Float](repeating: 0, count: 12)
        let pixels = planes.count / 3
        for place in 0..<pixels {
            var bin = 0
            for channel in 0..<3 {
                let value = planes[channel * pixels + place] / 255
                vector[channel] += (value - 0.5) / Float(pixels)
                if value > 0.5 { bin |= 1 << channel }
            }
            vector[3 + bin] += 1 / Float(pixels)
        }
        vector[11] = 0.1
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / length }
    }
}

struct Interrupted: Error {}

extension Library {
    func indexAll(
        _ roots: [FilePath], _ embedder: any Embedder, _ change: (inout IndexingOptions) -> Void = { _ in }
    ) async throws -> IndexProgress {
        var options = IndexingOptions()
        options.batchSize = 4
        options.decodingThreads = 2
        change(&options)
        return try await index(roots: roots, embedder: embedder, options: options).progress
    }

    func shown() throws -> [String] {
        try database.read { try String.fetchAll($0, sql: "SELECT name FROM file WHERE state = 'indexed' ORDER BY path") }
    }
}

extension FilePath: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(value) }
}
