/// What is refused of an SVG before librsvg sees it. librsvg itself reads no other file when a picture comes from memory, runs no
/// script, and bounds the elements and the text that entities expand to; pictures inside of `data:` addresses it decodes whatever they ask.
enum SVGGuard {
    static func check(_ bytes: [UInt8], limits: DecodeLimits) throws(PictureError) {
        guard bytes.count <= limits.svgBytes else { throw PictureError(.fileTooLarge(bytes: bytes.count, limit: limits.svgBytes)) }
    }
}
