import Checkpoints
import Foundation
import HTTPTypes
import Hummingbird
import Imaging
import PictureLibrary
import ServiceLifecycle

/// Indexing, as `sensorium index` does it.
struct JobRoutes {
    let workshop: Workshop

    var routes: [Route] { [start, list, get, events, cancel] }

    private static let id = Route.Parameter("id", .integer("Of the job."), inPath: true)
    private static let request = Schema.object([
        .init(
            "folders",
            .array(
                .string(),
                "Folders or pictures: those that the library knows, those beneath them, and those of the setting `index_folders`. "
                    + "Absent: all that the library knows.")),
        .init(
            "model", .string("A model of GET /v1/models; absent: the one in use. Searches go on with the earlier one until all is done.")),
        .init(
            "read_text", .boolean("Read the text in the pictures, too, once they are indexed, with \(RememberedModels.standardReader).")),
        .init("retry", .boolean("Try files again that failed before.")), .init("reread", .boolean("Read every file again.")),
        .init("hidden", .boolean("Hidden files and folders too.")), .init("links", .boolean("Follow symbolic links; true where absent.")),
    ])

    private var start: Route {
        let workshop = workshop
        return Route(
            method: .post, path: "/api/jobs", scope: .manage, tag: "indexing", summary: "Starts to index; one job goes on at a time.",
            bodies: [.json(Self.request)], status: .accepted, answers: [.json(.named("Job"))], failures: [403, 404, 409]
        ) { request, _ in
            let bytes = try await request.bytes(workshop.settings.limits)
            let reader = try JSONBody.object(bytes.isEmpty ? Array("{}".utf8) : bytes, known: Self.request.fieldNames)
            let model = try reading { reader.has("model") ? try reader.string("model") : nil }
            let prepare = try Self.update(reader, model: model, workshop)
            let pool = workshop.pool
            let job = try workshop.jobs.start(model: model) { try await pool.run(prepare) }
            return .json(job, status: .accepted)
        }
    }

    private static func update(
        _ reader: ConfigReader, model: String?, _ workshop: Workshop
    ) throws -> @Sendable () throws -> IndexingWork {
        let folders = try reading { try reader.strings("folders", default: []) }.map { FilePath($0).absolute() }
        if let model { _ = try workshop.shelf.source(model) }
        let isRead = try reading { try reader.bool("read_text", default: false) }
        let source = try isRead ? workshop.shelf.source(RememberedModels.standardReader) : nil
        var options = IndexingOptions()
        try reading {
            options.retriesFailed = try reader.bool("retry", default: false)
            options.rereadsAll = try reader.bool("reread", default: false)
            options.includesHidden = try reader.bool("hidden", default: false)
            options.followsLinks = try reader.bool("links", default: true)
        }
        let known = workshop.desk.exists ? try workshop.desk.library().roots() : []
        let allowed = known + workshop.settings.indexFolders
        for folder in folders where !allowed.contains(where: { folder.isInside($0) }) {
            throw APIError(
                .forbidden, "folder_not_allowed",
                "\(folder.display) lies in none of the library's folders; the setting `index_folders` allows more, as does `sensorium index`",
                field: "folders")
        }
        let (path, find, chosen) = (workshop.desk.path, workshop.shelf.find, options)
        let roots = folders.isEmpty && known.isEmpty ? workshop.settings.indexFolders : folders
        return {
            // Before hours of indexing: without the model nothing would be read after them.
            let reader = try source.map { try LibraryReader($0) }
            let update = try LibraryUpdate(of: path, roots: roots, model: model, options: chosen, find: find)
            var work = IndexingWork(update: update, reader: reader)
            work.reading.retriesFailed = chosen.retriesFailed
            return work
        }
    }

    private var list: Route {
        let jobs = workshop.jobs
        return Route(
            method: .get, path: "/api/jobs", scope: .manage, tag: "indexing", summary: "Jobs, the last one first.",
            answers: [.json(.object([.init("jobs", .array(.named("Job")))]))]
        ) { _, _ in
            var line = JSONLine()
            line.add("jobs", jobs.all)
            return .json(line)
        }
    }

    private var get: Route {
        let jobs = workshop.jobs
        return Route(
            method: .get, path: "/api/jobs/{id}", scope: .manage, tag: "indexing", summary: "How far a job is.", parameters: [Self.id],
            answers: [.json(.named("Job"))], failures: [404]
        ) { _, context in .json(try jobs.json(Int(context.id("id")))) }
    }

    private var cancel: Route {
        let jobs = workshop.jobs
        return Route(
            method: .delete, path: "/api/jobs/{id}", scope: .manage, tag: "indexing",
            summary: "Ends a job after the batch in work; what was indexed stays.", parameters: [Self.id], status: .accepted,
            answers: [.json(.named("Job"))], failures: [404]
        ) { _, context in .json(try jobs.cancel(Int(context.id("id"))), status: .accepted) }
    }

    private var events: Route {
        let jobs = workshop.jobs
        return Route(
            method: .get, path: "/api/jobs/{id}/events", scope: .manage, tag: "indexing",
            summary: "Follows a job by server-sent events: progress, reading, problem, and at last done, cancelled or failed.",
            parameters: [Self.id],
            answers: [.init("text/event-stream", .string())], failures: [404]
        ) { _, context in
            let following = try jobs.follow(Int(context.id("id")))
            return .eventStream { writer in
                try await withGracefulShutdownHandler {
                    for await event in following.events { try await writer.send(event.data, event: event.name) }
                } onGracefulShutdown: {
                    following.end()
                }
            }
        }
    }
}
