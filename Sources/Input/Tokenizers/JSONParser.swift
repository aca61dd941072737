/// RFC 8259 into the flat nodes of `JSONDocument`; strict, with bounded depth and size.
struct JSONParser {
    struct Failure: Error {
        let offset: Int
        let reason: String
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var nodes: [JSONDocument.Node] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        nodes.reserveCapacity(bytes.count / 10 + 16)
    }

    mutating func parse() -> Result<[JSONDocument.Node], Failure> {
        do throws(Failure) {
            try value(depth: 0)
            skipSpace()
            guard position == bytes.count else { throw failure("text after the end of the value") }
            return .success(nodes)
        } catch {
            return .failure(error)
        }
    }

    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    private func failure(_ reason: String) -> Failure { Failure(offset: position, reason: reason) }

    @inline(__always)
    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 32 || bytes[position] == 10 || bytes[position] == 13 || bytes[position] == 9 {
            position += 1
        }
    }

    private mutating func value(depth: Int) throws(Failure) {
        guard depth < Limits.jsonDepth else { throw failure("nested deeper than \(Limits.jsonDepth)") }
        guard nodes.count < Limits.jsonNodes else { throw failure("more than \(Limits.jsonNodes) values") }
        skipSpace()
        guard position < bytes.count else { throw failure("the text ends where a value is due") }
        switch bytes[position] {
        case UInt8(ascii: "{"): try object(depth: depth)
        case UInt8(ascii: "["): try array(depth: depth)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true", .yes)
        case UInt8(ascii: "f"): try word("false", .no)
        case UInt8(ascii: "n"): try word("null", .null)
        default: try number()
        }
    }

    private mutating func leaf(_ kind: JSONDocument.Kind, _ start: Int, _ end: Int) {
        nodes.append(.init(kind: kind, start: UInt32(start), end: UInt32(end), next: UInt32(nodes.count + 1), count: 0))
    }

    private mutating func word(_ word: StaticString, _ kind: JSONDocument.Kind) throws(Failure) {
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count, (0..<length).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] }) else {
            throw failure("expected \(word)")
        }
        leaf(kind, position, position + length)
        position += length
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, bytes[position] >= 48, bytes[position] <= 57 { position += 1 }
        return position - start
    }

    private mutating func number() throws(Failure) {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position < bytes.count ? bytes[position] : 0
        let whole = digits()
        guard whole > 0, whole == 1 || first != 48 else { throw failure("expected a value") }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard digits() > 0 else { throw failure("a number ends at its point") }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw failure("a number without the digits of its exponent") }
        }
        leaf(.number, start, position)
    }

    private mutating func string() throws(Failure) {
        position += 1
        let start = position
        var kind = JSONDocument.Kind.string
        while true {
            guard position < bytes.count else { throw failure("a string without end") }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") { break }
            guard byte >= 32 else { throw failure("a control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                kind = .escapedString
                try escape()
            }
        }
        leaf(kind, start, position)
        position += 1
    }

    private mutating func unit() throws(Failure) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("an unfinished \\u escape") }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = Self.hexadecimal(bytes[position + offset]) else { throw failure("\\u takes four hexadecimal digits") }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }

    private mutating func escape() throws(Failure) {
        guard position < bytes.count else { throw failure("a string without end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "u"):
            let first = try unit()
            guard first < 0xDC00 || first > 0xDFFF else { throw failure("a lone surrogate") }
            guard first >= 0xD800, first < 0xDC00 else { return }
            guard position + 2 <= bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") else {
                throw failure("a lone surrogate")
            }
            position += 2
            let second = try unit()
            guard second >= 0xDC00, second <= 0xDFFF else { throw failure("a lone surrogate") }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        default: throw failure("an unknown escape")
        }
    }

    private mutating func array(depth: Int) throws(Failure) {
        let own = nodes.count
        leaf(.array, position, position)
        position += 1
        var count: UInt32 = 0
        skipSpace()
        if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
            position += 1
        } else {
            while true {
                try value(depth: depth + 1)
                count += 1
                if try closes(UInt8(ascii: "]")) { break }
            }
        }
        nodes[own].count = count
        nodes[own].next = UInt32(nodes.count)
    }

    private mutating func object(depth: Int) throws(Failure) {
        let own = nodes.count
        leaf(.object, position, position)
        position += 1
        var count: UInt32 = 0
        skipSpace()
        if position < bytes.count, bytes[position] == UInt8(ascii: "}") {
            position += 1
        } else {
            while true {
                skipSpace()
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw failure("expected a member's name") }
                try string()
                skipSpace()
                guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw failure("expected a colon") }
                position += 1
                try value(depth: depth + 1)
                count += 1
                if try closes(UInt8(ascii: "}")) { break }
            }
        }
        nodes[own].count = count
        nodes[own].next = UInt32(nodes.count)
    }

    /// True at the closing bracket, false at a comma.
    private mutating func closes(_ bracket: UInt8) throws(Failure) -> Bool {
        skipSpace()
        guard position < bytes.count else { throw failure("the text ends within an array or object") }
        let byte = bytes[position]
        guard byte == bracket || byte == UInt8(ascii: ",") else { throw failure("expected a comma or the closing bracket") }
        position += 1
        return byte == bracket
    }
}
