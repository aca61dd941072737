import Checkpoints
import Hummingbird
import PictureLibrary

/// What `clip-retrieval back` answers, so that its client, its page and its scripts find the library (clip_retrieval/clip_back.py 2.44).
///
/// The one index is named after the model in use. Metadata is the file's path, title as `caption`, size and an address of this service
/// as `url`; files aren't put into answers as base64, which makes long answers slow. Safety, violence and aesthetic models aren't
/// here, and clip-retrieval without them does nothing for their fields either. There is no index of captions (`modality` text).
struct ClipRetrievalRoutes {
    let workshop: Workshop

    var routes: [Route] { [indices, search, metadata] }

    /// Cosine from which on clip-retrieval takes two pictures for one.
    private static let sameAbove: Float = 0.94

    private static let columns: [Schema.Field] = [
        .init("image_path", .string()), .init("caption", .string()), .init("url", .string("The file, from this service.")),
        .init("width", .integer()), .init("height", .integer()),
    ]

    private var indices: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/indices-list", scope: .search, tag: "clip-retrieval", summary: "Names of the indexes.",
            answers: [.json(.array(.string()))], isLenient: true
        ) { _, _ in
            try await workshop.timed("indices") {
                let name = workshop.desk.exists ? try workshop.desk.library().activeIdentity()?.name : nil
                return .json("[" + (name.map(JSONText.quoted) ?? "") + "]")
            }
        }
    }

    private var search: Route {
        let workshop = workshop
        let hit = Schema.object([.init("id", .integer(), required: true), .init("similarity", .number(), required: true)] + Self.columns)
        return Route(
            method: .post, path: "/knn-service", scope: .search, tag: "clip-retrieval",
            summary: "Pictures near a text, a picture or a vector.",
            details: "The first `num_images` of `num_result_ids` hits come with their metadata.",
            bodies: [
                .json(
                    .object([
                        .init("text", .string()), .init("image", .string("Base64.")), .init("image_url", .string()),
                        .init("embedding_input", .array(.number())), .init("modality", .string(among: ["image", "text"])),
                        .init("num_images", .integer(), required: true), .init("num_result_ids", .integer()),
                        .init("indice_name", .string()), .init("deduplicate", .boolean()),
                    ]))
            ], answers: [.json(.array(hit))], failures: [404, 415, 422], isLenient: true
        ) { request, _ in
            let reader = try await request.json(workshop.settings.limits)
            let shown = try reading { try reader.int("num_images", in: 1...Query.largestLimit) }
            let limit = try reading { try reader.int("num_result_ids", default: shown, in: 1...Query.largestLimit) }
            let isDeduplicated = try reading { try reader.bool("deduplicate", default: false) }
            guard try reading({ try reader.string("modality", default: "image", among: ["image", "text"]) }) == "image" else {
                throw APIError.invalid("modality", "there is no index of captions; image is the only one")
            }
            var search = SearchRequest()
            search.terms = [SearchRequest.Term(subject: try await Self.subject(reader, workshop))]
            (search.limit, search.weights[.words], search.weights[.text]) = (limit, 0, 0)
            let (wanted, name, base) = (search, reader.raw("indice_name")?.string, Self.base(request))
            let words = try await workshop.vectors(of: wanted)
            return try await workshop.timed("search") {
                let searcher = try workshop.desk.searcher()
                try Self.check(name, searcher.library)
                var hits = try searcher.search(wanted.query(searcher.library, workshop.pictures), words: words).hits
                if isDeduplicated {
                    let doubles = try searcher.library.lookAlikes(among: hits.map(\.id), threshold: Self.sameAbove)
                    hits.removeAll { doubles.contains($0.id) }
                }
                return .json("[" + hits.enumerated().map { Self.json($1, isShown: $0 < shown, base).text }.joined(separator: ",") + "]")
            }
        }
    }

    /// As clip-retrieval takes it: the text before the picture before its address before the vector.
    private static func subject(_ reader: ConfigReader, _ workshop: Workshop) async throws -> SearchRequest.Subject {
        if let text = reader.raw("text")?.string, !text.isEmpty { return .words(text) }
        for name in ["image", "image_url"] {
            guard let text = reader.raw(name)?.string, !text.isEmpty else { continue }
            return .file(try await workshop.fetcher.picture(text, field: name))
        }
        if reader.has("embedding_input") { return .vector(try reading { try reader.floats("embedding_input") }) }
        throw APIError.invalid("text", "one of text, image, image_url and embedding_input is expected")
    }

    private static func check(_ name: String?, _ library: Library) throws {
        guard let name, !name.isEmpty, let active = try library.activeIdentity()?.name, name != active else { return }
        throw APIError(
            .notFound, "unknown_index", "there is no index \(name.prefix(100)); /indices-list names \(active)", field: "indice_name")
    }

    /// Where the service is, as the other side calls it.
    private static func base(_ request: Request) -> String { request.head.authority.map { "http://" + $0 } ?? "" }

    private static func json(_ hit: SearchHit, isShown: Bool, _ base: String) -> JSONLine {
        var line = JSONLine()
        if isShown {
            line.add("image_path", hit.path)
            line.add("caption", hit.title)
            line.add("url", "\(base)/api/pictures/\(hit.id)/file")
            line.add("width", hit.width)
            line.add("height", hit.height)
        }
        line.add("id", Int(hit.id))
        line.add("similarity", hit.similarity ?? hit.score)
        return line
    }

    private var metadata: Route {
        let workshop = workshop
        return Route(
            method: .post, path: "/metadata", scope: .search, tag: "clip-retrieval", summary: "Metadata of pictures by their ids.",
            details: "Ids that no picture has are left out.",
            bodies: [.json(.object([.init("ids", .array(.integer()), required: true), .init("indice_name", .string())]))],
            answers: [.json(.array(.object([.init("id", .integer()), .init("metadata", .object(Self.columns))])))], failures: [404],
            isLenient: true
        ) { request, _ in
            let reader = try await request.json(workshop.settings.limits)
            let ids = try reading { try reader.ints("ids", in: 0...Int.max) }.map { Int64($0) }
            guard ids.count <= Query.largestLimit else { throw APIError.invalid("ids", "at most \(Query.largestLimit)") }
            let (name, base) = (reader.raw("indice_name")?.string, Self.base(request))
            return try await workshop.timed("metadata") {
                let library = try workshop.desk.library()
                try Self.check(name, library)
                let found = try library.pictures(ids: ids)
                return .json("[" + ids.compactMap { found[$0] }.map { Self.json($0, base).text }.joined(separator: ",") + "]")
            }
        }
    }

    private static func json(_ entry: PictureEntry, _ base: String) -> JSONLine {
        var metadata = JSONLine()
        metadata.add("image_path", entry.path)
        metadata.add("caption", entry.title)
        metadata.add("url", "\(base)/api/pictures/\(entry.id)/file")
        metadata.add("width", entry.width)
        metadata.add("height", entry.height)
        var line = JSONLine()
        line.add("id", Int(entry.id))
        line.add("metadata", json: metadata.text)
        return line
    }
}
