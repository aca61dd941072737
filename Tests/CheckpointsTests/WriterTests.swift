import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

@Suite struct WriterTests {
    private func tensors() throws -> [String: Tensor] {
        let values = try Tensor([1.5, -2, 3, 0, 7, 0.25] as [Float], [2, 3])
        return Dictionary(uniqueKeysWithValues: DType.allCases.map { ("t.\($0)", values.asType($0)) } + [("view", try values.transposed())])
    }

    @Test func safetensorsRoundTripIsDeterministic() throws {
        let scratch = try Scratch(), tensors = try tensors()
        let metadata = ["note": "line\n\"quoted\" 中"]
        for name in ["a", "b"] { try SafetensorsWriter.write(tensors, metadata: metadata, to: scratch.path + "/" + name) }
        let first = try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/a"))
        #expect(try first == Data(contentsOf: URL(fileURLWithPath: scratch.path + "/b")))
        let source = try SafetensorsFile(path: scratch.path + "/a")
        #expect(source.metadata == metadata)
        #expect(source.entries.count == tensors.count)
        for (name, tensor) in tensors { expectEqual(try source.tensor(name), tensor.contiguous(), name) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted() == ["a", "b"])
    }

    @Test func numpyRoundTrip() throws {
        let scratch = try Scratch()
        for (name, tensor) in try tensors() {
            let path = scratch.path + "/\(name).npy"
            try NumpyWriter.write(tensor, to: path)
            expectEqual(try NumpyFile(path: path).tensor(), tensor.dtype == .bf16 ? tensor.asType(.f32) : tensor.contiguous(), name)
        }
    }

    @Test func numpyInPieces() throws {
        let scratch = try Scratch(), path = scratch.path + "/rows.npy"
        let writer = try NumpyWriter(path: path, shape: [3, 2], dtype: .f32)
        try writer.append(try Tensor([1, 2] as [Float], [1, 2]))
        #expect(message { try writer.finish() }.contains("8 of 24 bytes"))
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(message { try writer.append(Tensor.zeros([3, 2])) }.contains("more elements"))
        try writer.append(try Tensor([3, 4, 5, 6] as [Float], [2, 2]))
        try writer.finish()
        #expect(try NumpyFile(path: path).tensor().floats() == [1, 2, 3, 4, 5, 6])
    }

    @Test func anUnfinishedFileLeavesNothing() throws {
        let scratch = try Scratch()
        do {
            let file = try AtomicFile(path: scratch.path + "/x")
            try file.write([1, 2, 3])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
        #expect(message { _ = try AtomicFile(path: scratch.path + "/no/such/folder") }.contains("can't be written"))
    }
}
