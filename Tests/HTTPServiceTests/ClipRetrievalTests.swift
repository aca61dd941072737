import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import Testing

@testable import HTTPService

@Suite struct ClipRetrievalTests {
    private func list(_ client: any TestClientProtocol, _ uri: String, _ body: String? = nil) async throws -> [[String: Any]] {
        let response = try await client.execute(uri: uri, method: body == nil ? .get : .post, body: body.map { ByteBuffer(string: $0) })
        #expect(response.status == .ok, "\(String(buffer: response.body))")
        return try #require(try JSONSerialization.jsonObject(with: Data(String(buffer: response.body).utf8)) as? [[String: Any]])
    }

    /// All fields that `ClipClient` sends.
    private func query(
        _ what: String, images: Int = 2, results: Int = 4, deduplicate: Bool = false, index: String = "sensorium-clip-base",
        modality: String = "image"
    ) -> String {
        """
        {"text": null, "image": null, "image_url": null, "embedding_input": null, "deduplicate": \(deduplicate), "use_safety_model": true, \
        "use_violence_detector": true, "indice_name": "\(index)", "use_mclip": false, "aesthetic_score": 9, "aesthetic_weight": 0.5, \
        "modality": "\(modality)", "num_images": \(images), "num_result_ids": \(results)}
        """.replacing("\"\(what.prefix { $0 != ":" })\": null", with: "\"\(what.prefix { $0 != ":" })\"\(what.drop { $0 != ":" })")
    }

    @Test func indexesAreNamedAfterModels() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.test { client in
            let isNamed = String(buffer: try await client.execute(uri: "/indices-list", method: .get).body) == "[\"sensorium-clip-base\"]"
            #expect(isNamed)
        }
        let empty = try await ServiceFixture(pictures: 0)
        try await empty.test { client in
            let isEmpty = String(buffer: try await client.execute(uri: "/indices-list", method: .get).body) == "[]"
            #expect(isEmpty)
        }
    }

    @Test func hitsComeInItsForm() async throws {
        let fixture = try await ServiceFixture()
        let file = try Data(contentsOf: URL(fileURLWithPath: fixture.pictures.appending("picture-2.jpg").display)).base64EncodedString()
        try await fixture.test { client in
            let hits = try await list(client, "/knn-service", query("image: \"\(file)\""))
            #expect(hits.count == 4)
            #expect(
                (hits[0]["image_path"] as? String)?.hasSuffix("/picture-2.jpg") == true
                    && hits[0]["caption"] as? String == "picture number 2")
            #expect(hits[0]["similarity"] as? Double ?? 0 > 0.999)
            let id = try #require(hits[0]["id"] as? Int)
            #expect((hits[0]["url"] as? String)?.hasSuffix("/api/pictures/\(id)/file") == true)
            // Those beyond num_images come without metadata.
            #expect(Set(hits[3].keys) == ["id", "similarity"])
            let vector = try fixture.vector("picture-2.jpg")
            let same = try await list(client, "/knn-service", query("embedding_input: \(vector)"))
            #expect(same.map { $0["id"] as? Int } == hits.map { $0["id"] as? Int })
            let hasFour = try await list(client, "/knn-service", query("text: \"a red bicycle\"")).count == 4
            #expect(hasFour)
            let ids = hits.compactMap { $0["id"] as? Int }
            let metadata = try await list(client, "/metadata", "{\"ids\": \(ids + [123_456]), \"indice_name\": \"sensorium-clip-base\"}")
            #expect(metadata.map { $0["id"] as? Int } == ids)
            #expect((metadata[0]["metadata"] as? [String: Any])?["image_path"] as? String == hits[0]["image_path"] as? String)
            let hasNone = try await list(client, "/metadata", "{\"ids\": [], \"indice_name\": \"sensorium-clip-base\"}").isEmpty
            #expect(hasNone)
        }
    }

    @Test func lookAlikesAreLeftOutWhereThatIsAsked() async throws {
        let fixture = try await ServiceFixture(pictures: 3)
        // The same picture, written with other bytes.
        let twin = try ServiceFixture.picture(seed: 1).encoded(as: .jpeg(quality: 95))
        try Data(twin).write(to: URL(fileURLWithPath: fixture.pictures.appending("twin.jpg").display))
        try await fixture.index()
        let vector = try fixture.vector("picture-1.jpg")
        try await fixture.test { client in
            let all = try await list(client, "/knn-service", query("embedding_input: \(vector)", images: 10, results: 10))
            let once = try await list(
                client, "/knn-service", query("embedding_input: \(vector)", images: 10, results: 10, deduplicate: true))
            let names = all.map { ($0["image_path"] as! String as NSString).lastPathComponent }
            #expect(names.contains("twin.jpg") && names.contains("picture-1.jpg") && all.count == 4)
            #expect(once.first?["id"] as? Int == all.first?["id"] as? Int && once.count < all.count)
            #expect(!once.contains { ($0["image_path"] as! String).hasSuffix("twin.jpg") && names.first != "twin.jpg" })
        }
    }

    @Test func mistakesAreNamed() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        try await fixture.test { client in
            for (body, status, code) in [
                (query("text: \"a\"", modality: "text"), 400, "invalid_value"),
                (query("text: \"a\"", index: "laion5B"), 404, "unknown_index"),
                (query("nothing: 1"), 400, "invalid_value"), (query("text: \"a\"", images: 0), 400, "invalid_value"),
                (query("image: \"bm8=\""), 415, "unsupported_picture"), (query("image_url: \"http://127.0.0.1/\""), 400, "invalid_value"),
                (query("embedding_input: [0, 0]"), 400, "invalid_query"),
            ] {
                try await client.refuses("/knn-service", method: .post, body: body, status: status, code: code)
            }
        }
    }
}
