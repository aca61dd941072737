import Foundation

/// What is fixed when an index is created.
struct Settings: Sendable, Equatable {
    var dimension: Int
    var metric: Metric
    var storage: VectorStorage

    var rowBytes: Int { dimension * storage.size }
}

/// How an index keeps its vectors.
public enum VectorStorage: String, Sendable, Codable, CaseIterable {
    /// 4 bytes a component, exact.
    case f32
    /// 2 bytes a component, rounded to nearest even; components beyond ±65504 are refused.
    case f16

    var size: Int { self == .f32 ? 4 : 2 }
}

/// The state that was acknowledged last: how much of the journal and of the vectors counts.
struct Commit: Sendable, Equatable {
    var sequence: UInt64
    var journalBytes: Int
    var rows: Int
    /// Checksum of the last journal record, which continues that of the record before: it covers the whole journal.
    var chain: UInt32

    /// An empty index. The journal's first record has number 2.
    static let empty = Commit(sequence: 1, journalBytes: Journal.headerBytes, rows: 0, chain: 0)
}

/// The file `manifest`: block 0 holds the settings and the generation, whose number is in the names of the other files; blocks
/// 1 and 2 hold the last two commits in turn, so that a commit is one write inside a sector and never destroys the one before.
struct Manifest: Sendable, Equatable {
    static let magic: [UInt8] = Array("SNVINDEX".utf8)
    static let version: UInt32 = 1
    static let block = 512
    static let byteCount = 3 * block
    static let maximumDimension = 65536

    var settings: Settings
    var generation: UInt64
    var commit: Commit
    /// One commit block was not readable: a write that never ended, so complete journal records after `commit` count too.
    var rollsForward = false

    func encodedHeader() -> [UInt8] {
        var bytes = Manifest.magic
        bytes.append(little: Manifest.version)
        bytes.append(little: UInt32(settings.dimension))
        bytes.append(little: UInt32(Metric.allCases.firstIndex(of: settings.metric)!))
        bytes.append(little: UInt32(VectorStorage.allCases.firstIndex(of: settings.storage)!))
        bytes.append(little: generation)
        return Manifest.sealed(bytes)
    }

    static func encoded(_ commit: Commit, generation: UInt64) -> [UInt8] {
        var bytes = Array("SNCOMMIT".utf8)
        bytes.append(little: generation)
        bytes.append(little: commit.sequence)
        bytes.append(little: UInt64(commit.journalBytes))
        bytes.append(little: UInt64(commit.rows))
        bytes.append(little: commit.chain)
        return sealed(bytes)
    }

    /// Fills a block with zeros and its checksum.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes + [UInt8](repeating: 0, count: block - 4 - bytes.count)
        bytes.append(little: bytes.checksum(0..<block - 4))
        return bytes
    }

    /// A new manifest: both commit blocks say the same but for the sequence.
    func encoded() -> [UInt8] {
        var older = commit
        older.sequence -= 1
        let blocks = [commit, older].sorted { Manifest.offset(of: $0.sequence) < Manifest.offset(of: $1.sequence) }
        return encodedHeader() + blocks.flatMap { Manifest.encoded($0, generation: generation) }
    }

    /// Where the commit with this number goes: never over the one before.
    static func offset(of sequence: UInt64) -> Int { sequence % 2 == 1 ? block : 2 * block }

    static func read(_ file: File) throws(IndexError) -> Manifest {
        let size = try file.size()
        guard size == byteCount else {
            throw .corrupt(
                file: file.path, offset: min(size, byteCount), field: "file size", found: "\(size)", expected: "\(byteCount) bytes")
        }
        let bytes = try file.read(byteCount, at: 0, field: "manifest")
        return try decode(bytes, file: file.path)
    }

    static func decode(_ bytes: [UInt8], file: String) throws(IndexError) -> Manifest {
        func corrupt(_ offset: Int, _ field: String, _ found: String, _ expected: String) -> IndexError {
            .corrupt(file: file, offset: offset, field: field, found: found, expected: expected)
        }
        guard Array(bytes[0..<8]) == magic else { throw corrupt(0, "magic", "\(Array(bytes[0..<8]))", "\"SNVINDEX\"") }
        let version: UInt32 = bytes.little(at: 8)
        guard version == Manifest.version else { throw corrupt(8, "version", "\(version)", "\(Manifest.version)") }
        let checksum: UInt32 = bytes.little(at: block - 4), computed = bytes.checksum(0..<block - 4)
        guard checksum == computed else { throw corrupt(block - 4, "checksum of the settings", checksum.hex, computed.hex) }
        let dimension: UInt32 = bytes.little(at: 12), metric: UInt32 = bytes.little(at: 16), storage: UInt32 = bytes.little(at: 20)
        guard (1...UInt32(maximumDimension)).contains(dimension) else {
            throw corrupt(12, "dimension", "\(dimension)", "1...\(maximumDimension)")
        }
        guard metric < Metric.allCases.count else { throw corrupt(16, "metric", "\(metric)", "0..<\(Metric.allCases.count)") }
        guard storage < VectorStorage.allCases.count else {
            throw corrupt(20, "storage", "\(storage)", "0..<\(VectorStorage.allCases.count)")
        }
        let settings = Settings(
            dimension: Int(dimension), metric: Metric.allCases[Int(metric)], storage: VectorStorage.allCases[Int(storage)])
        let generation: UInt64 = bytes.little(at: 24)
        let first = decodeCommit(bytes, at: block, generation: generation),
            second = decodeCommit(bytes, at: 2 * block, generation: generation)
        guard let newest = first.map({ a in second.map { $0.sequence > a.sequence ? $0 : a } ?? a }) ?? second else {
            throw corrupt(block, "both commit blocks", "unreadable (checksum, generation or range)", "at least one whole block")
        }
        if let first, let second, max(first.sequence, second.sequence) - min(first.sequence, second.sequence) != 1 {
            throw corrupt(block, "commit sequences", "\(first.sequence) and \(second.sequence)", "consecutive numbers")
        }
        return Manifest(settings: settings, generation: generation, commit: newest, rollsForward: first == nil || second == nil)
    }

    private static func decodeCommit(_ bytes: [UInt8], at start: Int, generation: UInt64) -> Commit? {
        guard Array(bytes[start..<start + 8]) == Array("SNCOMMIT".utf8), bytes.little(UInt64.self, at: start + 8) == generation,
            bytes.little(UInt32.self, at: start + block - 4) == bytes.checksum(start..<start + block - 4)
        else { return nil }
        let sequence: UInt64 = bytes.little(at: start + 16), journal: UInt64 = bytes.little(at: start + 24)
        let rows: UInt64 = bytes.little(at: start + 32)
        // 2^40 rows of 2^18 bytes still fit an Int: later arithmetic can't overflow.
        guard offset(of: sequence) == start, journal >= UInt64(Journal.headerBytes), journal < 1 << 48, rows < 1 << 40 else { return nil }
        return Commit(sequence: sequence, journalBytes: Int(journal), rows: Int(rows), chain: bytes.little(at: start + 40))
    }
}
