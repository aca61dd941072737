import Catalog
import Hummingbird
import PictureLibrary

/// What the library holds, and the models that there are.
struct LibraryRoutes {
    let workshop: Workshop

    var routes: [Route] { [status, facets, problems, models] }

    private var status: Route {
        let workshop = workshop
        let index = Schema.object([
            .init("model", .string()), .init("digest", .string()), .init("dimension", .integer()), .init("embeds_text", .boolean()),
            .init("active", .boolean()), .init("vectors", .integer()), .init("pending", .integer()), .init("bytes", .integer()),
        ])
        let counts = ["files", "pictures", "failed", "missing", "problems", "catalogue_bytes"].map { Schema.Field($0, .integer()) }
        return Route(
            method: .get, path: "/api/library", scope: .search, tag: "library", summary: "What the library holds.",
            answers: [
                .json(
                    .object(
                        [
                            .init("library", .string()), .init("roots", .array(.string())), .init("indexes", .array(index)),
                            .init("last_run", .string()),
                        ]
                            + counts))
            ], failures: [404]
        ) { _, _ in
            try await workshop.timed("status") { .json(JSONLine(try workshop.desk.library().status())) }
        }
    }

    private var facets: Route {
        let workshop = workshop
        func counts(_ name: String) -> Schema {
            .array(.object([.init(name, .string(), required: true), .init("count", .integer("Files."), required: true)]))
        }
        return Route(
            method: .get, path: "/api/library/facets", scope: .search, tag: "library",
            summary: "Folders, tags and formats that filters can choose from.",
            parameters: [.init("limit", .integer("Most folders, and most tags; 500 where it isn't given."))],
            answers: [
                .json(.object([.init("folders", counts("path")), .init("tags", counts("tag")), .init("formats", counts("format"))]))
            ],
            failures: [404]
        ) { request, _ in
            let limit = try QueryParameters(request).int("limit", in: 1...10_000) ?? 500
            return try await workshop.timed("facets") { .json(JSONLine(try workshop.desk.library().facets(limit: limit))) }
        }
    }

    private var problems: Route {
        let workshop = workshop
        let entry = Schema.object([
            .init("path", .string()), .init("kind", .string()), .init("reason", .string()), .init("time", .string()),
            .init("still_indexed", .boolean()),
        ])
        return Route(
            method: .get, path: "/api/library/problems", scope: .search, tag: "library",
            summary: "Files and folders that couldn't be indexed.",
            parameters: [.init("limit", .integer("Most entries; 1000 where it isn't given."))],
            answers: [.json(.object([.init("problems", .array(entry))]))], failures: [404]
        ) { request, _ in
            let limit = try QueryParameters(request).int("limit", in: 1...100_000) ?? 1_000
            return try await workshop.timed("problems") {
                var line = JSONLine()
                line.add("problems", try workshop.desk.library().problems(limit: limit).map { JSONLine($0) })
                return .json(line)
            }
        }
    }

    private var models: Route {
        let shelf = workshop.shelf
        let entry = Schema.object([
            .init("name", .string()), .init("summary", .string()), .init("licence", .string()), .init("here", .boolean()),
            .init("offered", .boolean("Whether requests may name it.")),
            .init("embeds_pictures", .boolean("Whether a library can be indexed with it.")), .init("embeds_text", .boolean()),
        ])
        return Route(
            method: .get, path: "/api/models", scope: .search, tag: "library",
            summary: "Models of the catalogue, and whether they are here.",
            details: "`sensorium models pull NAME` fetches one.", answers: [.json(.object([.init("models", .array(entry))]))]
        ) { _, _ in
            let offered = shelf.names
            var line = JSONLine()
            line.add(
                "models",
                ModelPackage.all.filter { !$0.name.contains("/") }.map { package in
                    var line = JSONLine()
                    line.add("name", package.name)
                    line.add("summary", package.summary)
                    line.add("licence", package.license)
                    line.add("here", shelf.has(package))
                    line.add("offered", offered.contains(package.name))
                    line.add("embeds_pictures", package.embedsPictures)
                    line.add("embeds_text", package.embedsText)
                    return line
                })
            return .json(line)
        }
    }
}
