import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Imaging
import Testing

@testable import HTTPService

@Suite struct OpenAITests {
    private static let clip = "sensorium-clip-base", chat = "smollm2-135m-instruct"

    private func vectors(_ answer: [String: Any]) -> [[Double]] {
        (answer["data"] as? [[String: Any]] ?? []).map { $0["embedding"] as? [Double] ?? [] }
    }

    private func near(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 } }

    @Test func modelsAreListed() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.test { client in
            let names = try #require(try await client.json("/v1/models")["data"] as? [[String: Any]]).map { $0["id"] as? String }
            #expect(Set(names) == [Self.clip, Self.chat])
            let isAModel = try await client.json("/v1/models/\(Self.chat)")["object"] as? String == "model"
            #expect(isAModel)
            try await client.refuses("/v1/models/none", status: 404, code: "model_not_found")
        }
        try await fixture.test(fixture.settings { ($0.models, $0.languageModel) = ([Self.clip], nil) }) { client in
            let isAlone = (try await client.json("/v1/models")["data"] as? [Any])?.count == 1
            #expect(isAlone)
            try await client.refuses(
                "/v1/chat/completions", method: .post, body: "{\"model\": \"\(Self.chat)\"}", status: 404, code: "model_not_found")
        }
    }

    @Test func dialectsOfEmbeddingsAgree() async throws {
        let fixture = try await ServiceFixture(pictures: 1)
        let file = try Data(contentsOf: URL(fileURLWithPath: fixture.pictures.appending("picture-0.jpg").display)).base64EncodedString()
        let stored = try JSONSerialization.jsonObject(with: Data(try fixture.vector("picture-0.jpg").utf8)) as! [Double]
        let address = "data:image/jpeg;base64,\(file)"
        let inputs = [
            "\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {\"url\": \"\(address)\"}}]}]",
            "\"input\": [{\"content\": [{\"type\": \"image_url\", \"image_url\": {\"url\": \"\(address)\"}}]}]",
            "\"input\": [{\"content\": [{\"type\": \"input_image\", \"image_url\": \"\(address)\"}]}]",
            "\"input\": [{\"image\": \"\(file)\"}]", "\"input\": {\"image\": \"\(address)\"}",
        ]
        try await fixture.test { client in
            for input in inputs {
                let answer = try await client.post("/v1/embeddings", "{\"model\": \"\(Self.clip)\", \(input)}")
                #expect(near(vectors(answer)[0], stored), "\(input.prefix(40))")
            }
            func texts(_ input: String) async throws -> [String: Any] {
                try await client.post("/v1/embeddings", "{\"model\": \"\(Self.clip)\", \"user\": \"x\", \(input)}")
            }
            let two = try await texts("\"input\": [\"a cat\", \"a dog\"]")
            let one = try await texts("\"input\": \"a dog\""), part = try await texts("\"input\": [{\"content\": \"a dog\"}]")
            #expect(
                near(vectors(two)[1], vectors(one)[0]) && near(vectors(one)[0], vectors(part)[0]) && !near(vectors(two)[0], vectors(two)[1])
            )
            #expect(((two["usage"] as? [String: Any])?["prompt_tokens"] as? Int ?? 0) > 0)
            // The numbers as bytes.
            let packed = try await texts("\"input\": \"a dog\", \"encoding_format\": \"base64\"")
            let text = try #require((packed["data"] as? [[String: Any]])?.first?["embedding"] as? String)
            let bytes = try #require(Data(base64Encoded: text))
            let floats = bytes.withUnsafeBytes { raw in
                (0..<raw.count / 4).map { Double(raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)) }
            }
            #expect(near(floats, vectors(one)[0]))
            // Of several parts the mean.
            let both = try await texts(
                "\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a cat\"}, {\"type\": \"text\", \"text\": \"a dog\"}]}]"
            )
            let sum = zip(vectors(two)[0], vectors(two)[1]).map(+), length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(near(vectors(both)[0], sum.map { $0 / length }))
        }
    }

    @Test func whatCantBeEmbeddedIsNamed() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.test { client in
            for (body, status, code) in [
                ("{\"model\": \"x\", \"input\": \"a\"}", 404, "model_not_found"),
                ("{\"model\": \"/etc/passwd\", \"input\": \"a\"}", 404, "model_not_found"),
                ("{\"model\": \"\(Self.clip)\"}", 400, "invalid_value"), ("{\"input\": \"a\"}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": [1, 2]}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": [[1], [2]]}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": []}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": \"\"}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": \"a\", \"dimensions\": 3}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.clip)\", \"input\": \"a\", \"encoding_format\": \"hex\"}", 400, "invalid_value"),
                ("{\"model\": \"\(Self.chat)\", \"input\": \"a\"}", 400, "wrong_kind_of_model"),
                ("{\"model\": \"\(Self.clip)\", \"input\": [{\"image\": \"bm8=\"}]}", 415, "unsupported_picture"),
                ("{\"model\": \"\(Self.clip)\", \"input\": [{\"image\": \"https://10.0.0.1/\"}]}", 403, "host_not_allowed"),
                ("{\"model\": ", 400, "invalid_json"), ("", 400, "invalid_value"), ("[]", 400, "invalid_value"),
            ] {
                try await client.refuses("/v1/embeddings", method: .post, body: body, status: status, code: code)
            }
            let many = "[" + [String](repeating: "\"a\"", count: 257).joined(separator: ",") + "]"
            try await client.refuses(
                "/v1/embeddings", method: .post, body: "{\"model\": \"\(Self.clip)\", \"input\": \(many)}", status: 400,
                code: "invalid_value")
        }
    }

    @Test func nearerDocumentsRankFirst() async throws {
        let fixture = try await ServiceFixture(pictures: 2)
        let file = try Data(contentsOf: URL(fileURLWithPath: fixture.pictures.appending("picture-0.jpg").display)).base64EncodedString()
        try await fixture.test { client in
            let body =
                "{\"model\": \"\(Self.clip)\", \"query\": \"a cat\", \"documents\": [\"a dog on a hill\", \"a cat\", {\"text\": \"sea\"}], \"top_n\": 2, \"return_documents\": true}"
            let results = try #require(try await client.post("/v1/rerank", body)["results"] as? [[String: Any]])
            #expect(results.count == 2 && results[0]["index"] as? Int == 1)
            #expect((results[0]["document"] as? [String: Any])?["text"] as? String == "a cat")
            let score = try #require(results[0]["relevance_score"] as? Double)
            #expect(abs(score - 1) < 1e-5)
            let picture =
                "{\"model\": \"\(Self.clip)\", \"query\": {\"image\": \"\(file)\"}, \"documents\": [\"a\", {\"image\": \"\(file)\"}]}"
            let second = try #require(try await client.post("/v1/rerank", picture)["results"] as? [[String: Any]])
            #expect(second[0]["index"] as? Int == 1 && second[0]["document"] == nil)
            try await client.refuses(
                "/v1/rerank", method: .post, body: "{\"model\": \"\(Self.clip)\", \"query\": \"a\"}", status: 400, code: "invalid_value")
        }
    }

    private static let question =
        "\"model\": \"smollm2-135m-instruct\", \"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hello\"}]"

    @Test func answersAreTheSameWholeAndInPieces() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        try await fixture.test { client in
            let whole = try await client.post("/v1/chat/completions", "{\(Self.question), \"max_tokens\": 12, \"temperature\": 0}")
            let choice = try #require((whole["choices"] as? [[String: Any]])?.first), usage = try #require(whole["usage"] as? [String: Any])
            let text = try #require((choice["message"] as? [String: Any])?["content"] as? String)
            #expect(["stop", "length"].contains(choice["finish_reason"] as? String) && (usage["completion_tokens"] as? Int ?? 99) <= 12)
            let stream = try await client.execute(
                uri: "/v1/chat/completions", method: .post,
                body: ByteBuffer(
                    string:
                        "{\(Self.question), \"max_tokens\": 12, \"temperature\": 0, \"stream\": true, \"stream_options\": {\"include_usage\": true}}"
                ))
            #expect(stream.headers[.contentType]?.hasPrefix("text/event-stream") == true)
            let events = String(buffer: stream.body).components(separatedBy: "\n\n").filter { !$0.isEmpty }
            #expect(events.last == "data: [DONE]")
            var pieces = "", reason: String?, counts: [String: Any]?
            for event in events.dropLast() {
                let object = try #require(try JSONSerialization.jsonObject(with: Data(event.dropFirst(6).utf8)) as? [String: Any])
                #expect(object["object"] as? String == "chat.completion.chunk")
                counts = object["usage"] as? [String: Any] ?? counts
                for choice in object["choices"] as? [[String: Any]] ?? [] {
                    pieces += (choice["delta"] as? [String: Any])?["content"] as? String ?? ""
                    reason = choice["finish_reason"] as? String ?? reason
                }
            }
            #expect(pieces == text && reason == choice["finish_reason"] as? String)
            #expect(counts?["completion_tokens"] as? Int == usage["completion_tokens"] as? Int)
        }
    }

    @Test func whatAChatCantDoIsNamed() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        let picture = "[{\"type\": \"image_url\", \"image_url\": {\"url\": \"https://127.0.0.1/a.png\"}}]"
        try await fixture.test { client in
            for (extra, code) in [
                ("\"n\": 2", "invalid_value"), ("\"temperature\": 3", "invalid_value"), ("\"top_p\": 0", "invalid_value"),
                ("\"max_tokens\": 0", "invalid_value"),
                ("\"max_tokens\": 1000000", "invalid_value"), ("\"stop\": [\"\"]", "invalid_value"), ("\"tools\": [{}]", "invalid_value"),
                ("\"logprobs\": true", "invalid_value"), ("\"frequency_penalty\": 1", "invalid_value"),
                ("\"response_format\": {\"type\": \"json_object\"}", "invalid_value"), ("\"stream\": \"yes\"", "invalid_value"),
            ] {
                try await client.refuses(
                    "/v1/chat/completions", method: .post, body: "{\(Self.question), \(extra)}", status: 400, code: code)
            }
            for (messages, code) in [
                ("[{\"role\": \"user\", \"content\": \(picture)}]", "no_vision_model"), ("[]", "invalid_value"),
                ("[{\"role\": \"tool\", \"content\": \"a\"}]", "invalid_value"), ("[{\"role\": \"user\"}]", "invalid_value"),
                ("[{\"role\": \"user\", \"content\": \"\(String(repeating: "word ", count: 20_000))\"}]", "context_length_exceeded"),
            ] {
                let body = "{\"model\": \"\(Self.chat)\", \"messages\": \(messages), \"stream\": true}"
                try await client.refuses("/v1/chat/completions", method: .post, body: body, status: 400, code: code)
            }
            let wrong = "{\"model\": \"\(Self.clip)\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}"
            try await client.refuses("/v1/chat/completions", method: .post, body: wrong, status: 400, code: "wrong_kind_of_model")
        }
    }

    @Test func textsStopAtMarks() {
        func told(_ stops: [String], _ pieces: [String]) -> String {
            var scanner = StopScanner(stops), text = ""
            for piece in pieces where !scanner.hasStopped { text += scanner.take(piece) }
            return text + scanner.finish()
        }
        #expect(told([], ["a", "b"]) == "ab")
        #expect(told(["END"], ["one E", "N", "D two"]) == "one ")
        #expect(told(["END"], ["one E", "N", "X two"]) == "one ENX two")
        #expect(told(["x", "two"], ["one tw", "o x"]) == "one ")
        #expect(told(["END"], ["one EN"]) == "one EN")
        #expect(told(["。"], ["一", "。二"]) == "一")
    }
}
