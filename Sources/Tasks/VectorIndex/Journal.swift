/// The file `journal-GENERATION`: a header, then one record for each change that was acknowledged. A record holds what the
/// change added (ids and the checksums of their vectors) and removed (row numbers), and ends with a checksum that continues
/// the one of the record before.
enum Journal {
    static let magic: [UInt8] = Array("SNVJRNL1".utf8)
    static let headerBytes = 32
    static let recordMagic: UInt32 = 0x43_45_52_53
    static let recordHeaderBytes = 32

    struct Record: Equatable {
        var sequence: UInt64
        var firstRow: Int
        var ids: [Int64] = []
        /// CRC-32C of each added vector's stored bytes.
        var checksums: [UInt32] = []
        var removed: [Int] = []
    }

    static func header(generation: UInt64) -> [UInt8] {
        var bytes = magic
        bytes.append(little: generation)
        bytes += [UInt8](repeating: 0, count: 12)
        bytes.append(little: bytes.checksum(0..<headerBytes - 4))
        return bytes
    }

    static func checkHeader(_ bytes: [UInt8], generation: UInt64, file: String) throws(IndexError) {
        guard bytes == header(generation: generation) else {
            throw .corrupt(
                file: file, offset: 0, field: "header", found: "\(bytes.prefix(16))",
                expected: "the magic \"SNVJRNL1\", generation \(generation) and their checksum")
        }
    }

    static func encode(_ record: Record, after chain: UInt32) -> (bytes: [UInt8], chain: UInt32) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount(added: record.ids.count, removed: record.removed.count))
        bytes.append(little: recordMagic)
        bytes.append(little: UInt32(record.ids.count))
        bytes.append(little: UInt32(record.removed.count))
        bytes.append(little: UInt32(0))
        bytes.append(little: record.sequence)
        bytes.append(little: UInt64(record.firstRow))
        for id in record.ids { bytes.append(little: id) }
        for row in record.removed { bytes.append(little: UInt64(row)) }
        for checksum in record.checksums { bytes.append(little: checksum) }
        let sealed = bytes.checksum(0..<bytes.count, after: chain)
        bytes.append(little: sealed)
        return (bytes, sealed)
    }

    private static func byteCount(added: Int, removed: Int) -> Int { recordHeaderBytes + added * 12 + removed * 8 + 4 }

    /// One record of `bytes` from `start`; `base` is the place of `bytes` in the file. Nil where the bytes end too early.
    static func decode(
        _ bytes: [UInt8], from start: Int, base: Int, after commit: Commit, file: String
    ) throws(IndexError)
        -> (record: Record, commit: Commit)?
    {
        func corrupt(_ offset: Int, _ field: String, _ found: String, _ expected: String) -> IndexError {
            .corrupt(file: file, offset: base + offset, field: field, found: found, expected: expected)
        }
        guard bytes.count - start >= recordHeaderBytes else { return nil }
        let magic: UInt32 = bytes.little(at: start)
        guard magic == recordMagic else { throw corrupt(start, "record magic", magic.hex, recordMagic.hex) }
        let added = Int(bytes.little(UInt32.self, at: start + 4)), removed = Int(bytes.little(UInt32.self, at: start + 8))
        let total = byteCount(added: added, removed: removed)
        guard bytes.count - start >= total else { return nil }
        let end = start + total
        let stored: UInt32 = bytes.little(at: end - 4), computed = bytes.checksum(start..<end - 4, after: commit.chain)
        guard stored == computed else { throw corrupt(end - 4, "record checksum", stored.hex, computed.hex) }
        var record = Record(sequence: bytes.little(at: start + 16), firstRow: commit.rows)
        let firstRow: UInt64 = bytes.little(at: start + 24)
        guard record.sequence == commit.sequence + 1 else {
            throw corrupt(start + 16, "record number", "\(record.sequence)", "\(commit.sequence + 1)")
        }
        guard firstRow == UInt64(commit.rows) else { throw corrupt(start + 24, "first row", "\(firstRow)", "\(commit.rows)") }
        var at = start + recordHeaderBytes
        record.ids = (0..<added).map { bytes.little(at: at + $0 * 8) }
        at += added * 8
        record.removed.reserveCapacity(removed)
        for index in 0..<removed {
            let row: UInt64 = bytes.little(at: at + index * 8)
            guard row < UInt64(commit.rows) else { throw corrupt(at + index * 8, "removed row", "\(row)", "less than \(commit.rows)") }
            record.removed.append(Int(row))
        }
        at += removed * 8
        record.checksums = (0..<added).map { bytes.little(at: at + $0 * 4) }
        let next = Commit(
            sequence: record.sequence, journalBytes: commit.journalBytes + total, rows: commit.rows + added, chain: stored)
        return (record, next)
    }
}
