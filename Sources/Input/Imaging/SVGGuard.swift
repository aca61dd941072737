import Foundation

/// What is refused of an SVG before librsvg sees it. librsvg itself reads no other file when a picture comes from memory, runs no
/// script, and bounds the elements and the text that entities expand to; but pictures inside of `data:` addresses it decodes whatever
/// they ask for. Those are held to the caller's limits here.
struct SVGGuard {
    let limits: DecodeLimits

    static func check(_ bytes: [UInt8], limits: DecodeLimits) throws(PictureError) {
        guard bytes.count <= limits.svgBytes else { throw PictureError(.fileTooLarge(bytes: bytes.count, limit: limits.svgBytes)) }
        // Most drawings hold no picture, and the walk below costs as much as the drawing.
        guard contains(bytes, "href") else { return }
        try SVGGuard(limits: limits).walk(bytes)
    }

    private static func contains(_ bytes: [UInt8], _ word: String) -> Bool {
        let word = Array(word.utf8)
        return bytes.withUnsafeBufferPointer { bytes in
            guard bytes.count >= word.count else { return false }
            return (0...bytes.count - word.count).contains { start in word.indices.allSatisfy { bytes[start + $0] == word[$0] } }
        }
    }

    private func walk(_ bytes: [UInt8]) throws(PictureError) {
        let bounds = XMLScanner.Bounds(depth: 4096, attributes: 4096, nameBytes: 4096, valueBytes: limits.svgBytes)
        var scanner = XMLScanner(bytes, bounds: bounds, unknownEntity: "\0")
        while let event = scanner.next() {
            switch event {
            case let .start(_, attributes):
                for attribute in attributes where attribute.name == "href" || attribute.name.hasSuffix(":href") {
                    try check(address: attribute.value)
                }
            case let .text(text):
                // An entity may stand for whole elements, with pictures in them.
                if text.utf8.contains(0) { throw PictureError(.unsupported("SVG", "text made of entities")) }
            case .end: break
            }
        }
    }

    private func check(address: String) throws(PictureError) {
        if address.utf8.contains(0) { throw PictureError(.unsupported("SVG", "an address made of entities")) }
        let text = address.drop { $0.isWhitespace }
        guard text.prefix(5).lowercased() == "data:", let comma = text.firstIndex(of: ",") else { return }
        let kind = text[..<comma].lowercased()
        // A drawing inside of a drawing is bound by the length of the text around it.
        if kind.hasPrefix("data:image/svg+xml") || kind.hasPrefix("data:text") { return }
        guard kind.hasSuffix(";base64"), let inner = content(text[text.index(after: comma)...]) else {
            throw PictureError(.unsupported("SVG", "a picture inside of it that isn't base64"))
        }
        guard let format = PictureFormat.detect(inner), [.png, .jpeg, .gif, .webp].contains(format) else {
            throw PictureError(.unsupported("SVG", "a picture inside of it that is no PNG, JPEG, GIF or WebP"))
        }
        let header = try VipsDecoder(bytes: inner, format: format, useful: nil, limits: limits).header()
        try limits.check(width: header.width, height: header.height)
    }

    private func content(_ text: Substring) -> [UInt8]? {
        let plain = text.contains("%") ? text.removingPercentEncoding ?? "" : String(text)
        return Data(base64Encoded: plain, options: .ignoreUnknownCharacters).map { [UInt8]($0) }
    }
}
