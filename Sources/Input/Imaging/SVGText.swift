import Foundation

/// The character encodings of SVG files. What follows in this target looks for names as ASCII bytes, so a text must hold them as such:
/// UTF-16 is rewritten as UTF-8, and encodings that can spell a name otherwise (UTF-7, EBCDIC ...) are refused.
enum SVGText {
    private enum ByteOrder { case little, big }

    private static func byteOrder(_ bytes: some Collection<UInt8>) -> ByteOrder? {
        let mark = Array(bytes.prefix(2))
        return mark == [0xFF, 0xFE] ? .little : mark == [0xFE, 0xFF] ? .big : nil
    }

    /// The text behind a byte order mark of UTF-16 as UTF-8, other bytes as they are.
    static func utf8(_ bytes: [UInt8]) -> [UInt8] {
        guard let order = byteOrder(bytes) else { return bytes }
        let units = stride(from: 2, to: bytes.count - 1, by: 2).map { place in
            order == .little
                ? UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8 : UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// A text that libxml2 reads as the guard does: without a declaration where it was UTF-16.
    /// Throws `PictureError.unsupported` for a declared encoding in which ASCII bytes aren't ASCII characters.
    static func readable(_ bytes: [UInt8], limits: DecodeLimits) throws(PictureError) -> [UInt8] {
        guard bytes.count <= limits.svgBytes else { throw PictureError(.fileTooLarge(bytes: bytes.count, limit: limits.svgBytes)) }
        let isWide = byteOrder(bytes) != nil
        let text = utf8(bytes)
        guard let declaration = declaration(text) else { return text }
        if isWide { return Array(text[declaration.endIndex...]) }
        if let name = encoding(String(decoding: declaration, as: UTF8.self)) {
            let plain = ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "windows-125", "latin1"]
            guard plain.contains(where: name.lowercased().hasPrefix) else {
                throw PictureError(.unsupported("SVG", "text in the encoding \(name.prefix(40))"))
            }
        }
        return text
    }

    /// `<?xml ... ?>`, which only a byte order mark may precede.
    private static func declaration(_ text: [UInt8]) -> ArraySlice<UInt8>? {
        let start = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard text[start...].starts(with: "<?xml".utf8) else { return nil }
        var at = start
        while at + 1 < text.count {
            if text[at] == 0x3F, text[at + 1] == 0x3E { return text[start..<at + 2] }
            at += 1
        }
        return nil
    }

    private static func encoding(_ declaration: String) -> String? {
        guard let name = declaration.range(of: "encoding") else { return nil }
        let rest = declaration[name.upperBound...].drop { $0.isWhitespace || $0 == "=" }
        guard let quote = rest.first, quote == "\"" || quote == "'" else { return nil }
        return String(rest.dropFirst().prefix { $0 != quote })
    }
}
