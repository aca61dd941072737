/// Why a picture couldn't be read, changed or written, with the file it came from where there is one.
public struct PictureError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        case notFound
        case permissionDenied
        /// Zero bytes.
        case empty
        /// No picture format that is known here; `hint` says what the bytes look like instead, where that can be told.
        case unrecognised(hint: String?)
        /// The data ends too early.
        case truncated(PictureFormat, String)
        case corrupt(PictureFormat, String)
        /// More pixels than `DecodeLimits` allows, as the header declares them.
        case tooLarge(width: Int, height: Int, limit: Int)
        case fileTooLarge(bytes: Int, limit: Int)
        /// A format that is known but can't be decoded here, or a variant of one.
        case unsupported(String, String)
        case io(String)
        /// Arguments that make no sense.
        case invalid(String)
    }

    public var reason: Reason
    /// The file as the caller named it; nil for bytes in memory.
    public var file: String?

    public init(_ reason: Reason, file: String? = nil) {
        self.reason = reason
        self.file = file
    }

    /// Whether the reason's text comes from a decoder.
    var isFromLibrary: Bool {
        switch reason {
        case .truncated, .corrupt, .unsupported: true
        default: false
        }
    }

    func naming(_ file: String) -> PictureError { PictureError(reason, file: file) }

    public var description: String { (file.map { "\($0): " } ?? "") + text }

    private var text: String {
        switch reason {
        case .notFound: "no such file"
        case .permissionDenied: "no permission to read the file"
        case .empty: "the file is empty"
        case let .unrecognised(hint): "not a picture" + (hint.map { ": this looks like \($0)" } ?? " of a known format")
        case let .truncated(format, detail): "this \(format) picture is cut off (\(detail))"
        case let .corrupt(format, detail): "this \(format) picture is damaged (\(detail))"
        case let .tooLarge(width, height, limit): "a picture of \(width)x\(height) pixels is over the limit of \(limit) pixels"
        case let .fileTooLarge(bytes, limit): "a file of \(bytes) bytes is over the limit of \(limit) bytes"
        case let .unsupported(format, detail): "\(format) pictures of this kind can't be read: \(detail)"
        case let .io(detail): "reading failed: \(detail)"
        case let .invalid(detail): detail
        }
    }
}
