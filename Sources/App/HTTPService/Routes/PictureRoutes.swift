import Foundation
import HTTPTypes
import Hummingbird
import Imaging
import PictureLibrary

/// Pictures of the library by their ids. Nothing else can be read: an id names a row of the catalogue, and what is opened must still be
/// the file that was indexed, inside the library's folders.
struct PictureRoutes {
    let workshop: Workshop

    var routes: [Route] { [list, info, file, thumbnail, remove] }

    /// Browsers keep pictures for a while.
    private static let kept = "private, max-age=300"
    private static let id = Route.Parameter("id", .integer("Of the picture."), inPath: true)

    private var list: Route {
        let workshop = workshop
        let entry = Schema.object([
            .init("id", .integer(), required: true), .init("path", .string(), required: true), .init("title", .string()),
            .init("width", .integer()), .init("height", .integer()), .init("format", .string()),
        ])
        return Route(
            method: .get, path: "/api/pictures", scope: .search, tag: "library", summary: "Lists the library's pictures by ascending id.",
            parameters: [
                .init("after", .integer("The last id of the page before.")),
                .init("limit", .integer("Most pictures; 100 where it isn't given.")),
                .init("where", .string("A filter.")), .init("in", .string("Only pictures in this folder or beneath it.")),
            ],
            answers: [
                .json(.object([.init("pictures", .array(entry)), .init("next", .integer("`after` of the next page; absent at the end."))]))
            ],
            failures: [404]
        ) { request, _ in
            let parameters = try QueryParameters(request)
            let after = try parameters.int("after", in: 0...Int.max) ?? 0
            let limit = try parameters.int("limit", in: 1...Query.largestLimit) ?? 100
            let (filter, folder) = (try parameters.text("where"), try parameters.text("in"))
            return try await workshop.timed("list") {
                let found = try workshop.desk.library().pictures(
                    after: Int64(after), limit: limit, filter: filter.map { text throws(WhereError) in try WhereFilter(text) },
                    folder: folder.map { FilePath($0) })
                var line = JSONLine()
                line.add("pictures", found.map { JSONLine($0) })
                if found.count == limit { line.add("next", found.last.map { Int($0.id) }) }
                return .json(line)
            }
        }
    }

    private var info: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/api/pictures/{id}", scope: .search, tag: "library", summary: "All that the library knows of a picture.",
            parameters: [Self.id], answers: [.json(.named("Picture"))], failures: [404]
        ) { _, context in
            let id = try context.id("id")
            return try await workshop.timed("info") { .json(JSONLine(try workshop.desk.library().info(ofPicture: id))) }
        }
    }

    private var file: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/api/pictures/{id}/file", scope: .search, tag: "library", summary: "The picture's file as it is.",
            parameters: [Self.id], answers: [.init("image/*", .binary)], failures: [404, 410, 415]
        ) { request, context in
            let id = try context.id("id")
            let (picture, format) = try await workshop.timed("open") {
                let picture = try workshop.desk.library().openPicture(id)
                // By its first bytes, not its name: whatever else lies there isn't given out.
                guard let format = PictureFormat.detect(try picture.bytes(from: 0, count: min(picture.size, PictureFormat.prefixLength)))
                else {
                    throw APIError(.unsupportedMediaType, "unsupported_picture", "this file is no picture")
                }
                return (picture, format)
            }
            return Response.tagged(request, tag: picture.tag, cacheControl: Self.kept, type: format.mediaType) {
                ResponseBody(contentLength: picture.size) { writer in try await Self.send(picture, workshop.pool, &writer) }
            }
        }
    }

    private static let piece = 256 << 10

    private static func send(_ picture: OpenedPicture, _ pool: WorkPool, _ writer: inout any ResponseBodyWriter) async throws {
        var sent = 0
        while sent < picture.size {
            let start = sent
            let bytes = try await pool.run { try picture.bytes(from: start, count: min(piece, picture.size - start)) }
            // A file that was cut off meanwhile: the connection ends before the promised length.
            guard !bytes.isEmpty else { throw APIError(.gone, "unreadable_picture", "the file was cut off") }
            try await writer.write(ByteBuffer(bytes: bytes))
            sent += bytes.count
        }
        try await writer.finish(nil)
    }

    private var thumbnail: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/api/pictures/{id}/thumbnail", scope: .search, tag: "library",
            summary: "A small version of the picture as JPEG.",
            parameters: [
                Self.id,
                .init(
                    "side", .integer("Pixels of the longer side, \(ThumbnailStore.sides.lowerBound) to \(ThumbnailStore.sides.upperBound).")
                ),
            ],
            answers: [.init("image/jpeg", .binary)], failures: [404, 410, 413, 415, 422]
        ) { request, context in
            let id = try context.id("id")
            let side = try QueryParameters(request).int("side", in: ThumbnailStore.sides) ?? ThumbnailStore.standardSide
            let (tag, bytes) = try await workshop.timed("thumbnail") {
                let picture = try workshop.desk.library().openPicture(id)
                return (ThumbnailStore.tag(picture, side: side), try workshop.thumbnails.thumbnail(picture, side: side))
            }
            return Response.tagged(request, tag: tag, cacheControl: Self.kept, type: "image/jpeg") {
                ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            }
        }
    }

    private var remove: Route {
        let workshop = workshop
        return Route(
            method: .delete, path: "/api/pictures/{id}", scope: .manage, tag: "library",
            summary: "Takes a picture out of the library; its file stays as it is.",
            details: "A later indexing of its folder takes it in again.", parameters: [Self.id],
            answers: [.json(.object([.init("files", .integer()), .init("pictures", .integer())]))], failures: [404, 409, 507]
        ) { _, context in
            let id = try context.id("id")
            return try await workshop.timed("remove") {
                let library = try workshop.desk.library()
                let summary = try library.remove([library.info(ofPicture: id).path])
                var line = JSONLine()
                line.add("files", summary.files)
                line.add("pictures", summary.pictures)
                return .json(line)
            }
        }
    }
}

extension PictureFormat {
    var mediaType: String {
        switch self {
        case .jpeg: "image/jpeg"
        case .png: "image/png"
        case .webp: "image/webp"
        case .gif: "image/gif"
        case .tiff: "image/tiff"
        case .bmp: "image/bmp"
        case .svg: "image/svg+xml"
        case .heif: "image/heif"
        case .avif: "image/avif"
        }
    }
}
