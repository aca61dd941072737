import CVips

#if canImport(Glibc)
    import Glibc
#endif

/// What a file says about its picture. Texts are cleaned and bounded; what is damaged counts as absent.
public struct PictureMetadata: Sendable, Equatable {
    public var format: PictureFormat
    /// Pixels of the upright picture, as the header declares them (of an SVG: its natural size).
    public var width: Int
    public var height: Int
    /// `2019-07-04T12:30:05` in the camera's own time.
    public var taken: String?
    /// `+02:00` where the camera recorded it.
    public var takenOffset: String?
    public var cameraMake: String?
    public var cameraModel: String?
    /// Degrees, north and east positive.
    public var latitude: Double?
    public var longitude: Double?
    public var title: String?
    public var description: String?
    /// In the order found, each once.
    public var keywords: [String] = []

    /// Reads headers and metadata of a file; no pixel is decoded.
    public static func read(path: FilePath, limits: DecodeLimits = DecodeLimits()) throws(PictureError) -> PictureMetadata {
        let bytes = try path.contents(limit: limits.fileBytes)
        do { return try read(bytes: bytes, limits: limits) } catch { throw error.naming(path.description) }
    }

    public static func read(path: String, limits: DecodeLimits = DecodeLimits()) throws(PictureError) -> PictureMetadata {
        try read(path: FilePath(path), limits: limits)
    }

    public static func read(bytes: [UInt8], limits: DecodeLimits = DecodeLimits()) throws(PictureError) -> PictureMetadata {
        guard !bytes.isEmpty else { throw PictureError(.empty) }
        guard let format = PictureFormat.detect(bytes) else { throw PictureError(.unrecognised(hint: PictureFormat.hint(bytes))) }
        if format == .bmp {
            let reader = try BMPReader(bytes)
            return PictureMetadata(format: .bmp, width: reader.width, height: reader.height)
        }
        let bytes = format == .svg ? try SVGText.readable(bytes, limits: limits) : bytes
        let header = try VipsDecoder(bytes: bytes, format: format, useful: nil, limits: limits).header()
        var metadata = PictureMetadata(format: format, width: header.width, height: header.height)
        // XMP is what editing programs write last, IPTC what they wrote before it.
        if let packet = header.xmp ?? (format == .svg ? bytes : nil) { metadata.merge(DescriptionXML(packet)) }
        if let iptc = header.iptc { metadata.merge(IPTC(iptc)) }
        // A TIFF file is its own EXIF block.
        if let exif = (header.exif ?? (format == .tiff ? bytes : nil)).flatMap(EXIF.init) { metadata.merge(exif) }
        metadata.merge(comments: header.comments)
        return metadata
    }

    init(format: PictureFormat, width: Int, height: Int) {
        self.format = format
        self.width = width
        self.height = height
    }

    private mutating func merge(_ xml: DescriptionXML) {
        title = xml.title
        description = xml.description
        MetadataText.add(xml.keywords, to: &keywords)
        (cameraMake, cameraModel) = (xml.make, xml.model)
        if let time = xml.taken, let iso = EXIF.isoTime(time) {
            taken = iso
            takenOffset = EXIF.zone(String(time.suffix(6))) ?? (time.hasSuffix("Z") ? "Z" : nil)
        }
    }

    private mutating func merge(_ iptc: IPTC) {
        title = title ?? iptc.title ?? iptc.headline
        description = description ?? iptc.caption
        MetadataText.add(iptc.keywords, to: &keywords)
    }

    private mutating func merge(_ exif: EXIF) {
        // The camera's own record is nearer to the moment than what programs copied from it.
        if let moment = exif.taken { (taken, takenOffset) = (moment.time, moment.offset) }
        cameraMake = exif.text(exif.main[0x010F]) ?? cameraMake
        cameraModel = exif.text(exif.main[0x0110]) ?? cameraModel
        if let place = exif.coordinates { (latitude, longitude) = place }
        title = title ?? exif.wideText(exif.main[0x9C9B])
        description = description ?? exif.text(exif.main[0x010E]) ?? exif.wideText(exif.main[0x9C9F]) ?? exif.wideText(exif.main[0x9C9C])
        MetadataText.add((exif.wideText(exif.main[0x9C9E]) ?? "").split(separator: ";").map(String.init), to: &keywords)
    }

    private mutating func merge(comments: [(key: String, value: String)]) {
        for (key, value) in comments {
            guard let text = MetadataText.clean(value) else { continue }
            switch key.lowercased() {
            case "title": title = title ?? text
            case "description", "comment": description = description ?? text
            case "keywords", "tags": MetadataText.add(text.split { ",;".contains($0) }.map(String.init), to: &keywords)
            default: break
            }
        }
    }
}

/// What libvips hands out without decoding.
struct PictureHeader {
    var width: Int
    var height: Int
    var exif: [UInt8]?
    var xmp: [UInt8]?
    var iptc: [UInt8]?
    /// Texts of PNG files.
    var comments: [(key: String, value: String)]
}
