import Checkpoints
import Imaging

/// The test side of a data set as it is written down beside a recipe: a text file with an identifier on each line.
/// Lines that begin with `#` say what it is; `%`, `#` at the beginning and control characters are written as `%XX`.
public struct TestSide: Sendable, Equatable {
    public let ids: Set<String>
    /// Lines at the beginning of the file.
    public let comments: [String]

    public init(_ ids: some Sequence<String>, comments: [String] = []) {
        self.ids = Set(ids)
        self.comments = comments
    }

    /// Throws when the file can't be read, holds an identifier twice or isn't text.
    public init(path: String, limits: DataLimits = DataLimits()) throws(DataError) {
        let text = try InputFile.text(FilePath(path), limit: limits.documentBytes)
        var ids: Set<String> = [], comments: [String] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
            if line.hasPrefix("#") {
                comments.append(line.dropFirst().trimmingSpace)
                continue
            }
            guard let id = Self.unescaped(line) else {
                throw DataError(path, line: number + 1, "\"\(line.prefix(60))\": two hexadecimal digits are expected behind %")
            }
            guard ids.insert(id).inserted else { throw DataError(path, line: number + 1, "\"\(line.prefix(60))\" stands there twice") }
        }
        self.init(ids, comments: comments)
    }

    /// Writes the file, identifiers sorted by their bytes. It appears whole or not at all.
    public func write(to path: String) throws(DataError) {
        let lines =
            comments.map { "# " + $0.split(whereSeparator: \.isNewline).joined(separator: " ") }
            + ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(Self.escaped)
        do throws(CheckpointError) {
            let file = try AtomicFile(path: path)
            try file.write(Array((lines.joined(separator: "\n") + "\n").utf8))
            try file.commit()
        } catch {
            throw DataError(path, "\(error)".replacing("\(path) ", with: ""))
        }
    }

    private static func escaped(_ id: String) -> String {
        var bytes: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for (place, byte) in id.utf8.enumerated() {
            if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "%") || (place == 0 && byte == UInt8(ascii: "#")) {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ line: Substring) -> String? {
        var bytes: [UInt8] = [], rest = Array(line.utf8)[...]
        if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension TestSide {
    /// The two sides of a source.
    /// Throws when the side names samples that the source doesn't have, unless `isPart`: what is trained on must be what was split.
    public func divide(_ source: any IndexedSource, isPart: Bool = false) throws(DataError) -> (train: SubsetSource, test: SubsetSource) {
        var train: [Int] = [], test: [Int] = [], missing = ids
        for index in 0..<source.count {
            let id = try source.id(index)
            if ids.contains(id) {
                test.append(index)
                missing.remove(id)
            } else {
                train.append(index)
            }
        }
        if let first = missing.min(), !isPart {
            throw DataError(
                source.path,
                "\(missing.count) of the \(ids.count) samples on the test side aren't in this data, \"\(first.prefix(60))\" for one: "
                    + "is it the data that was split?")
        }
        return (try SubsetSource(source, indices: train), try SubsetSource(source, indices: test))
    }
}
