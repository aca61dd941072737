import Catalog
import Foundation
import Imaging

/// The files of the web page, read once: what isn't among them can't be asked for.
struct WebPage: Sendable {
    struct File: Sendable {
        let bytes: [UInt8]
        let type: String
        /// Changes with the bytes.
        let tag: String
    }

    static let start = "index.html"
    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    ]

    private(set) var files: [String: File] = [:]
    /// Why there is no page; the rest of the service does without.
    private(set) var problem: String?

    /// - Parameter places: Folders, the first that has a page counts.
    init(places: [String] = ProgramFolder.places(share: "page", bundle: "Sensorium_HTTPService.resources/WebUI")) {
        let manager = FileManager.default
        guard let folder = places.first(where: { manager.fileExists(atPath: $0 + "/" + Self.start) }) else {
            problem = "the page's files aren't in \(places.joined(separator: " or ")): install the program whole (`make install`)"
            return
        }
        for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let type = Self.types[(name as NSString).pathExtension], let data = manager.contents(atPath: folder + "/" + name)
            else { continue }
            files[name] = File(bytes: Array(data), type: type, tag: String(ContentHash(of: Array(data)).hex.prefix(16)))
        }
    }
}
