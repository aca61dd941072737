/// A picture format, told from the first bytes of a file and never from its name.
public enum PictureFormat: String, Sendable, Hashable, CaseIterable, Codable, CustomStringConvertible {
    case jpeg, png, webp, gif, tiff, bmp, svg, heif, avif

    public var description: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .gif: "GIF"
        case .tiff: "TIFF"
        case .bmp: "BMP"
        case .svg: "SVG"
        case .heif: "HEIF"
        case .avif: "AVIF"
        }
    }

    /// As many first bytes as `detect` looks at.
    public static let prefixLength = 4096

    /// The format that `bytes` (a whole file or its first `prefixLength` bytes) begin like, nil when none does.
    public static func detect(_ bytes: some Collection<UInt8>) -> PictureFormat? {
        let head = Array(bytes.prefix(prefixLength))
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return .jpeg }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
        if head.starts(with: "GIF87a".utf8) || head.starts(with: "GIF89a".utf8) { return .gif }
        if head.starts(with: "RIFF".utf8), head.dropFirst(8).starts(with: "WEBP".utf8) { return .webp }
        if isTIFF(head) { return .tiff }
        if isBMP(head) { return .bmp }
        if let brand = isoBrand(head) { return brand }
        return isSVG(SVGText.utf8(head)) ? .svg : nil
    }

    private static func isTIFF(_ head: [UInt8]) -> Bool {
        [[0x49, 0x49, 0x2A, 0], [0x4D, 0x4D, 0, 0x2A], [0x49, 0x49, 0x2B, 0], [0x4D, 0x4D, 0, 0x2B]].contains {
            head.starts(with: $0 as [UInt8])
        }
    }

    /// "BM" alone begins many texts: the size of the second header must be one that exists.
    private static func isBMP(_ head: [UInt8]) -> Bool {
        guard head.starts(with: "BM".utf8), head.count >= 18 else { return false }
        return [12, 16, 40, 52, 56, 64, 108, 124].contains(Int(head[14])) && head[15...17].allSatisfy { $0 == 0 }
    }

    private static func isoBrand(_ head: [UInt8]) -> PictureFormat? {
        guard head.count >= 12, head.dropFirst(4).starts(with: "ftyp".utf8) else { return nil }
        let declared = head[..<4].reduce(0) { $0 << 8 | Int($1) }
        let end = min(max(declared, 12), head.count)
        let brands = [8] + Array(stride(from: 16, to: max(end - 3, 16), by: 4))
        let names = brands.map { String(decoding: head[$0..<$0 + 4], as: UTF8.self) }
        if names.contains(where: { $0 == "avif" || $0 == "avis" }) { return .avif }
        return names.contains { ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"].contains($0) } ? .heif : nil
    }

    /// The first element of an XML text, behind its byte order mark, declaration, comments and document type, must be `svg`.
    private static func isSVG(_ head: [UInt8]) -> Bool {
        var rest = head[...]
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        while true {
            rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
            if rest.starts(with: "<?".utf8) {
                guard let end = end(of: "?>", in: rest) else { return false }
                rest = rest[end...]
            } else if rest.starts(with: "<!--".utf8) {
                guard let end = end(of: "-->", in: rest.dropFirst(4)) else { return false }
                rest = rest[end...]
            } else if rest.starts(with: "<!DOCTYPE svg".utf8) {
                return true
            } else {
                break
            }
        }
        guard rest.first == 0x3C else { return false }
        let name = rest.dropFirst().prefix { $0 > 0x20 && $0 != 0x3E && $0 != 0x2F }
        return name.elementsEqual("svg".utf8) || (name.suffix(4).elementsEqual(":svg".utf8))
    }

    private static func end(of mark: String, in bytes: ArraySlice<UInt8>) -> Int? {
        let mark = Array(mark.utf8)
        var index = bytes.startIndex
        while index + mark.count <= bytes.endIndex {
            if bytes[index..<index + mark.count].elementsEqual(mark) { return index + mark.count }
            index += 1
        }
        return nil
    }

    /// What bytes that are no known picture look like: a word for the error message.
    static func hint(_ bytes: some Collection<UInt8>) -> String? {
        let head = Array(bytes.prefix(64))
        let marks: [(String, Int, String)] = [
            ("%PDF", 0, "a PDF document"), ("PK\u{3}\u{4}", 0, "a ZIP archive"), ("<!DOCTYPE html", 0, "a web page"),
            ("<html", 0, "a web page"),
            ("8BPS", 0, "a Photoshop document"), ("ftyp", 4, "a video"), ("ID3", 0, "sound"), ("OggS", 0, "an Ogg stream"),
            ("{", 0, "JSON text"), ("<?xml", 0, "XML text other than SVG"), ("RIFF", 0, "a RIFF file other than WebP"),
            ("version https://git-lfs", 0, "a Git LFS pointer"), ("\u{7F}ELF", 0, "a program"), ("#!", 0, "a script"),
        ]
        if head.starts(with: [0xFF, 0x0A]) || head.dropFirst(4).starts(with: "JXL ".utf8) { return "a JPEG XL picture" }
        if head.dropFirst(4).starts(with: "jP  ".utf8) { return "a JPEG 2000 picture" }
        if head.starts(with: [0x1F, 0x8B]) { return "gzip data" }
        if let mark = marks.first(where: { head.dropFirst($0.1).starts(with: $0.0.utf8) }) { return mark.2 }
        if !head.isEmpty, head.allSatisfy({ $0 == 0 }) { return "a block of zeros" }
        let isText = !head.isEmpty && head.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) }
        return isText ? "text" : nil
    }
}
