import Hummingbird
import PictureLibrary
import Pipelines

/// The library in groups: pictures that look the same, and pictures that belong together.
struct GroupRoutes {
    let workshop: Workshop

    var routes: [Route] { [duplicates, clusters] }

    private static let entry: [Schema.Field] = [
        .init("id", .integer(), required: true), .init("path", .string(), required: true), .init("title", .string()),
        .init("width", .integer()), .init("height", .integer()), .init("format", .string()),
    ]

    private var duplicates: Route {
        let workshop = workshop
        let member = Schema.object(
            Self.entry + [.init("size", .integer("Bytes.")), .init("similarity", .number("Cosine to the first; 1 for equal bytes."))])
        let group = Schema.object([.init("count", .integer(), required: true), .init("pictures", .array(member), required: true)])
        return Route(
            method: .get, path: "/api/duplicates", scope: .search, tag: "library", summary: "Groups of pictures that look the same.",
            details: "Worked out from the vectors when it is first asked for, and kept until the library changes. The one with most pixels "
                + "comes first.",
            parameters: [
                .init("threshold", .number("Least cosine, above 0 to 1; \(Library.sameAbove) where it isn't given.")),
                .init("limit", .integer("Most groups; 100 where it isn't given.")),
            ],
            answers: [
                .json(
                    .object([
                        .init("groups", .array(group), required: true), .init("count", .integer("Of all groups."), required: true),
                        .init("compared", .integer("Pictures that were compared with all others."), required: true),
                        .init("pictures", .integer("Of the library."), required: true), .init("seconds", .number(), required: true),
                    ]))
            ], failures: [404, 409]
        ) { request, _ in
            let parameters = try QueryParameters(request)
            let threshold = try parameters.number("threshold") ?? Library.sameAbove
            let limit = try parameters.int("limit", in: 1...10_000) ?? 100
            guard threshold > 0, threshold <= 1 else { throw APIError.invalid("threshold", "a number above 0 and up to 1 is expected") }
            return try await workshop.timed("duplicates") {
                let start = ContinuousClock.now, found = try workshop.desk.library().duplicates(threshold: threshold)
                var line = JSONLine()
                line.add("groups", found.groups.prefix(limit).map { JSONLine($0) })
                line.add("count", found.groups.count)
                line.add("compared", found.compared)
                line.add("pictures", found.pictures)
                line.add("seconds", (ContinuousClock.now - start) / .seconds(1))
                return .json(line)
            }
        }
    }

    private var clusters: Route {
        let workshop = workshop
        let cluster = Schema.object([
            .init("cluster", .integer("Its number, from 1."), required: true),
            .init("words", .array(.string(), "What tells it from the others."), required: true),
            .init("count", .integer("Of its pictures."), required: true),
            .init("pictures", .array(.object(Self.entry), "The nearest to its middle first."), required: true),
        ])
        return Route(
            method: .get, path: "/api/clusters", scope: .search, tag: "library",
            summary: "Groups of pictures by what they show, with names.",
            details:
                "k-means of the vectors, named by the most telling words of titles, tags and folders, or, where nothing is written, by "
                + "the model's words. Worked out when it is first asked for, and kept until the library changes.",
            parameters: [
                .init("count", .integer("Of clusters, 1 to \(Library.mostClusters); as many as suit where it isn't given.")),
                .init("cluster", .integer("Only this one, by its number.")),
                .init("limit", .integer("Most pictures of each; 12 where it isn't given.")),
            ],
            answers: [
                .json(
                    .object([
                        .init("clusters", .array(cluster), required: true),
                        .init("clustered", .integer("Pictures in clusters."), required: true),
                        .init("pictures", .integer("Of the library, with a vector."), required: true),
                        .init("seconds", .number(), required: true),
                    ]))
            ], failures: [404, 409]
        ) { request, _ in
            let parameters = try QueryParameters(request)
            let count = try parameters.int("count", in: 1...Library.mostClusters)
            let only = try parameters.int("cluster", in: 1...Library.mostClusters)
            let limit = try parameters.int("limit", in: 1...Query.largestLimit) ?? 12
            return try await workshop.timed("clusters") {
                let start = ContinuousClock.now
                let found = try workshop.desk.searcher().clusters(count: count)
                let numbered = found.clusters.enumerated().filter { only == nil || $0.offset + 1 == only }
                if let only, numbered.isEmpty {
                    throw APIError(.notFound, "unknown_cluster", "there is no cluster \(only) of \(found.clusters.count)", field: "cluster")
                }
                var line = JSONLine()
                line.add("clusters", numbered.map { JSONLine($0.element, number: $0.offset + 1, most: limit) })
                line.add("clustered", found.clustered)
                line.add("pictures", found.pictures)
                line.add("seconds", (ContinuousClock.now - start) / .seconds(1))
                return .json(line)
            }
        }
    }
}
