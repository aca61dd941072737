import Checkpoints
import Foundation
import HTTPTypes
import Hummingbird

extension Request {
    /// The whole body.
    /// - Throws: `APIError` 413 for more bytes than allowed, told before they come where the request says how many; 408 for a body that
    ///   doesn't arrive in time.
    func bytes(_ limits: ServiceSettings.Limits) async throws -> [UInt8] {
        let limit = limits.body
        @Sendable func tooLarge() -> APIError {
            APIError(
                .contentTooLarge, "body_too_large",
                "the body is over the limit of \(limit) bytes; the setting `limits.body` is larger or smaller",
                endsConnection: true)
        }
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge() }
        let body = body, time = Duration.seconds(limits.bodySeconds)
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await buffer in body {
                    guard bytes.count + buffer.readableBytes <= limit else { throw tooLarge() }
                    bytes.append(contentsOf: buffer.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: time)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else {
                throw APIError(
                    .requestTimeout, "body_too_slow", "the body didn't arrive within \(limits.bodySeconds) seconds", endsConnection: true)
            }
            return bytes
        }
    }

    /// The body as a JSON object.
    /// - Parameter known: The fields that there are; nil takes any, as clients of other services send fields that mean nothing here.
    func json(_ limits: ServiceSettings.Limits, known: [String]? = nil) async throws -> ConfigReader {
        try JSONBody.object(try await bytes(limits), known: known)
    }

    /// The media type without its parameters, in lower case; empty where none is given.
    var mediaType: String {
        let text = headers[.contentType] ?? ""
        return String(text.split(separator: ";", omittingEmptySubsequences: false)[0]).trimmingCharacters(in: .whitespaces).lowercased()
    }
}

/// JSON from outside.
enum JSONBody {
    /// Values in one document: a list of millions of numbers takes many times the room of its text.
    static let mostValues = 2_000_000
    static let name = "the body"

    static func object(_ bytes: [UInt8], known: [String]?) throws(APIError) -> ConfigReader {
        guard !bytes.isEmpty else { throw .invalid(nil, "the body is empty; a JSON object is expected") }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .invalid(nil, "the body isn't UTF-8") }
        guard valueCount(bytes) <= mostValues else {
            throw APIError(.contentTooLarge, "body_too_large", "the body holds more than \(mostValues) values")
        }
        let reader: ConfigReader
        do throws(CheckpointError) {
            let value = try bytes.withUnsafeBytes { raw in
                Result { () throws(CheckpointError) in try JSONValue.parse(raw, file: name) }
            }.get()
            reader = try ConfigReader(value, file: name)
        } catch {
            throw APIError(json: error)
        }
        if let known { try check(reader, known) }
        return reader
    }

    /// Refuses fields that nobody knows, with the nearest that there is.
    static func check(_ reader: ConfigReader, _ known: [String]) throws(APIError) {
        guard let name = reader.fields.first(where: { !known.contains($0) }) else { return }
        let full = reader.path.isEmpty ? name : reader.path + "." + name
        throw APIError(.badRequest, "unknown_field", "\(full): there is no such field; \(advice(name, known))", field: full)
    }

    static func advice(_ name: String, _ known: [String]) -> String {
        EditDistance.nearest(to: name, among: known, limit: 1).first.map { "did you mean `\($0)`?" }
            ?? "there are \(known.joined(separator: ", "))"
    }

    /// An upper bound: commas and opening brackets outside texts.
    private static func valueCount(_ bytes: [UInt8]) -> Int {
        var count = 1, isText = false, isEscaped = false
        for byte in bytes {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isText = true
                case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
                default: break
                }
            }
        }
        return count
    }
}

extension APIError {
    /// What is wrong with JSON from outside.
    fileprivate init(json error: CheckpointError) {
        switch error {
        case .config(_, let field, let found, let expected):
            self.init(.badRequest, "invalid_value", "\(field): \(expected) is expected, found \(found)", field: field)
        default: self.init(.badRequest, "invalid_json", error.description)
        }
    }
}

/// Runs the reading of a request's fields: what is wrong with them is the request's fault.
func reading<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as CheckpointError { throw APIError(json: error) }
}
