import Foundation
import VectorIndex

/// How often and how soon a request is made again that failed for a reason that passes.
public struct RetryPolicy: Sendable {
    public var attempts = 6
    /// Seconds before the second attempt; doubled for each one after.
    public var first = 0.1
    public var most = 3.0
    /// Waits so many seconds.
    public var pause: @Sendable (Double) -> Void = { Thread.sleep(forTimeInterval: $0) }
    /// A number from 0 to 1: clients that failed together don't come back together.
    public var jitter: @Sendable () -> Double = { Double.random(in: 0...1) }

    public init() {}

    /// - Parameter attempt: from 0.
    func wait(after attempt: Int) { pause(min(most, first * Double(1 << min(attempt, 20))) * (0.5 + jitter() / 2)) }
}

/// Requests to a Milvus server, with retries. Everything that changes something may be done twice with the same outcome.
final class MilvusClient: Sendable {
    private static let service = "/milvus.proto.milvus.MilvusService/"
    /// Not ready, unavailable, too many requests, over the rate, not fully loaded, channel not available (pkg/util/merr).
    private static let passing: Set<Int> = [1, 2, 4, 8, 103, 503]
    private static let rateLimit = 49

    let address: MilvusAddress
    let retries: RetryPolicy
    private let connection: GRPCConnection

    init(_ address: MilvusAddress, _ retries: RetryPolicy) {
        (self.address, self.retries) = (address, retries)
        let target = GRPCConnection.Target(
            host: address.host, port: address.port, isEncrypted: address.isEncrypted, authorities: address.authorities)
        var headers: [(String, String)] = []
        if let token = address.token { headers.append(("authorization", Data(token.utf8).base64EncodedString())) }
        if let database = address.database { headers.append(("dbname", database)) }
        connection = GRPCConnection(target, headers: headers)
    }

    /// - Parameters:
    ///   - operation: for messages, as in "can't search".
    ///   - isStatus: the answer is a status and nothing else.
    func call(_ method: String, _ message: [UInt8], _ operation: String, isStatus: Bool = false) throws(IndexError) -> ArraySlice<UInt8> {
        var attempt = 0
        while true {
            let isLast = attempt + 1 >= retries.attempts
            switch outcome(method, message, isStatus) {
            case .good(let answer): return answer
            case .refused(let status): guard Self.mayPass(status), !isLast else { throw failure(operation, status) }
            case .failed(let error):
                guard Self.mayPass(error), !isLast else { throw failure(operation, error, attempts: attempt + 1) }
            }
            retries.wait(after: attempt)
            attempt += 1
        }
    }

    private enum Outcome {
        case good(ArraySlice<UInt8>)
        case refused(MilvusStatus)
        case failed(GRPCFailure)
    }

    private func outcome(_ method: String, _ message: [UInt8], _ isStatus: Bool) -> Outcome {
        let answer: ArraySlice<UInt8>
        do throws(GRPCFailure) { answer = try connection.call(Self.service + method, message, timeout: address.timeout)[...] } catch {
            return .failed(error)
        }
        guard let status = try? Self.status(answer, isStatus) else { return .failed(Self.malformed) }
        return status.isGood ? .good(answer) : .refused(status)
    }

    static let malformed = GRPCFailure(kind: .malformed, reason: "an answer that isn't Milvus'")

    private static func status(_ answer: ArraySlice<UInt8>, _ isStatus: Bool) throws(ProtobufReader.Malformed) -> MilvusStatus {
        if isStatus { return try MilvusStatus(answer) }
        var status = MilvusStatus()
        try ProtobufReader.read(answer) { (number, value) throws(ProtobufReader.Malformed) in
            if number == 1, let bytes = value.bytes { status = try MilvusStatus(bytes) }
        }
        return status
    }

    private static func mayPass(_ status: MilvusStatus) -> Bool {
        status.mayPass || passing.contains(status.code) || (status.code == 0 && status.legacyCode == rateLimit)
    }

    /// The server may be starting or busy; what took too long isn't asked for again.
    private static func mayPass(_ failure: GRPCFailure) -> Bool {
        switch failure.kind {
        case .connection: true
        case .status(let code): [8, 10, 14].contains(code)
        case .timeout, .malformed: false
        }
    }

    private func failure(_ operation: String, _ status: MilvusStatus) -> IndexError {
        let code = status.code != 0 ? status.code : status.legacyCode
        return .remote(address: address.display, operation: operation, reason: "Milvus says \(status.reason.prefix(500)) (code \(code))")
    }

    func failure(_ operation: String, _ error: GRPCFailure, attempts: Int = 1) -> IndexError {
        let tries = attempts > 1 ? ", tried \(attempts) times" : ""
        let reason =
            switch error.kind {
            case .connection: "no connection (\(error.reason)\(tries)); is a Milvus server running there?"
            case .timeout: "\(error.reason); ?timeout= in the address allows more"
            case .malformed: "\(error.reason); is this the port of Milvus' gRPC service (19530)?"
            case .status(16), .status(7): "the token isn't taken (\(error.reason)); set MILVUS_TOKEN to user:password or an API key"
            case .status(let code): "\(error.reason) (gRPC status \(code)\(tries))"
            }
        return .remote(address: address.display, operation: operation, reason: reason)
    }

    /// Decodes an answer.
    func reading<Result>(
        _ operation: String, _ body: () throws(ProtobufReader.Malformed) -> Result
    ) throws(IndexError) -> Result {
        do throws(ProtobufReader.Malformed) { return try body() } catch { throw failure(operation, Self.malformed) }
    }
}
