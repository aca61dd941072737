import Foundation
import Testing

@testable import Checkpoints
@testable import Tensors

@Suite struct ReaderTests {
    @Test(arguments: [
        "kinds.pt", "kinds_legacy.pt", "protocol3.pt", "protocol4.pt", "protocol5.pt", "nested.pt", "kinds.npz", "fortran.npy",
        "version2.npy", "version3.npy", "kinds.safetensors", "unaligned.safetensors", "small.onnx", "external.onnx",
    ])
    func readsWhatPythonWrote(file: String) throws {
        let source = try CheckpointFile.open(Fixture.path(file))
        let expected = try Fixture.expected(file)
        #expect(source.entries.map(\.name) == expected.keys.sorted())
        for (name, tensor) in expected {
            let found = try source.tensor(name)
            expectEqual(found, tensor, "\(file) \(name)")
            #expect(source.entry(name)?.shape == found.shape)
            #expect(source.entry(name)?.type.readsAs == found.dtype)
        }
    }

    @Test func deflatedArraysEqualStoredOnes() throws {
        let source = try CheckpointFile.open(Fixture.path("packed.npz"))
        for (name, tensor) in try Fixture.expected("kinds.npz") { expectEqual(try source.tensor(name), tensor, name) }
    }

    /// A TorchScript archive also lists the module's other attributes; its parameters have the names of the state dictionary.
    @Test func readsStateOfTorchScriptWithoutItsCode() throws {
        let source = try CheckpointFile.open(Fixture.path("script.pt"))
        for (name, tensor) in try Fixture.expected("script.pt") { expectEqual(try source.tensor(name), tensor, name) }
        #expect(source.entries.map(\.name) == ["proj", "visual.conv1.bias", "visual.conv1.weight", "visual.scale"])
    }

    @Test func picksTheStateDictionary() throws {
        let usual = try PyTorchFile(path: Fixture.path("nested.pt"))
        #expect(usual.root == "state_dict")
        #expect(usual.roots.sorted() == ["ema", "optimizer", "state_dict"])
        #expect(usual.metadata == ["epoch": "7", "lr": "0.0001", "name": "tiny"])
        let other = try PyTorchFile(path: Fixture.path("nested.pt"), root: "ema")
        #expect(other.entries.map(\.name) == ["0.weight"])
        #expect(
            message { _ = try PyTorchFile(path: Fixture.path("nested.pt"), root: "emma") }.contains(
                "no dictionary emma; near names: state_dict, ema"))
    }

    @Test func storedTensorsAreMapped() throws {
        let source = try SafetensorsFile(path: Fixture.path("kinds.safetensors"))
        #expect(try source.tensor("b.weight").storage.isReadOnly)
        let pickled = try PyTorchFile(path: Fixture.path("kinds.pt"))
        #expect(try pickled.tensor("weight").storage.isReadOnly)
        #expect(try pickled.tensor("transposed").storage.isReadOnly)
    }

    @Test func safetensorsMetadata() throws {
        let source = try SafetensorsFile(path: Fixture.path("kinds.safetensors"))
        #expect(source.metadata == ["format": "pt", "note": "ein \"Wort\" 中"])
    }

    @Test func shards() throws {
        let source = try CheckpointFile.open(Fixture.path("sharded"))
        #expect(source.entries.map(\.name) == ["a", "b"])
        #expect(try source.tensor("b").floats() == [0, 0, 0])
        #expect(source.metadata["total_size"] == "20")
    }

    @Test func shardsOutsideTheFolderAreRefused() throws {
        let scratch = try Scratch()
        let index = try scratch.file("model.safetensors.index.json", Array(#"{"weight_map": {"a": "../../etc/passwd"}}"#.utf8))
        #expect(message { _ = try CheckpointFile.open(index) }.contains("file names without a folder"))
        let itself = try scratch.file("model.safetensors.index.json", Array(#"{"weight_map": {"a": "model.safetensors.index.json"}}"#.utf8))
        #expect(message { _ = try CheckpointFile.open(itself) }.contains("an index"))
    }

    @Test func graphOfONNX() throws {
        let file = try ONNXFile(path: Fixture.path("small.onnx"))
        #expect(file.opsets == ["": 14])
        #expect(file.inputs == ["x"] && file.outputs == ["y"])
        #expect(file.nodes.map(\.operation) == ["Constant", "DynamicQuantizeLinear", "MatMulInteger", "Conv", "LeakyRelu"])
        #expect(file.nodes[2].inputs == ["q", "w_quantized", "z", "w_zero_point"])
        guard case let .ints(shape) = file.nodes[3].attributes["kernel_shape"], case let .text(pad) = file.nodes[3].attributes["auto_pad"],
            case let .float(alpha) = file.nodes[4].attributes["alpha"]
        else {
            Issue.record("attributes of another kind")
            return
        }
        #expect(shape == [3, 3] && pad == "SAME_UPPER" && alpha == 0.25)
    }

    @Test func externalDataOutsideTheFolderIsRefused() throws {
        let source = try CheckpointFile.open(Fixture.path("escape.onnx"))
        #expect(message { _ = try source.tensor("w") }.contains("outside the model's folder"))
    }

    @Test func folderWithoutCheckpointSaysWhatWasLookedFor() throws {
        let scratch = try Scratch()
        let text = message { _ = try CheckpointFile.open(scratch.path) }
        for name in CheckpointFile.folderFiles { #expect(text.contains(name)) }
        #expect(message { _ = try CheckpointFile.open(scratch.path + "/nothing") }.contains("there is no such file or folder"))
    }

    @Test func formatIsToldByContent() throws {
        let scratch = try Scratch()
        #expect(try CheckpointFile.format(of: scratch.file("a.npy", Fixture.bytes("kinds.safetensors"))) == .safetensors)
        #expect(try CheckpointFile.format(of: scratch.file("b.bin", Fixture.bytes("kinds_legacy.pt"))) == .pytorch)
        let pointer = try scratch.file("c.safetensors", Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\n".utf8))
        #expect(message { _ = try CheckpointFile.open(pointer) }.contains("git lfs pull"))
        let other = try scratch.file("d", Array("hello, world".utf8))
        #expect(message { _ = try CheckpointFile.open(other) }.contains("first bytes 68 65 6c"))
        let empty = try scratch.file("e", [])
        #expect(message { _ = try CheckpointFile.open(empty) }.contains("the file is empty"))
    }

    @Test func descriptionOfAFile() throws {
        let description = CheckpointDescription(try CheckpointFile.open(Fixture.path("small.onnx")))
        let lines = description.table().split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("w_quantized") && $0.hasSuffix("3 x 2  i8") })
        #expect(lines.last == "10 tensors, 31 parameters, 124 bytes")
        #expect(description.jsonLines().contains(#"{"name":"w_scale","shape":[2],"type":"f32","bytes":8}"#))
        for line in description.jsonLines() { _ = try JSONValue.parse(line, file: "line") }
    }
}
