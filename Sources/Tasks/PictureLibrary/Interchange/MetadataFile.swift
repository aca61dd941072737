import Checkpoints
import Foundation
import Imaging

/// Writes what is known of pictures, a row for each, as JSON lines or Parquet. The file appears under its name when it is whole.
final class MetadataWriter {
    private enum Form {
        case lines(AtomicFile)
        case parquet(ParquetWriter)
    }

    private let form: Form

    init(path: String) throws(CheckpointError) {
        if path.hasSuffix(".parquet") {
            form = .parquet(try ParquetWriter(path: path, columns: PictureRecord.columns))
        } else {
            form = .lines(try AtomicFile(path: path))
        }
    }

    func append(_ records: [PictureRecord]) throws(CheckpointError) {
        switch form {
        case .lines(let file): try file.write(Array(records.map { $0.json.text + "\n" }.joined().utf8))
        case .parquet(let writer):
            let rows = records.map(\.values)
            try writer.append(PictureRecord.columns.indices.map { column in rows.map { $0[column] } })
        }
    }

    func finish() throws(CheckpointError) {
        switch form {
        case .lines(let file): try file.commit()
        case .parquet(let writer): try writer.finish()
        }
    }
}

/// Reads them, some thousands at a time.
struct MetadataReader {
    private static let longestLine = 4 << 20
    private static let linesAtOnce = 4_096

    private enum Form {
        case lines(LineReader)
        case parquet(ParquetReader, group: Int)
    }

    /// What follows the last dot of files that can be read: lines of paths (`.txt`) too, as `sensorium export` prints them.
    static let extensions = ["jsonl", "parquet", "txt"]

    private let path: String
    private var form: Form
    /// Rows of the whole file.
    let count: Int
    private var line = 0

    init(path: String) throws(CheckpointError) {
        self.path = path
        if path.hasSuffix(".parquet") {
            let reader = try ParquetReader(path: path)
            form = .parquet(reader, group: 0)
            count = reader.rowCount
        } else {
            var counter = try LineReader(path: path, longest: Self.longestLine), lines = 0
            while try counter.next() != nil { lines += 1 }
            count = lines
            form = .lines(try LineReader(path: path, longest: Self.longestLine))
        }
    }

    /// The next rows; empty at the end.
    mutating func next() throws(CheckpointError) -> [PictureRecord] {
        switch form {
        case .lines(var reader):
            var records: [PictureRecord] = []
            while records.count < Self.linesAtOnce, let bytes = try reader.next() {
                line += 1
                records.append(try record(bytes))
            }
            form = .lines(reader)
            return records
        case .parquet(let reader, var group):
            while group < reader.groupCount, reader.rows(inGroup: group) == 0 { group += 1 }
            guard group < reader.groupCount else { return [] }
            form = .parquet(reader, group: group + 1)
            return try Self.records(reader, group)
        }
    }

    private func record(_ bytes: [UInt8]) throws(CheckpointError) -> PictureRecord {
        let (path, line) = (path, line)
        if path.hasSuffix(".txt") { return PictureRecord(path: bytes.contains(0) ? nil : FilePath(bytes: bytes)) }
        let parsed = bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in try JSONValue.parse(raw, file: path, field: "line \(line)") }
        }
        let value = try parsed.get()
        guard value.object != nil else {
            throw .malformed(file: path, field: "line \(line)", offset: nil, problem: "an object is expected, found \(value.summary)")
        }
        return PictureRecord(json: value)
    }

    private static func records(_ reader: ParquetReader, _ group: Int) throws(CheckpointError) -> [PictureRecord] {
        var columns: [String: [ParquetValue]] = [:]
        for (field, names) in PictureRecord.names {
            guard let name = names.first(where: reader.columns.contains) else { continue }
            columns[field] = try reader.values(name, group: group)
        }
        return (0..<reader.rows(inGroup: group)).map { row in PictureRecord { field in columns[field].flatMap { JSONValue($0[row]) } } }
    }
}

extension JSONValue {
    fileprivate init?(_ value: ParquetValue) {
        switch value {
        case .null: return nil
        case .bool(let truth): self = .bool(truth)
        case .int(let number): self = .int(Int(number))
        case .real(let number): self = .number(number)
        case .text(let text): self = .string(text)
        case .bytes(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
        }
    }
}

/// Lines of a file, without their ends; empty ones are passed over. Memory is bounded by the longest.
struct LineReader {
    private static let chunk = 1 << 18

    private let file: FileHandle
    private let path: String
    private let longest: Int
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    private var number = 0

    init(path: String, longest: Int) throws(CheckpointError) {
        (self.path, self.longest) = (path, longest)
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(file: path, reason: systemMessage(errno)) }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .unreadable(file: path, reason: "not a regular file")
        }
    }

    mutating func next() throws(CheckpointError) -> [UInt8]? {
        while true {
            guard let end = try lineEnd() else { return nil }
            var line = buffer[start..<end]
            start = min(end + 1, buffer.count)
            number += 1
            if line.last == 13 { line.removeLast() }
            if line.contains(where: { $0 != 32 && $0 != 9 }) { return Array(line) }
        }
    }

    /// Where the line that begins at `start` ends; nil where there is none.
    private mutating func lineEnd() throws(CheckpointError) -> Int? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 10) { return end }
            guard buffer.count - start <= longest else {
                throw .malformed(file: path, field: "line \(number + 1)", offset: nil, problem: "it has more than \(longest) bytes")
            }
            if isAtEnd { return start < buffer.count ? buffer.count : nil }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            do {
                let piece = try file.read(upToCount: Self.chunk) ?? Data()
                isAtEnd = piece.isEmpty
                buffer += piece
            } catch {
                throw .unreadable(file: path, reason: "\(error)")
            }
        }
    }
}
