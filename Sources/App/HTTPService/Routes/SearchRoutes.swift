import Foundation
import Hummingbird
import Imaging
import PictureLibrary

/// Searches of the library.
struct SearchRoutes {
    let workshop: Workshop

    var routes: [Route] { [get, post, similar] }

    private var get: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/api/search", scope: .search, tag: "library",
            summary: "Finds pictures by words, pictures, colour and filters.",
            parameters: SearchRequest.parameters, answers: [.json(.named("Hits"))], failures: [404, 409, 410]
        ) { request, _ in
            try await Self.answer(SearchRequest(QueryParameters(request)), workshop)
        }
    }

    private var post: Route {
        let workshop = workshop
        let form = Schema.object(SearchRequest.parameters.map { .init($0.name, $0.schema) } + [.init("image", .binary)])
        return Route(
            method: .post, path: "/api/search", scope: .search, tag: "library",
            summary: "Finds pictures, also by pictures that are sent along.",
            details: "As JSON with weighted terms; as a form whose files are pictures to look for; or as a picture's file alone, with the "
                + "rest in the address.",
            parameters: SearchRequest.parameters,
            bodies: [
                .json(SearchRequest.schema), .init("multipart/form-data", form), .init("image/*", .binary),
                .init("application/octet-stream", .binary),
            ], answers: [.json(.named("Hits"))], failures: [404, 409, 410, 415, 422]
        ) { request, _ in
            try await Self.answer(Self.read(request, workshop), workshop)
        }
    }

    private static func read(_ request: Request, _ workshop: Workshop) async throws -> SearchRequest {
        let (type, limits) = (request.mediaType, workshop.settings.limits)
        let parameters = try QueryParameters(request)
        switch type {
        case "application/json":
            guard parameters.values.isEmpty else { throw APIError.invalid(nil, "with a JSON body everything stands in the body") }
            return try await SearchRequest(request.json(limits), workshop.settings, workshop.fetcher)
        case "multipart/form-data":
            let form = try Multipart(await request.bytes(limits), type: request.headers[.contentType] ?? "")
            var values = parameters.values, files: [[UInt8]] = []
            for part in form.parts {
                if part.isFile {
                    files.append(Array(part.bytes))
                } else {
                    guard let text = String(validating: part.bytes, as: UTF8.self) else {
                        throw APIError.invalid(part.name, "it isn't UTF-8")
                    }
                    values.append((part.name, text))
                }
            }
            let all = QueryParameters(values)
            try all.check(SearchRequest.parameterNames)
            guard files.count <= QueryExpression.mostTerms else {
                throw APIError.invalid("image", "at most \(QueryExpression.mostTerms) pictures")
            }
            return try SearchRequest(all, files: files)
        case "application/octet-stream", "": return try SearchRequest(parameters, files: [await request.bytes(limits)])
        default:
            guard type.hasPrefix("image/") else {
                throw APIError(
                    .unsupportedMediaType, "unsupported_body",
                    "a body of type \(type.prefix(80)) isn't understood; send application/json, multipart/form-data or a picture as image/*"
                )
            }
            return try SearchRequest(parameters, files: [await request.bytes(limits)])
        }
    }

    private var similar: Route {
        let workshop = workshop
        return Route(
            method: .get, path: "/api/pictures/{id}/similar", scope: .search, tag: "library",
            summary: "Finds pictures that look like one of the library.",
            details: "Answers from stored vectors; with `region`, that part of the picture is put through the model.",
            parameters: [
                .init("id", .integer(), inPath: true), .init("limit", .integer("Most hits.")), .init("where", .string("A filter.")),
                .init("in", .string("Only pictures in this folder or beneath it.")), .init("min_score", .number()),
                .init("copies", .boolean("Other files with the same bytes too, first.")),
                .init("region", .string("x,y,width,height as parts of the picture, 0 to 1.")),
            ], answers: [.json(.named("Hits"))], failures: [404, 410]
        ) { request, context in
            let (id, parameters) = (try context.id("id"), try QueryParameters(request))
            if let region = try parameters.region("region") {
                var search = try SearchRequest(QueryParameters(parameters.values.filter { $0.name != "region" && $0.name != "copies" }))
                search.terms = [SearchRequest.Term(subject: .picture(id), region: region)]
                return try await Self.answer(search, workshop)
            }
            let limit = try parameters.int("limit", in: 1...Query.largestLimit) ?? 20
            let (filter, folder) = (try parameters.text("where"), try parameters.text("in"))
            let (minScore, copies) = (try parameters.number("min_score"), try parameters.flag("copies") ?? false)
            return try await workshop.timed("similar") {
                let start = ContinuousClock.now, library = try workshop.desk.library()
                let hits = try library.similar(
                    to: library.info(ofPicture: id).path, limit: limit,
                    filter: filter.map { text throws(WhereError) in try WhereFilter(text) },
                    folder: folder.map { FilePath($0) }, minScore: minScore, includesCopies: copies)
                return .json(Self.json(SearchAnswer(hits: hits), model: try library.activeIdentity()?.name, since: start))
            }
        }
    }

    private static func answer(_ search: SearchRequest, _ workshop: Workshop) async throws -> Response {
        let start = ContinuousClock.now, words = try await workshop.vectors(of: search)
        return try await workshop.timed("search") {
            let searcher = try workshop.desk.searcher()
            let answer = try searcher.search(search.query(searcher.library, workshop.pictures), words: words)
            let model = try searcher.library.activeIdentity()?.name
            return .json(json(answer, model: model, since: start))
        }
    }

    private static func json(_ answer: SearchAnswer, model: String?, since start: ContinuousClock.Instant) -> JSONLine {
        var line = JSONLine()
        line.add("hits", answer.hits.map { JSONLine($0) })
        line.add("count", answer.hits.count)
        line.add("model", model)
        line.add("words_as_text_because", answer.wordsAreTextBecause)
        if let cutoff = answer.cutoff { line.add("cutoff", json: JSONLine(cutoff).text) }
        line.add("seconds", (ContinuousClock.now - start) / .seconds(1))
        return line
    }
}

extension QueryParameters {
    func flag(_ name: String) throws(APIError) -> Bool? {
        switch try text(name) {
        case nil: nil
        case "true", "1", "yes": true
        case "false", "0", "no": false
        default: throw .invalid(name, "true or false is expected")
        }
    }
}
