/// Members of a tar archive, one after the other: ustar, GNU and pax headers. Nothing is ever written under a member's name.
/// Format: POSIX.1-2017 pax, and GNU tar's manual "Basic Tar Format".
struct TarReader {
    /// A regular file in the archive. Its bytes begin at `offset`.
    struct Member: Sendable, Equatable {
        var name: String
        var offset: Int
        var count: Int
    }

    private static let block = 512
    /// Long names and pax headers are some hundred bytes.
    private static let longestExtension = 1 << 20
    private let stream: any ArchiveStream
    private let limits: DataLimits
    /// Bytes of the last member that were not read yet, with what fills its last block.
    private var rest = 0
    private var padding = 0
    private var isAtEnd = false

    init(_ stream: any ArchiveStream, limits: DataLimits) {
        self.stream = stream
        self.limits = limits
    }

    /// The next regular file; nil at the end. What is left of the one before is passed over.
    mutating func next() throws(DataError) -> Member? {
        var longName: String?, longSize: Int?
        while !isAtEnd {
            try finishMember()
            guard let header = try self.header() else { return nil }
            let declared = try octal(header, 124, 12, "size"), isFile = [0, 0x30, 0x37].contains(header[156])
            let size = isFile ? longSize ?? declared : declared
            guard size <= limits.memberBytes else {
                throw fail("a member of \(size) bytes is over the limit of \(limits.memberBytes)")
            }
            (rest, padding) = (size, (Self.block - size % Self.block) % Self.block)
            if isFile { return Member(name: longName ?? name(header), offset: stream.position, count: size) }
            switch header[156] {
            case UInt8(ascii: "L"): longName = text(try extensionBytes())
            case UInt8(ascii: "x"):
                let records = try PaxHeader(try extensionBytes()) { fail("pax header: \($0)") }
                (longName, longSize) = (records.path ?? longName, records.size)
                continue
            default: break
            }
            // A size from a pax header is that of the member behind it alone.
            if header[156] != UInt8(ascii: "L") { (longName, longSize) = (nil, nil) }
        }
        return nil
    }

    /// The bytes of the member that `next` gave. Once each.
    mutating func contents() throws(DataError) -> [UInt8] {
        let bytes = try stream.bytes(rest)
        rest = 0
        return bytes
    }

    private mutating func finishMember() throws(DataError) {
        try stream.skip(rest)
        rest = 0
        // Archives are found without the filling of the last member.
        if padding > 0 {
            var filling = [UInt8](repeating: 0, count: padding)
            _ = try stream.read(into: &filling, count: padding)
            padding = 0
        }
    }

    /// A header block that holds something; nil at the end of the archive.
    private mutating func header() throws(DataError) -> [UInt8]? {
        var header = [UInt8](repeating: 0, count: Self.block)
        let got = try stream.read(into: &header, count: Self.block)
        if got == 0 || (got == Self.block && header.allSatisfy { $0 == 0 }) {
            isAtEnd = true
            return nil
        }
        guard got == Self.block else { throw fail("cut off within a header") }
        let stored = try octal(header, 148, 8, "checksum")
        // The checksum's own field counts as spaces; old programs added up signed bytes.
        let others = header[..<148] + header[156...]
        let sum = others.reduce(8 * 32) { $0 + Int($1) }
        let signed = others.reduce(8 * 32) { $0 + Int(Int8(bitPattern: $1)) }
        guard stored == sum || stored == signed else { throw fail("the checksum of a header is wrong: damaged, or no tar archive") }
        return header
    }

    private mutating func extensionBytes() throws(DataError) -> [UInt8] {
        guard rest <= Self.longestExtension else { throw fail("a header extension of \(rest) bytes") }
        return try contents()
    }

    /// Octal digits, or GNU's binary form for what doesn't fit into them.
    private func octal(_ header: [UInt8], _ start: Int, _ count: Int, _ field: String) throws(DataError) -> Int {
        let bytes = header[start..<start + count]
        if header[start] & 0x80 != 0 {
            // The value fills the field but for the marker bit; more than 62 bits is no size.
            guard header[start] & 0x7F == 0, bytes.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else {
                throw fail("\(field) is out of range")
            }
            let value = bytes.suffix(min(8, count - 1)).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard value < 1 << 62 else { throw fail("\(field) is out of range") }
            return Int(value)
        }
        let digits = bytes.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x37).contains($0) }) else {
            throw fail("\(field) isn't an octal number: damaged, or no tar archive")
        }
        return digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
    }

    private func name(_ header: [UInt8]) -> String {
        let name = text(Array(header[..<100]))
        let isPOSIX = header[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
        let prefix = isPOSIX ? text(Array(header[345..<500])) : ""
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    private func fail(_ problem: String) -> DataError {
        DataError(stream.path, "at byte \(max(0, stream.position - Self.block)): \(problem)")
    }
}

/// The two records of a pax header that matter here.
private struct PaxHeader {
    var path: String?
    var size: Int?

    /// Each record is `LENGTH KEY=VALUE\n`, its length counted from its first digit.
    init(_ bytes: [UInt8], _ fail: (String) -> DataError) throws(DataError) {
        var at = 0
        while at < bytes.count, bytes[at] != 0 {
            let digits = bytes[at...].prefix { (0x30...0x39).contains($0) }
            guard digits.count <= 8, let length = Int(String(decoding: digits, as: UTF8.self)), length > digits.count + 2,
                length <= bytes.count - at, bytes[at + digits.count] == 0x20, bytes[at + length - 1] == 0x0A
            else { throw fail("a damaged record") }
            let record = bytes[(at + digits.count + 1)..<(at + length - 1)]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw fail("a record without '='") }
            let value = String(decoding: record[(equals + 1)...], as: UTF8.self)
            switch String(decoding: record[..<equals], as: UTF8.self) {
            case "path": path = value
            case "size":
                guard let number = Int(value), (0..<1 << 62).contains(number) else { throw fail("size \(value.prefix(40))") }
                size = number
            default: break
            }
            at += length
        }
    }
}
