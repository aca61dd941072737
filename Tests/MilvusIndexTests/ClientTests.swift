import Foundation
import Synchronization
import TestSupport
import Tensors
import Testing
import VectorIndex

@testable import MilvusIndex

/// Answers of a server that holds one collection and nothing in it.
private func quietly(_ call: StubServer.Call) -> StubServer.Reply {
    var answer = ProtobufWriter()
    switch call.method {
    case "HasCollection": answer.add(2, true)
    case "GetLoadState": answer.add(2, 3)
    case "DescribeCollection":
        answer.add(2) { schema in
            schema.add(2, "Sensorium: innerProduct")
            schema.add(4) { field in
                field.add(2, "id")
                field.add(3, true)
                field.add(5, 5)
            }
            schema.add(4) { field in
                field.add(2, "vector")
                field.add(5, 101)
                field.add(6) { pair in
                    pair.add(1, "dim")
                    pair.add(2, "3")
                }
            }
        }
    case "Upsert", "Delete": answer.add(9, 77)
    default: break
    }
    return .message(answer.bytes)
}

/// An answer that says no.
private func refusal(code: Int, _ reason: String, mayPass: Bool = false, asStatus: Bool = false) -> StubServer.Reply {
    var status = ProtobufWriter()
    status.add(2, reason)
    status.add(3, code)
    status.add(4, mayPass)
    if asStatus { return .message(status.bytes) }
    var answer = ProtobufWriter()
    answer.add(1, bytes: status.bytes)
    return .message(answer.bytes)
}

private func address(_ server: StubServer, _ options: String = "", user: String = "") throws -> MilvusAddress {
    try MilvusAddress("milvus://\(user)127.0.0.1:\(server.port)/pictures\(options)", environment: [:])
}

/// Waits for nothing, and remembers for how long it should have.
private final class Pauses: Sendable {
    private let all = Mutex<[Double]>([])
    var seconds: [Double] { all.withLock { $0 } }

    var policy: RetryPolicy {
        var policy = RetryPolicy()
        policy.pause = { seconds in self.all.withLock { $0.append(seconds) } }
        policy.jitter = { 1 }
        return policy
    }
}

private func problem(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "none"
    } catch { return "\(error)" }
}

