import Foundation

/// Where a record lies in a file.
struct RecordPlace: Sendable, Equatable {
    var offset: Int
    var count: Int
    /// Of its first line, from 1.
    var line: Int
}

/// Cuts a file into records at line ends. What is too long is named with its line and passed over.
struct RecordScanner {
    enum Record {
        /// Without its line end.
        case record(RecordPlace, ArraySlice<UInt8>)
        case problem(DataError)
    }

    private static let chunk = 1 << 20
    private let file: InputFile
    private let limit: Int
    /// Line ends in a field that begins with a quote belong to the record; nil where a line is a record.
    private let delimiter: UInt8?
    private var buffer: [UInt8] = []
    /// Offset in the file of `buffer[0]`.
    private var base = 0
    private var start = 0
    private var line = 1

    /// - Parameter delimiter: between fields that may be quoted, as RFC 4180 has it.
    init(_ file: InputFile, limit: Int, delimiter: UInt8? = nil) {
        self.file = file
        self.limit = limit
        self.delimiter = delimiter
    }

    /// The next record, nil at the end of the file.
    mutating func next() throws(DataError) -> Record? {
        var search = Search(place: start)
        while true {
            if search.run(buffer, from: start, delimiter) { return take(to: search.place, lines: search.lines) }
            let length = buffer.count - start
            if length > limit { return try skipLine() }
            // A taken prefix is dropped before more is read, so that memory is bounded by the longest record.
            if start > 0 {
                buffer.removeFirst(start)
                base += start
                search.shift(by: start)
                start = 0
            }
            guard try fill() else {
                guard length > 0 else { return nil }
                if search.inQuotes {
                    start = buffer.count
                    return .problem(DataError(file.path, line: line, "a quoted field without its closing quote"))
                }
                return take(to: buffer.count, lines: search.lines + 1)
            }
        }
    }

    /// Where the search for the end of a record stands.
    private struct Search {
        var place: Int
        var inQuotes = false
        /// Where a quote was closed: another one right behind it is a quote of the text.
        private var closed = -2
        /// Line ends passed.
        private(set) var lines = 0

        init(place: Int) { self.place = place }

        mutating func shift(by count: Int) {
            place -= count
            closed -= count
        }

        /// True when `place` is the record's line end; false at the end of the buffer.
        mutating func run(_ buffer: [UInt8], from start: Int, _ delimiter: UInt8?) -> Bool {
            buffer.withUnsafeBufferPointer { bytes in
                guard let delimiter else { return findLineEnd(bytes) }
                while place < bytes.count {
                    let byte = bytes[place]
                    if byte == UInt8(ascii: "\"") {
                        if inQuotes {
                            (inQuotes, closed) = (false, place)
                        } else if place == start || bytes[place - 1] == delimiter || closed == place - 1 {
                            inQuotes = true
                        }
                    } else if byte == UInt8(ascii: "\n") {
                        lines += 1
                        if !inQuotes { return true }
                    }
                    place += 1
                }
                return false
            }
        }

        private mutating func findLineEnd(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
            guard place < bytes.count, let base = bytes.baseAddress,
                let feed = memchr(base + place, Int32(UInt8(ascii: "\n")), bytes.count - place)
            else {
                place = bytes.count
                return false
            }
            place = UnsafeRawPointer(feed) - UnsafeRawPointer(base)
            lines = 1
            return true
        }
    }

    private mutating func fill() throws(DataError) -> Bool {
        let old = buffer.count
        let count = min(Self.chunk, max(file.byteCount - base - old, 0))
        guard count > 0 else { return false }
        buffer.append(contentsOf: try file.bytes(at: base + old, count: count))
        return true
    }

    private mutating func take(to end: Int, lines: Int) -> Record {
        var last = end
        if last > start, buffer[last - 1] == UInt8(ascii: "\r") { last -= 1 }
        var first = start
        if base + first == 0, last >= 3, buffer[0] == 0xEF, buffer[1] == 0xBB, buffer[2] == 0xBF { first = 3 }
        let place = RecordPlace(offset: base + first, count: last - first, line: line)
        defer {
            start = min(end + 1, buffer.count)
            line += lines
        }
        guard last - first <= limit else {
            return .problem(DataError(file.path, line: line, "\(last - first) bytes are over the limit of \(limit) for a line"))
        }
        return .record(place, buffer[first..<last])
    }

    /// Goes on behind the next line end: a quote that is never closed would otherwise swallow the file.
    private mutating func skipLine() throws(DataError) -> Record {
        let problem = DataError(file.path, line: line, "more than \(limit) bytes without an end of the line")
        while true {
            if let feed = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
                start = feed + 1
                line += 1
                return .problem(problem)
            }
            base += buffer.count
            buffer.removeAll(keepingCapacity: true)
            start = 0
            guard try fill() else { return .problem(problem) }
        }
    }
}
