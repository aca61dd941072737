/// The header of an `.npy` file: magic, version, length and a Python dictionary of three known keys.
enum NumpyHeader {
    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    static let writtenBytes = 128
    private static let maximumBytes = 65536

    static func encode(count: Int, dimension: Int, half: Bool) -> [UInt8] {
        let text = "{'descr': '\(half ? "<f2" : "<f4")', 'fortran_order': False, 'shape': (\(count), \(dimension)), }"
        var bytes = magic + [1, 0]
        bytes.append(little: UInt16(writtenBytes - 10))
        bytes += Array(text.utf8)
        bytes += [UInt8](repeating: 0x20, count: writtenBytes - 1 - bytes.count)
        return bytes + [0x0A]
    }

    static func read(_ file: File, size: Int) throws(IndexError) -> VectorFileLayout {
        let lead = try file.read(min(12, size), at: 0, field: "header")
        guard lead.count >= 10, Array(lead.prefix(6)) == magic else {
            throw .corrupt(file: file.path, offset: 0, field: "magic", found: "\(lead.prefix(6))", expected: "\\x93NUMPY")
        }
        guard (1...3).contains(lead[6]), lead[6] == 1 || lead.count == 12 else {
            throw .corrupt(file: file.path, offset: 6, field: "version", found: "\(lead[6])", expected: "1, 2 or 3")
        }
        let long = lead[6] > 1, start = long ? 12 : 10
        let length = long ? Int(lead.little(UInt32.self, at: 8)) : Int(lead.little(UInt16.self, at: 8))
        guard length <= maximumBytes, length <= size - start else {
            throw .corrupt(
                file: file.path, offset: 8, field: "header length", found: "\(length)",
                expected: "at most \(min(maximumBytes, size - start))")
        }
        let text = try file.read(length, at: start, field: "header")
        var parser = Parser(bytes: text)
        guard let header = parser.dictionary() else {
            throw .corrupt(
                file: file.path, offset: start + parser.at, field: "header", found: "something unreadable",
                expected: "{'descr': ..., 'fortran_order': ..., 'shape': ...}")
        }
        guard header.descr == "<f4" || header.descr == "<f2" else {
            throw .corrupt(file: file.path, offset: start, field: "descr", found: "'\(header.descr)'", expected: "'<f4' or '<f2'")
        }
        guard !header.fortran, header.shape.count == 2 else {
            throw .corrupt(
                file: file.path, offset: start, field: "shape", found: "\(header.shape)\(header.fortran ? " in Fortran order" : "")",
                expected: "two dimensions in C order (numpy.ascontiguousarray)")
        }
        let half = header.descr == "<f2", dimension = header.shape[1]
        let stride = dimension.multipliedReportingOverflow(by: half ? 2 : 4)
        let layout = VectorFileLayout(
            count: header.shape[0], dimension: dimension, half: half, start: start + length,
            stride: stride.overflow ? 0 : stride.partialValue)
        return try layout.checked(file, size: size, field: "shape", at: start)
    }

    /// Just enough of Python's literals.
    struct Parser {
        let bytes: [UInt8]
        var at = 0

        private mutating func skipSpace() {
            while at < bytes.count, [0x20, 0x0A, 0x09, 0x0D].contains(bytes[at]) { at += 1 }
        }

        private mutating func take(_ character: Character) -> Bool {
            skipSpace()
            guard at < bytes.count, bytes[at] == character.asciiValue else { return false }
            at += 1
            return true
        }

        private mutating func take(word: String) -> Bool {
            skipSpace()
            guard bytes[at...].starts(with: word.utf8) else { return false }
            at += word.utf8.count
            return true
        }

        private mutating func string() -> String? {
            let quote: Character
            if take("'") { quote = "'" } else if take("\"") { quote = "\"" } else { return nil }
            let start = at
            while at < bytes.count, bytes[at] != quote.asciiValue { at += 1 }
            guard at < bytes.count else { return nil }
            at += 1
            return String(decoding: bytes[start..<at - 1], as: UTF8.self)
        }

        private mutating func shape() -> [Int]? {
            guard take("(") else { return nil }
            var sizes: [Int] = []
            while !take(")") {
                skipSpace()
                let start = at
                while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
                guard at > start, sizes.count < 32, let size = Int(String(decoding: bytes[start..<at], as: UTF8.self)) else { return nil }
                sizes.append(size)
                if !take(",") {
                    guard take(")") else { return nil }
                    break
                }
            }
            return sizes
        }

        mutating func dictionary() -> (descr: String, fortran: Bool, shape: [Int])? {
            guard take("{") else { return nil }
            var descr: String?, fortran: Bool?, sizes: [Int]?
            while !take("}") {
                guard let key = string(), take(":") else { return nil }
                switch key {
                case "descr": descr = string()
                case "fortran_order": fortran = take(word: "True") ? true : take(word: "False") ? false : nil
                case "shape": sizes = shape()
                default: return nil
                }
                if !take(",") {
                    guard take("}") else { return nil }
                    break
                }
            }
            guard let descr, let fortran, let sizes else { return nil }
            return (descr, fortran, sizes)
        }
    }
}
