import CZlib
import Foundation
import Tensors

/// A ZIP archive's members, stored or deflated, with ZIP64. Nothing of it is trusted: offsets and sizes are checked against the
/// file, and a member that claims to inflate beyond what deflate can do is refused before memory is taken.
/// Format: PKWARE APPNOTE 6.3.
public struct ZipArchive: Sendable {
    public struct Member: Sendable {
        public let name: String
        /// Bytes after unpacking.
        public let byteCount: Int
        let packedCount: Int
        let method: UInt16
        let crc: UInt32
        let flags: UInt16
        let headerOffset: Int
    }

    public let path: String
    /// In the order of the central directory; the first of a name counts.
    public let members: [Member]
    private let indices: [String: Int]
    let storage: Storage

    static let maximumMembers = 1_000_000

    public init(path: String) throws(CheckpointError) {
        try self.init(path: path, storage: .checkpoint(path))
    }

    init(path: String, storage: Storage) throws(CheckpointError) {
        self.path = path
        self.storage = storage
        let directory = try Self.directory(storage.bytes, path)
        var reader = ByteReader(
            storage.bytes, from: directory.start, end: directory.start + directory.size, file: path, field: "central directory")
        var members: [Member] = []
        var indices: [String: Int] = [:]
        members.reserveCapacity(min(directory.count, reader.remaining / 46))
        for _ in 0..<directory.count {
            let member = try Self.member(&reader)
            if indices[member.name] == nil { indices[member.name] = members.count }
            members.append(member)
        }
        self.members = members
        self.indices = indices
    }

    public func member(_ name: String) -> Member? { indices[name].map { members[$0] } }