@Suite struct ClientTests {
    /// What passes is tried again, each time later, and not for ever.
    @Test func retriesWhatPasses() throws {
        let replies: [StubServer.Reply] = [
            .status(14, "starting"), .http(503), refusal(code: 8, "too fast"), refusal(code: 12_345, "busy", mayPass: true),
        ]
        let server = try StubServer { call, number in number < replies.count ? replies[number] : quietly(call) }, pauses = Pauses()
        let index = try MilvusIndex.open(try address(server), retries: pauses.policy)
        #expect(index.dimension == 3 && index.metric == .innerProduct)
        #expect(server.methods.prefix(5).allSatisfy { $0 == "HasCollection" } && server.methods[5] == "DescribeCollection")
        #expect(pauses.seconds == [0.1, 0.2, 0.4, 0.8])
        let never = try StubServer { _, _ in .status(14, "never") }, more = Pauses()
        let text = problem { _ = try MilvusIndex.open(try address(never), retries: more.policy) }
        #expect(
            text.contains("milvus://127.0.0.1:\(never.port)/pictures: can't look for the collection: never")
                && text.contains("tried 6 times"))
        #expect(more.seconds.count == 5 && more.seconds.max() == 1.6 && never.calls.count == 6)
    }

    @Test(arguments: [
        (StubServer.Reply.status(16, "no"), "set MILVUS_TOKEN"), (.status(12, "unknown service"), "gRPC status 12"),
        (.http(404), "is this the port of Milvus' gRPC service"), (.message([0xFF, 0xFF]), "an answer that isn't Milvus'"),
        (refusal(code: 1_100, "wrong dimension"), "Milvus says wrong dimension (code 1100)"),
    ])
    func saysWhatIsWrongAtOnce(reply: StubServer.Reply, expected: String) throws {
        let server = try StubServer { _, _ in reply }, pauses = Pauses()
        let text = problem { _ = try MilvusIndex.open(try address(server), retries: pauses.policy) }
        #expect(text.contains(expected), "\(text)")
        #expect(server.calls.count == 1 && pauses.seconds.isEmpty)
    }

    @Test func nothingListens() throws {
        let server = try StubServer { call, _ in quietly(call) }
        var gone = try address(server)
        // A port below 1024 that nobody has.
        gone.port = 9
        let pauses = Pauses()
        let text = problem { _ = try MilvusIndex.open(gone, retries: pauses.policy) }
        #expect(
            text.contains("no connection") && text.contains("is a Milvus server running there?") && pauses.seconds.count == 5, "\(text)")
    }

    /// An answer that never comes; nothing else could end the call.
    @Test func timesOut() throws {
        let server = try StubServer { _, _ in .nothing }, pauses = Pauses()
        let text = problem { _ = try MilvusIndex.open(try address(server, "?timeout=0.2"), retries: pauses.policy) }
        #expect(text.contains("no answer within 0.2 s; ?timeout= in the address allows more") && pauses.seconds.isEmpty)
    }

    /// The connection that broke is made anew.
    @Test func connectsAgain() throws {
        let server = try StubServer { call, number in number == 8 ? .close : quietly(call) }, pauses = Pauses()
        let index = try MilvusIndex.open(try address(server), retries: pauses.policy)
        for _ in 0..<6 { #expect(try index.vectors(ids: [1]).ids == []) }
        // The first attempt after it may come before the end of the old one is known.
        #expect(server.calls.count == 5 + 6 + 1 && !pauses.seconds.isEmpty)
    }

    @Test func sendsTheTokenAndTheDatabase() throws {
        let server = try StubServer { call, _ in quietly(call) }
        _ = try MilvusIndex.open(try address(server, "?database=two", user: "root:Milvus@"))
        let headers = try #require(server.calls.first?.headers)
        #expect(headers["authorization"] == Data("root:Milvus".utf8).base64EncodedString() && headers["dbname"] == "two")
        #expect(headers["te"] == "trailers" && headers["content-type"] == "application/grpc" && headers["grpc-timeout"] == "30000m")
        let key = try MilvusAddress("milvus+tls://example.org/a?ca=%2Fca.pem", environment: ["MILVUS_TOKEN": "key"])
        #expect(key.token == "key" && key.isEncrypted && key.authorities == "/ca.pem" && key.port == 19_530)
    }

    /// Reads ask for the time of the last write, or with strong consistency for all there is.
    @Test(arguments: [("", true), ("?consistency=strong", false)])
    func readsItsOwnWrites(options: String, isSession: Bool) throws {
        let server = try StubServer { call, _ in quietly(call) }
        let index = try MilvusIndex.open(try address(server, options))
        func query() throws -> (level: Int, time: Int) {
            _ = try index.vectors(ids: [1])
            var found = (level: 0, time: 0)
            try ProtobufReader.read(try #require(server.calls.last?.message)[...]) { number, value in
                if number == 11 { found.level = value.int ?? 0 }
                if number == 8 { found.time = value.int ?? 0 }
            }
            return found
        }
        // The first read waits for all that others changed.
        #expect(try query() == (0, 0))
        #expect(try query() == (isSession ? 1 : 0, isSession ? 1 : 0))
        try index.upsert(ids: [1], vectors: try Tensor([1, 2, 3] as [Float], [1, 3]))
        #expect(try query() == (isSession ? 1 : 0, isSession ? 77 : 0))
        // The stub says that ids are there only where it is told to: a removal of none asks for nothing more.
        #expect(try index.remove(ids: [1]) == 0 && query() == (isSession ? 1 : 0, isSession ? 77 : 0))
    }
}

