import Imaging

/// Bounds on what files of a data set may make the readers do.
public struct DataLimits: Sendable, Equatable {
    /// Bytes of one line or record of a text file, a picture in base64 with it.
    public var lineBytes = 64 << 20
    /// Bytes of one caption.
    public var captionBytes = 1 << 16
    /// Captions of one picture.
    public var captions = 1_000
    /// Bytes of a JSON document that is read whole (COCO captions).
    public var documentBytes = 1 << 30
    /// Bytes of one member of an archive.
    public var memberBytes = 256 << 20
    /// Bytes of a member that holds text (`txt`, `json`, `cls`).
    public var textBytes = 4 << 20
    /// What a picture may be. Less than elsewhere: every thread decodes one.
    public var picture = DecodeLimits(pixels: 1 << 27, fileBytes: 256 << 20)

    public init() {}
}
