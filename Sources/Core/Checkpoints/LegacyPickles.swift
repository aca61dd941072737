import Tensors

/// The form of `torch.save` before 1.6: pickles of a magic number, a version, the writer's machine, the object and the storages'
/// keys, then each storage as its count and its bytes. Source: torch/serialization.py, `_legacy_save`.
enum LegacyPickles {
    /// The magic number 0x1950a86a20f9469cfc6c as a ten-byte LONG1.
    static let magic: [UInt8] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

    static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 14 && bytes[0] == 0x80
            && (bytes[2..<14].elementsEqual(magic) || (bytes.count > 23 && bytes[11..<23].elementsEqual(magic)))
    }

    static func read(_ storage: Storage, _ path: String) throws(CheckpointError) -> (content: PickleContent, blocks: [String: Range<Int>]) {
        let bytes = storage.bytes
        guard matches(bytes) else {
            throw .unsupported(
                file: path, key: "content", found: "a pickle that torch.save didn't write, or another format",
                advice: "load it in Python and write safetensors")
        }
        var at = 0
        for field in ["magic number", "version", "writer"] {
            var unpickler = Unpickler(bytes, from: at, file: path, field: field)
            at = try unpickler.run().end
        }
        var object = Unpickler(bytes, from: at, file: path, field: "object")
        let top = try object.run()
        var keys = Unpickler(bytes, from: top.end, file: path, field: "storage keys")
        let list = try keys.run()
        let sizes = elementSizes(object.table)
        var reader = ByteReader(bytes, from: list.end, file: path, field: "storages")
        var blocks: [String: Range<Int>] = [:]
        for member in keys.table.members(list.root) ?? [] {
            guard let key = keys.table.string(member) ?? keys.table.int(member).map(String.init), let size = sizes[key] else {
                throw reader.fail("a key names a storage that no tensor uses")
            }
            let (count, overflow) = try reader.length().multipliedReportingOverflow(by: size)
            guard !overflow else { throw reader.fail("the size of storage \(key) isn't possible") }
            blocks[key] = try reader.take(count)
        }
        return (PickleContent(table: object.table, top: top.root), blocks)
    }

    private static func elementSizes(_ table: PickleTable) -> [String: Int] {
        var sizes: [String: Int] = [:]
        for value in table.values {
            if case let .storage(storage) = value { sizes[storage.key] = (storage.type?.bits ?? 8) / 8 }
        }
        return sizes
    }
}