@Suite struct AddressTests {
    @Test func reads() throws {
        let plain = try MilvusAddress("milvus://example.org/pictures", environment: [:])
        #expect(plain.host == "example.org" && plain.port == 19_530 && plain.collection == "pictures" && plain.token == nil)
        #expect(plain.stored == "milvus://example.org:19530/pictures" && plain.index == .flat && plain.consistency == .session)
        let full = try MilvusAddress(
            "milvus+tls://me:secret@[::1]:99/a_1?index=hnsw&consistency=strong&timeout=5&database=d&ca=a%20b.pem",
            environment: ["MILVUS_TOKEN": "x"])
        #expect(full.host == "::1" && full.token == "me:secret" && full.timeout == 5 && full.index == .hnsw)
        #expect(!full.stored.contains("secret") && full.display == "milvus+tls://[::1]:99/a_1")
        var again = try MilvusAddress(full.stored, environment: [:])
        again.token = full.token
        #expect(again == full)
    }

    @Test(arguments: [
        ("milvus://", "milvus://host:port/collection"), ("milvus://host", "collection is absent"), ("milvus://host/1a", "letters, digits"),
        ("milvus://host/a?index=x", "flat, hnsw, ivf_flat, autoindex"), ("milvus://host/a?timeout=0", "0.1 to 3600"),
        ("milvus://host/a?colour=red", "option is colour"), ("http://host/a", "milvus://host:port/collection"),
        ("milvus://host:0/a", "1...65535"), ("milvus://host/a/b", "letters, digits"),
        ("milvus://host/a?consistency=soon", "session or strong"),
    ])
    func refuses(text: String, expected: String) {
        let said = problem { _ = try MilvusAddress(text, environment: [:]) }
        #expect(said.contains(expected), "\(said)")
    }

    @Test func hidesTheToken() {
        #expect(!problem { _ = try MilvusAddress("milvus://me:secret@ho st/a", environment: [:]) }.contains("secret"))
    }
}

@Suite struct ExpressionTests {
    /// Whatever the ids, the parts together pass exactly them, each once, and each is bounded.
    @Test func partsAreTheSet() throws {
        var random = RandomGenerator(seed: 3)
        let sets: [[Int64]] = [
            [], [5], Array(0..<64), Array(0..<63), Array(10..<100_000), (0..<50_000).map { $0 * 3 },
            [Int64.min, .min + 1, -1, 0, Int64.max - 1, .max],
            (0..<40_000).map { _ in Int64.random(in: 0..<60_000, using: &random) },
            (0..<2_000).flatMap { group in (0..<70).map { group * 100 + $0 } },
            Array((Int64.max - 99)...Int64.max), Array(Int64.min...(Int64.min + 99)),
        ]
        for ids in sets {
            for largest in [Int.max, 16_384, 100] {
                let set = IDSet(ids)
                var found: [Int64] = []
                for part in IDExpression.parts(set, largest: largest) {
                    let passed = try passing(part.expression)
                    #expect(passed.count == part.count && part.count <= largest && part.expression.utf8.count < 200_000)
                    found += passed
                }
                #expect(found.sorted() == set.sorted, "\(ids.count) ids")
            }
        }
    }

    /// The ids that an expression names.
    private func passing(_ expression: String) throws -> [Int64] {
        if expression.hasPrefix("id in [") {
            return try expression.dropFirst(7).dropLast().split(separator: ",").map { try #require(Int64($0)) }
        }
        return try expression.components(separatedBy: " || ").flatMap { run -> ClosedRange<Int64> in
            let bounds = try run.dropFirst().dropLast().components(separatedBy: " && ").map { part in
                try #require(Int64(part.split(separator: " ").last ?? ""))
            }
            // Without a lower bound it begins with the smallest, or the next.
            return bounds.count == 2 ? bounds[0]...bounds[1] : .min...bounds[0]
        }
    }
}
