import Catalog
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import PictureLibrary
import Pipelines
import Testing

@testable import HTTPService

@Suite struct LibraryRouteTests {
    @Test func searchesTakeEveryFilterThatTheCommandLineHas() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.test { client in
            let words = try await client.json("/api/search?q=picture+number+3&text_weight=5&limit=3")
            #expect(paths(words).first == "picture-3.jpg" && words["count"] as? Int == 3)
            #expect(words["model"] as? String == "sensorium-clip-base")
            let filtered = try await client.json("/api/search?where=name%20%3D%20%22picture-2.jpg%22")
            #expect(paths(filtered) == ["picture-2.jpg"])
            let folder = fixture.pictures.display.addingPercentEncoding(withAllowedCharacters: .alphanumerics)!
            let hasAll = paths(try await client.json("/api/search?in=\(folder)&limit=100")).count == 6
            #expect(hasAll)
            let hasNone = paths(try await client.json("/api/search?in=%2Fnowhere")).isEmpty
            #expect(hasNone)
            _ = try await client.json("/api/search?color=%23c02020&min_score=0.2")
            let weighed = try await client.json("/api/search?q=picture+number+3&weights=meaning=0,words=2")
            let shares = (weighed["hits"] as? [[String: Any]])?.first?["rankings"] as? [[String: Any]]
            #expect(shares?.map { $0["by"] as? String } == ["words"] && shares?.first?["weight"] as? Double == 2)
            let posted = try await client.post("/api/search", "{\"q\": \"picture number 3\", \"weights\": {\"words\": 2, \"meaning\": 0}}")
            #expect(paths(posted) == paths(weighed) && paths(posted).first == "picture-3.jpg")
            let weighted = try await client.json("/api/search?q=2%3A%20picture%20-%20number")
            #expect(weighted["words_as_text_because"] == nil)
        }
    }

    @Test func textToReadAndGroupsAreAskedFor() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.readText()
        try await fixture.test { client in
            let read = try await client.json("/api/search?q=text:%20exit&limit=2")
            let line = (read["hits"] as? [[String: Any]])?.first?["read_line"] as? String
            #expect(paths(read).count == 2 && line == "Emergency EXIT")
            let posted = try await client.post("/api/search", "{\"terms\": [{\"read\": \"exit\"}], \"limit\": 2}")
            #expect(paths(posted) == paths(read))
            let found = try await client.json("/api/clusters?count=2&limit=1")
            let clusters = try #require(found["clusters"] as? [[String: Any]])
            #expect(clusters.count == 2 && clusters.compactMap { $0["count"] as? Int }.reduce(0, +) == 6 && found["clustered"] as? Int == 6)
            #expect(clusters.allSatisfy { ($0["pictures"] as? [Any])?.count == 1 })
            let one = try await client.json("/api/clusters?count=2&cluster=2&limit=100")
            let isSecond = (one["clusters"] as? [[String: Any]])?.map { $0["cluster"] as? Int } == [2]
            #expect(isSecond)
            try await client.refuses("/api/clusters?count=2&cluster=3", status: 404, code: "unknown_cluster")
            try await client.refuses("/api/clusters?count=0", status: 400, code: "invalid_value")
            let groups = try await client.json("/api/duplicates?threshold=0.0001&limit=1")
            #expect((groups["groups"] as? [[String: Any]])?.first?["count"] as? Int == 6 && groups["compared"] as? Int == 6)
            try await client.refuses("/api/duplicates?threshold=2", status: 400, code: "invalid_value")
            // Too few pictures for a cut-off: said, and nothing is cut.
            let few = try await client.json("/api/search?q=picture&cutoff=auto&limit=100")
            let cutoff = try #require(few["cutoff"] as? [String: Any])
            #expect(paths(few).count == 6 && cutoff["how"] as? String == "none" && cutoff["because"] != nil)
            let given = try await client.post("/api/search", "{\"q\": \"nothing of it\", \"cutoff\": 2}")
            #expect(paths(given).isEmpty && (given["cutoff"] as? [String: Any])?["cut"] as? Int == 6)
            try await client.refuses("/api/search?q=a&cutoff=on", status: 400, code: "invalid_value")
        }
    }

    @Test func mistakesAreNamed() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.test { client in
            for (uri, code) in [
                ("/api/search?qq=a", "unknown_parameter"), ("/api/search", "invalid_query"), ("/api/search?q=a&q=b", "invalid_value"),
                ("/api/search?q=a&limit=0", "invalid_value"), ("/api/search?q=a&limit=x", "invalid_value"),
                ("/api/search?where=nme%20%3D%201", "invalid_filter"), ("/api/search?color=nocolour", "invalid_query"),
                ("/api/search?q=-%20a", "invalid_query"), ("/api/search?q=%FF%FE", "invalid_value"),
                ("/api/search?q=a&min_score=nan", "invalid_value"), ("/api/search?q=a&weights=look=1", "invalid_value"),
                ("/api/search?q=a&weights=words=-1", "invalid_value"), ("/api/search?q=a&text_weight=-1", "invalid_value"),
                ("/api/search?q=a&weights=meaning=0,words=0,text=0", "invalid_query"),
                ("/api/search?q=a&region=0,0,1,1", "invalid_value"), ("/api/search?picture=1&region=0,0,2,1", "invalid_value"),
            ] {
                try await client.refuses(uri, status: 400, code: code)
            }
            try await client.refuses("/api/search?picture=999", status: 404, code: "unknown_picture")
            let answer = try await client.json("/api/search?wher=a", status: 400)
            let error = try #require(answer["error"] as? [String: Any])
            #expect(error["param"] as? String == "wher" && (error["message"] as? String)?.contains("`where`") == true)
            #expect(error["type"] as? String == "invalid_request_error")
        }
    }

    @Test func picturesThatAreSentAlongAreFound() async throws {
        let fixture = try await ServiceFixture()
        let file = try [UInt8](Data(contentsOf: URL(fileURLWithPath: fixture.pictures.appending("picture-4.jpg").display)))
        try await fixture.test { client in
            // As the body itself.
            let raw = try await client.execute(
                uri: "/api/search?limit=2", method: .post, headers: [.contentType: "image/jpeg"], body: ByteBuffer(bytes: file))
            let hits = try #require(try JSONSerialization.jsonObject(with: Data(String(buffer: raw.body).utf8)) as? [String: Any])
            #expect(paths(hits).first == "picture-4.jpg" && paths(hits).count == 2)
            let similarity = try #require((hits["hits"] as? [[String: Any]])?.first?["similarity"] as? Double)
            #expect(similarity > 0.999)
            // In a form, with words and a limit.
            var form = Array("--XX\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\n1\r\n--XX\r\n".utf8)
            form += Array("Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n".utf8)
            form += file + Array("\r\n--XX--\r\n".utf8)
            let sent = try await client.execute(
                uri: "/api/search", method: .post, headers: [.contentType: "multipart/form-data; boundary=XX"],
                body: ByteBuffer(bytes: form))
            #expect(String(buffer: sent.body).contains("picture-4.jpg"), "\(String(buffer: sent.body))")
            // As base64 in JSON, with a weight; the picture's own likeness is taken away again.
            let text = Data(file).base64EncodedString()
            let json = try await client.post("/api/search", "{\"terms\": [{\"image\": \"\(text)\", \"weight\": 2}], \"limit\": 1}")
            #expect(paths(json) == ["picture-4.jpg"])
            let less = try await client.post(
                "/api/search", "{\"terms\": [{\"text\": \"picture\"}, {\"image\": \"data:image/jpeg;base64,\(text)\", \"weight\": -1}]}")
            #expect(paths(less).count == 6)
        }
    }

    @Test func likenessComesFromIdsRegionsAndVectors() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.test { client in
            let ids = try await fixture.ids(client)
            let id = try #require(ids["picture-1.jpg"])
            let similar = try await client.json("/api/pictures/\(id)/similar?limit=3")
            #expect(paths(similar).count == 3 && !paths(similar).contains("picture-1.jpg"))
            let whole = try await client.json("/api/pictures/\(id)/similar?region=0,0,1,1&limit=1")
            #expect(paths(whole) == ["picture-1.jpg"])
            let part = try await client.json("/api/pictures/\(id)/similar?region=0.1,0.1,0.3,0.5&limit=6")
            #expect(paths(part).count == 6)
            let term = try await client.post("/api/search", "{\"terms\": [{\"picture\": \(id), \"region\": [0, 0, 1, 1]}], \"limit\": 1}")
            #expect(paths(term) == ["picture-1.jpg"])
            let vector = try fixture.vector("picture-1.jpg")
            let found = try await client.post("/api/search", "{\"terms\": [{\"vector\": \(vector)}], \"limit\": 1}")
            #expect(paths(found) == ["picture-1.jpg"])
            for body in [
                "{\"terms\": [{\"vector\": [1, 2]}]}", "{\"terms\": [{\"text\": \"a\", \"picture\": 1}]}",
                "{\"terms\": [{\"text\": \"a\", \"region\": [0,0,1,1]}]}", "{\"trems\": []}", "[1]", "{\"q\": 3}",
                "{\"terms\": [{\"text\": \"a\", \"weight\": 0}]}", "{\"q\": \"a\", \"weights\": {\"look\": 1}}",
                "{\"q\": \"a\", \"weights\": {\"words\": -1}}", "{\"q\": \"a\", \"weights\": \"words=1\"}",
            ] {
                _ = try await client.post("/api/search", body, status: 400)
            }
        }
    }

    @Test func picturesListsAndStates() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.test { client in
            let first = try await client.json("/api/pictures?limit=4")
            let next = try #require(first["next"] as? Int)
            let rest = try await client.json("/api/pictures?limit=4&after=\(next)")
            #expect((rest["pictures"] as? [Any])?.count == 2 && rest["next"] == nil)
            let id = try #require(try await fixture.ids(client)["picture-0.jpg"])
            let info = try await client.json("/api/pictures/\(id)")
            #expect(info["title"] as? String == "picture number 0" && info["width"] as? Int == 64 && info["id"] as? Int == id)
            let status = try await client.json("/api/library")
            #expect(status["pictures"] as? Int == 6 && (status["indexes"] as? [[String: Any]])?.first?["active"] as? Bool == true)
            let hasNoProblem = (try await client.json("/api/library/problems")["problems"] as? [Any])?.isEmpty == true
            #expect(hasNoProblem)
            let models = try #require(try await client.json("/api/models")["models"] as? [[String: Any]])
            let base = models.first { $0["name"] as? String == "sensorium-clip-base" }
            for flag in ["here", "offered", "embeds_pictures", "embeds_text"] { #expect(base?[flag] as? Bool == true, "\(flag)") }
            #expect(models.contains { $0["embeds_pictures"] as? Bool == true && $0["here"] as? Bool == false })
            try await client.refuses("/api/pictures/none", status: 404, code: "unknown_id")
            try await client.refuses("/api/nothing", status: 404, code: "http_404")
        }
    }

    @Test func filesAndThumbnailsAreKeptByBrowsers() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        let file = try Data(contentsOf: URL(fileURLWithPath: fixture.pictures.appending("picture-0.jpg").display))
        try await fixture.test { client in
            let id = try #require(try await fixture.ids(client)["picture-0.jpg"])
            let whole = try await client.execute(uri: "/api/pictures/\(id)/file", method: .get)
            #expect(Data(whole.body.readableBytesView) == file && whole.headers[.contentType] == "image/jpeg")
            #expect(
                whole.headers[.contentSecurityPolicy] == "default-src 'none'; sandbox" && whole.headers[.xContentTypeOptions] == "nosniff")
            let tag = try #require(whole.headers[.eTag])
            let again = try await client.execute(uri: "/api/pictures/\(id)/file", method: .get, headers: [.ifNoneMatch: tag])
            #expect(again.status == .notModified && again.body.readableBytes == 0)
            let small = try await client.execute(uri: "/api/pictures/\(id)/thumbnail?side=16", method: .get)
            let picture = try PictureDecoder.decode(bytes: Array(small.body.readableBytesView))
            #expect(picture.width == 16 && picture.height == 12)
            let second = try await client.execute(uri: "/api/pictures/\(id)/thumbnail?side=16", method: .get)
            #expect(second.body == small.body && second.headers[.eTag] == small.headers[.eTag] && small.headers[.eTag] != tag)
            try await client.refuses("/api/pictures/\(id)/thumbnail?side=9", status: 400, code: "invalid_value")
        }
    }

    @Test func jobsIndexAndAreFollowed() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        for seed in 0..<5 { try fixture.write("a/picture-\(seed).jpg", seed: seed) }
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: fixture.pictures.appending("broken.jpg").display))
        let allowed = fixture.settings { $0.indexFolders = [fixture.pictures] }
        try await fixture.test(allowed) { client in
            try await client.refuses("/api/search?q=a", status: 404, code: "no_library")
            try await client.refuses("/api/jobs", method: .post, body: "{\"folders\": [\"/etc\"]}", status: 403, code: "folder_not_allowed")
            let traversal = "{\"folders\": [\"\(fixture.pictures.display)/../..\"]}"
            try await client.refuses("/api/jobs", method: .post, body: traversal, status: 403, code: "folder_not_allowed")
            try await client.refuses("/api/jobs", method: .post, body: "{\"model\": \"../../etc\"}", status: 404, code: "model_not_found")
            try await client.refuses("/api/jobs", method: .post, body: "{\"folder\": []}", status: 400, code: "unknown_field")
            let job = try await client.post("/api/jobs", "{\"folders\": [\"\(fixture.pictures.display)\"]}", status: 202)
            let id = try #require(job["id"] as? Int)
            let events = String(buffer: try await client.execute(uri: "/api/jobs/\(id)/events", method: .get).body)
            #expect(events.hasSuffix("\n\n") && events.contains("event: done\ndata: {"), "\(events)")
            let end = try await client.json("/api/jobs/\(id)")
            #expect(end["outcome"] as? String == "done" && end["problem_count"] as? Int == 1)
            #expect((end["progress"] as? [String: Any])?["embedded"] as? Int == 5)
            let hasOneJob = (try await client.json("/api/jobs")["jobs"] as? [Any])?.count == 1
            #expect(hasOneJob)
            try await client.refuses("/api/jobs/99/events", status: 404, code: "unknown_job")
            // A later one needs no folders, and one that has ended can't be cancelled any more.
            let second = try await client.post("/api/jobs", "", status: 202)
            _ = try await client.execute(uri: "/api/jobs/\(second["id"] as! Int)/events", method: .get)
            let cancelled = try await client.json("/api/jobs/\(second["id"] as! Int)", method: .delete, status: 202)
            #expect(cancelled["outcome"] as? String == "done")
            let hasFive = try await fixture.ids(client).count == 5
            #expect(hasFive)
        }
    }

    @Test func aJobReadsTheTextInPictures() async throws {
        let fixture = try await ServiceFixture(pictures: 3)
        try await fixture.test { client in
            try await client.refuses("/api/jobs", method: .post, body: "{\"read_text\": true}", status: 404, code: "model_not_found")
            try fixture.standIn("ppocr-small", for: "Vision/PPOCR/golden/tiny")
            let job = try await client.post("/api/jobs", "{\"read_text\": true}", status: 202)
            let id = try #require(job["id"] as? Int)
            let events = String(buffer: try await client.execute(uri: "/api/jobs/\(id)/events", method: .get).body)
            #expect(events.contains("event: done"))
            let end = try await client.json("/api/jobs/\(id)")
            let reading = try #require(end["reading"] as? [String: Any])
            #expect(end["outcome"] as? String == "done" && reading["read"] as? Int == 3 && reading["pending"] as? Int == 0)
        }
    }

    @Test func jobsAreCancelledAndOneGoesOnAtATime() async throws {
        let jobs = IndexingJobs()
        // One that never gets beyond its preparations.
        let waiting: @Sendable () async throws -> IndexingWork = {
            try await Task.sleep(for: .seconds(86_400))
            throw SettingsError("it went on")
        }
        #expect(try jobs.start(waiting).text.contains("\"outcome\":\"running\""))
        let refusal = #expect(throws: APIError.self) { try jobs.start(waiting) }
        #expect(refusal?.status == .conflict && refusal?.code == "job_running")
        let following = try jobs.follow(1)
        _ = try jobs.cancel(1)
        var names: [String] = []
        for await event in following.events { names.append(event.name) }
        #expect(names == ["progress", "cancelled"])
        #expect(try jobs.json(1).text.contains("\"outcome\":\"cancelled\""))
        // What goes wrong before a picture was read is told, too.
        _ = try jobs.start { throw APIError(.notFound, "x", "no such model") }
        var last = ""
        for await event in try jobs.follow(2).events { last = event.name }
        #expect(try last == "failed" && jobs.json(2).text.contains("no such model"))
        _ = try jobs.start(waiting)
        await jobs.close()
        #expect(throws: APIError.self) { try jobs.start(waiting) }
    }

    @Test func removedPicturesAreGone() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.test { client in
            let id = try #require(try await fixture.ids(client)["picture-5.jpg"])
            let isRemoved = try await client.json("/api/pictures/\(id)", method: .delete)["pictures"] as? Int == 1
            #expect(isRemoved)
            try await client.refuses("/api/pictures/\(id)/file", status: 404, code: "unknown_picture")
            try await client.refuses("/api/pictures/\(id)", method: .delete, status: 404, code: "unknown_picture")
            let leavesFive = paths(try await client.json("/api/search?q=picture&limit=100")).count == 5
            #expect(leavesFive)
        }
        #expect(FileManager.default.fileExists(atPath: fixture.pictures.appending("picture-5.jpg").display))
    }

    @Test func countsAreTold() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.test { client in
            _ = try await client.json("/api/search?q=a")
            try await client.refuses("/api/search?q", status: 400, code: "invalid_query")
            let text = String(buffer: try await client.execute(uri: "/metrics", method: .get).body)
            #expect(text.contains("sensorium_requests_total{method=\"GET\",route=\"/api/search\",status=\"200\"} 1\n"), "\(text)")
            #expect(text.contains("sensorium_requests_total{method=\"GET\",route=\"/api/search\",status=\"400\"} 1\n"))
            #expect(
                text.contains("sensorium_stage_seconds_count{stage=\"search\"} ")
                    && text.contains("# TYPE sensorium_request_seconds histogram"))
            #expect(text.contains("sensorium_model_loads_total{model=\"sensorium-clip-base\"} 1\n"))
        }
    }
}

extension ServiceFixture {
    /// The embedding of a picture as JSON.
    func vector(_ name: String) throws -> String {
        let embedder = try ModelEmbedder(ModelPlace("sensorium-clip-base", cache: cache))
        let picture = try PictureDecoder.decode(path: pictures.appending(name))
        return "[" + (try embedder.embed([try embedder.prepare(picture)]).floats()).map(\.description).joined(separator: ",") + "]"
    }
}