    /// Where the directory is: from the end record, or its 64-bit form where that says so.
    private static func directory(
        _ bytes: UnsafeRawBufferPointer, _ path: String
    ) throws(CheckpointError) -> (start: Int, size: Int, count: Int) {
        func wrong(_ problem: String) -> CheckpointError {
            .malformed(file: path, field: "end of central directory", offset: nil, problem: problem)
        }
        var found: Int?
        var at = bytes.count - 22
        while at >= 0, at >= bytes.count - 22 - 65_535 {
            if bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self) == UInt32(littleEndian: 0x0605_4B50) {
                found = at
                break
            }
            at -= 1
        }
        guard let end = found else { throw wrong("not found, so the archive is cut off or no ZIP file") }
        var reader = ByteReader(bytes, from: end + 10, file: path, field: "end of central directory")
        var count = Int(try reader.integer(UInt16.self))
        var size = Int(try reader.integer(UInt32.self)), start = Int(try reader.integer(UInt32.self))
        if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF, end >= 20,
            bytes.loadUnaligned(fromByteOffset: end - 20, as: UInt32.self) == 0x0706_4B50
        {
            var locator = ByteReader(bytes, from: end - 12, file: path, field: "ZIP64 locator")
            let place = try locator.length()
            guard place <= bytes.count - 56 else { throw wrong("the ZIP64 record would lie at \(place), beyond the file") }
            var record = ByteReader(bytes, from: place, file: path, field: "ZIP64 end of central directory")
            guard try record.integer(UInt32.self) == 0x0606_4B50 else { throw record.fail("its signature is wrong") }
            _ = try record.take(28)
            count = try record.length()
            size = try record.length()
            start = try record.length()
        }
        guard start <= bytes.count, size <= bytes.count - start else {
            throw wrong("the directory at \(start), \(size) bytes, lies beyond the file")
        }
        guard count <= maximumMembers, count <= size / 46 else { throw wrong("\(count) members don't fit a directory of \(size) bytes") }
        return (start, size, count)
    }

    private static func member(_ reader: inout ByteReader) throws(CheckpointError) -> Member {
        guard try reader.integer(UInt32.self) == 0x0201_4B50 else { throw reader.fail("a member's signature is wrong") }
        _ = try reader.take(4)
        let flags = try reader.integer(UInt16.self), method = try reader.integer(UInt16.self)
        _ = try reader.take(4)
        let crc = try reader.integer(UInt32.self)
        var packed = Int(try reader.integer(UInt32.self)), full = Int(try reader.integer(UInt32.self))
        let nameCount = Int(try reader.integer(UInt16.self)), extraCount = Int(try reader.integer(UInt16.self))
        let commentCount = Int(try reader.integer(UInt16.self))
        _ = try reader.take(8)
        var offset = Int(try reader.integer(UInt32.self))
        let name = try reader.text(nameCount)
        let extra = try reader.take(extraCount)
        _ = try reader.take(commentCount)
        if packed == 0xFFFF_FFFF || full == 0xFFFF_FFFF || offset == 0xFFFF_FFFF {
            var fields = ByteReader(
                reader.bytes, from: extra.lowerBound, end: extra.upperBound, file: reader.file, field: "extra field of \(name)")
            while fields.remaining >= 4 {
                let kind = try fields.integer(UInt16.self), count = Int(try fields.integer(UInt16.self))
                guard kind == 1 else {
                    _ = try fields.take(count)
                    continue
                }
                if full == 0xFFFF_FFFF { full = try fields.length() }
                if packed == 0xFFFF_FFFF { packed = try fields.length() }
                if offset == 0xFFFF_FFFF { offset = try fields.length() }
                break
            }
        }
        return Member(name: name, byteCount: full, packedCount: packed, method: method, crc: crc, flags: flags, headerOffset: offset)
    }

    /// The packed bytes' place in the file.
    func range(of member: Member) throws(CheckpointError) -> Range<Int> {
        guard member.flags & 1 == 0 else {
            throw .unsupported(file: path, key: "member \(member.name)", found: "encryption", advice: "unpack the archive first")
        }
        guard member.method == 0 || member.method == 8 else {
            throw .unsupported(
                file: path, key: "member \(member.name)", found: "compression method \(member.method)", advice: "store or deflate it")
        }
        var reader = ByteReader(storage.bytes, from: member.headerOffset, file: path, field: "member \(member.name)")
        guard reader.at == member.headerOffset, try reader.integer(UInt32.self) == 0x0403_4B50 else {
            throw reader.fail("its local header isn't where the directory says")
        }
        _ = try reader.take(22)
        let name = Int(try reader.integer(UInt16.self)), extra = Int(try reader.integer(UInt16.self))
        _ = try reader.take(name + extra)
        let range = try reader.take(member.packedCount)
        if member.method == 0 {
            guard member.packedCount == member.byteCount else { throw reader.fail("a stored member of two sizes") }
        } else {
            // Deflate can't do better than 1032 to 1.
            guard member.byteCount / 1040 <= member.packedCount + 16 else {
                throw reader.fail("it claims to unpack to \(member.byteCount) bytes")
            }
        }
        return range
    }

    /// The bytes of a member and where they begin: the archive's own map for a stored one, memory for a deflated one, whose
    /// checksum is verified.
    func contents(of member: Member) throws(CheckpointError) -> (storage: Storage, offset: Int) {
        let range = try range(of: member)
        if member.method == 0 { return (storage, range.lowerBound) }
        let target = Storage(byteCount: member.byteCount)
        var filled = 0
        try inflate(member, range) { chunk throws(CheckpointError) in
            (target.pointer + filled).copyMemory(from: chunk.baseAddress!, byteCount: chunk.count)
            filled += chunk.count
        }
        return (target, 0)
    }

    /// A small member as bytes, at most `limit` of them.
    public func bytes(of name: String, limit: Int = 1 << 28) throws(CheckpointError) -> [UInt8] {
        guard let member = member(name) else { throw absent(name) }
        guard member.byteCount <= limit else {
            throw .malformed(
                file: path, field: "member \(name)", offset: nil, problem: "\(member.byteCount) bytes are more than the limit of \(limit)")
        }
        let contents = try contents(of: member)
        return Array(UnsafeRawBufferPointer(start: contents.storage.pointer + contents.offset, count: member.byteCount))
    }

    /// Writes a member to a file, checksum verified.
    public func extract(_ name: String, to target: String) throws(CheckpointError) {
        guard let member = member(name) else { throw absent(name) }
        let range = try range(of: member)
        let file = try AtomicFile(path: target)
        if member.method == 0 {
            let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[range])
            try check(crc: Self.checksum(bytes), member)
            try file.write(bytes)
        } else {
            try inflate(member, range) { chunk throws(CheckpointError) in try file.write(chunk) }
        }
        try file.commit()
    }

    func absent(_ name: String) -> CheckpointError {
        .absent(file: path, key: "member \(name)", near: EditDistance.nearest(to: name, among: members.lazy.map(\.name)))
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, from start: UInt = 0) -> UInt {
        crc32_z(start, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
    }

    private func check(crc: UInt, _ member: Member) throws(CheckpointError) {
        guard UInt32(truncatingIfNeeded: crc) == member.crc else {
            throw .malformed(file: path, field: "member \(member.name)", offset: nil, problem: "its checksum is wrong")
        }
    }

    /// Hands on unpacked bytes in chunks; never more than the directory's size.
    private func inflate(
        _ member: Member, _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
    )
        throws(CheckpointError)
    {
        func wrong(_ problem: String) -> CheckpointError {
            .malformed(file: path, field: "member \(member.name)", offset: range.lowerBound, problem: problem)
        }
        var produced = 0
        var crc: UInt = 0
        let deflated = UnsafeRawBufferPointer(start: storage.pointer + range.lowerBound, count: range.count)
        try Inflation.unpack(deflated, .none, damaged: wrong) { (piece) throws(CheckpointError) in
            guard piece.count <= member.byteCount - produced else { throw wrong("it unpacks to more than its \(member.byteCount) bytes") }
            crc = Self.checksum(piece, from: crc)
            produced += piece.count
            try body(piece)
        }
        guard produced == member.byteCount else { throw wrong("it unpacks to \(produced) bytes instead of \(member.byteCount)") }
        try check(crc: crc, member)
    }
}
