/// A name with stars: `*` is one or more bytes without a dot, `**` one or more of any.
package struct NamePattern: Sendable {
    private enum Piece: Sendable, Equatable {
        case text([UInt8])
        case star(dots: Bool)
    }

    private let pieces: [Piece]

    package init(_ pattern: String) {
        var pieces: [Piece] = []
        var text: [UInt8] = []
        let bytes = Array(pattern.utf8)
        var at = 0
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "*") else {
                text.append(bytes[at])
                at += 1
                continue
            }
            if !text.isEmpty { pieces.append(.text(text)) }
            text = []
            let double = at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "*")
            pieces.append(.star(dots: double))
            at += double ? 2 : 1
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        self.pieces = pieces
    }

    /// What the stars stand for, nil when the name doesn't match as a whole. The shortest match of each star is tried first.
    package func match(_ name: String) -> [String]? {
        if pieces.count == 1, case let .text(text) = pieces[0] { return name.utf8.elementsEqual(text) ? [] : nil }
        let bytes = Array(name.utf8)
        var stars: [Range<Int>] = []
        var steps = 0
        guard match(bytes, from: 0, piece: 0, &stars, &steps) else { return nil }
        return stars.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    /// Backtracking with a bound on its steps, so that no pair of pattern and name can hold the program up.
    private func match(_ name: [UInt8], from start: Int, piece: Int, _ stars: inout [Range<Int>], _ steps: inout Int) -> Bool {
        steps += 1
        guard steps < 100_000 else { return false }
        guard piece < pieces.count else { return start == name.count }
        switch pieces[piece] {
        case let .text(text):
            guard name.count - start >= text.count, name[start..<start + text.count].elementsEqual(text) else { return false }
            return match(name, from: start + text.count, piece: piece + 1, &stars, &steps)
        case let .star(dots):
            if piece == pieces.count - 1 {
                guard start < name.count, dots || !name[start...].contains(UInt8(ascii: ".")) else { return false }
                stars.append(start..<name.count)
                return true
            }
            var end = start
            while end < name.count, dots || name[end] != UInt8(ascii: ".") {
                end += 1
                stars.append(start..<end)
                if match(name, from: end, piece: piece + 1, &stars, &steps) { return true }
                stars.removeLast()
            }
            return false
        }
    }

    /// The pattern with its stars replaced in order; a star beyond the given ones becomes nothing.
    func filled(_ stars: [String]) -> String {
        var next = stars.makeIterator()
        var result = ""
        for piece in pieces {
            switch piece {
            case let .text(text): result += String(decoding: text, as: UTF8.self)
            case .star: result += next.next() ?? ""
            }
        }
        return result
    }
}
