import CKernels

// Little-endian fields of the index files. Readers check bounds first: these trap on a bug of ours only.
extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(little value: Value) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    func little<Value: FixedWidthInteger>(_: Value.Type = Value.self, at offset: Int) -> Value {
        withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }

    func checksum(_ range: Range<Int>, after checksum: UInt32 = 0) -> UInt32 {
        withUnsafeBytes { sn_crc32c(checksum, $0.baseAddress! + range.lowerBound, range.count) }
    }
}

extension UInt32 {
    var hex: String { "0x" + String(self, radix: 16) }
}
