/// IPTC-IIM records (version 4), alone or inside of Photoshop's image resources.
struct IPTC {
    private(set) var title: String?
    private(set) var headline: String?
    private(set) var caption: String?
    private(set) var keywords: [String] = []

    init(_ blob: [UInt8]) {
        let mark = Array("Photoshop 3.0\0".utf8)
        if blob.starts(with: mark) {
            if let record = IPTC.resource(blob, from: mark.count) { read(record) }
        } else {
            read(blob[...])
        }
    }

    /// Image resource 0x0404.
    private static func resource(_ bytes: [UInt8], from start: Int) -> ArraySlice<UInt8>? {
        var at = start
        while at + 12 <= bytes.count, bytes[at..<at + 4].elementsEqual("8BIM".utf8) {
            let number = Int(bytes[at + 4]) << 8 | Int(bytes[at + 5])
            // A Pascal string, padded to an even length together with its length byte.
            let sizeAt = at + 6 + (Int(bytes[at + 6]) + 2) / 2 * 2
            guard sizeAt + 4 <= bytes.count else { return nil }
            let size = bytes[sizeAt..<sizeAt + 4].reduce(0) { $0 << 8 | Int($1) }
            guard size <= bytes.count - sizeAt - 4 else { return nil }
            if number == 0x0404 { return bytes[sizeAt + 4..<sizeAt + 4 + size] }
            at = sizeAt + 4 + (size + 1) / 2 * 2
        }
        return nil
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>) {
        var at = bytes.startIndex
        while at + 5 <= bytes.endIndex, bytes[at] == 0x1C {
            let record = bytes[at + 1], number = bytes[at + 2]
            let size = Int(bytes[at + 3]) << 8 | Int(bytes[at + 4])
            // Lengths with the top bit set announce data of other kinds than text.
            guard size < 0x8000, size <= bytes.endIndex - at - 5 else { return }
            let content = bytes[at + 5..<at + 5 + size]
            if record == 2 {
                switch number {
                case 5: title = title ?? MetadataText.clean(content)
                case 25: MetadataText.add(MetadataText.clean(content).map { [$0] } ?? [], to: &keywords)
                case 105: headline = headline ?? MetadataText.clean(content)
                case 120: caption = caption ?? MetadataText.clean(content)
                default: break
                }
            }
            at += 5 + size
        }
    }
}
