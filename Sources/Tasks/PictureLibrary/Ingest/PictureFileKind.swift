import Foundation
import Imaging

/// A cheap first look at what may be a picture. Decoding decides by content; this only keeps videos,
/// archives and texts from being read whole.
enum PictureFileKind {
    private static let pictures: Set<String> = [
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "tif", "tiff", "bmp", "dib", "svg", "svgz", "heic", "heif", "hif",
        "avif", "ppm", "pgm", "pbm", "pnm", "jp2", "jxl",
    ]

    /// Common and never pictures: not worth opening.
    private static let others: Set<String> = [
        "txt", "json", "jsonl", "xml", "html", "htm", "css", "js", "md", "csv", "tsv", "yaml", "yml", "toml", "ini", "log", "pdf", "doc",
        "docx", "xls", "xlsx", "ppt", "pptx", "odt", "zip", "gz", "xz", "bz2", "zst", "tar", "7z", "rar", "mp4", "mov", "mkv", "avi",
        "webm", "mp3", "wav", "flac", "ogg", "m4a", "aac", "swift", "c", "h", "cpp", "py", "rs", "go", "java", "sh", "o", "a", "so",
        "sqlite", "db", "npy", "npz", "safetensors", "onnx", "pt", "pth", "bin", "xmp", "aae", "thm", "lrv", "ttf", "otf", "desktop",
        "theme", "po", "mo",
    ]

    static func isKnownOther(_ pathExtension: String) -> Bool { others.contains(pathExtension) }
    static func hasPictureExtension(_ name: FilePath) -> Bool { name.pathExtension.map(pictures.contains) ?? false }

    /// By extension where it is known, else by the first bytes.
    static func mayBePicture(_ path: FilePath) -> Bool {
        if let known = path.pathExtension {
            if pictures.contains(known) { return true }
            if others.contains(known) { return false }
        }
        return startsLikePicture(path)
    }

    private static func startsLikePicture(_ path: FilePath) -> Bool {
        // O_NONBLOCK: what was a file a moment ago may be a pipe now.
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: PictureFormat.prefixLength)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 && PictureFormat.detect(bytes[..<count]) != nil
    }
}
