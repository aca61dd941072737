import Catalog
import Checkpoints
import HTTPTypes
import Hummingbird
import Imaging
import ModelKit
import PictureLibrary
import Pipelines
import Tensors
import Tokenizers

/// What a request gets that can't be answered, always in one shape, which is also that of OpenAI's service:
///
///     {"error": {"message": "...", "type": "invalid_request_error", "param": "limit", "code": "invalid_value"}}
struct APIError: Error, Sendable {
    var status: HTTPResponse.Status
    /// For programs.
    var code: String
    /// For people: what is wrong and what to do.
    var message: String
    /// The field or parameter that is wrong.
    var field: String?
    var headers: HTTPFields
    /// Whether more of the request may still come that nobody will read.
    var endsConnection = false

    init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String, field: String? = nil, headers: HTTPFields = [:],
        endsConnection: Bool = false
    ) {
        (self.status, self.code, self.message, self.field, self.headers) = (status, code, message, field, headers)
        self.endsConnection = endsConnection
    }

    static func invalid(_ field: String?, _ message: String) -> APIError {
        APIError(.badRequest, "invalid_value", field.map { "\($0): \(message)" } ?? message, field: field)
    }

    private var type: String {
        switch status.code {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    var json: JSONLine {
        var error = JSONLine()
        error.add("message", message)
        error.add("type", type)
        if let field { error.add("param", field) } else { error.add("param", json: "null") }
        error.add("code", code)
        var line = JSONLine()
        line.add("error", json: error.text)
        return line
    }
}

extension APIError {
    static func overloaded() -> APIError {
        APIError(.serviceUnavailable, "overloaded", "too many requests wait already; try again", headers: [.retryAfter: "1"])
    }

    /// Says in the service's terms what went wrong below it; nil for what nobody foresaw.
    init?(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as LibraryError: self.init(library: error)
        case let error as WhereError: self.init(.badRequest, "invalid_filter", error.description, field: "where")
        case let error as PictureError: self.init(picture: error)
        case let error as RoleError: self.init(.badRequest, "wrong_kind_of_model", error.description, field: "model")
        case let error as ModelPlaceError: self.init(.notFound, "model_not_found", error.description, field: "model")
        case let error as CheckpointError: self.init(.serviceUnavailable, "model_unusable", error.description)
        case let error as TokenizerError: self.init(.serviceUnavailable, "model_unusable", error.description)
        case let error as TensorError: self.init(.serviceUnavailable, "model_failed", error.description)
        case let error as HTTPError:
            let message = error.status == .notFound ? "there is nothing at this address; /openapi.json lists what there is" : error.body
            self.init(error.status, "http_\(error.status.code)", message ?? error.status.reasonPhrase)
        default: return nil
        }
    }

    private init(library error: LibraryError) {
        let message = error.description
        switch error {
        case .badQuery: self.init(.badRequest, "invalid_query", message)
        case .badFilter: self.init(.badRequest, "invalid_filter", message, field: "where")
        case .nothingToIndex, .ambiguousIndex, .source, .place: self.init(.badRequest, "invalid_value", message)
        case .unreachableRoot: self.init(.badRequest, "unreachable_folder", message, field: "folders")
        case .unknownPicture: self.init(.notFound, "unknown_picture", message)
        case .notALibrary, .noActiveIndex: self.init(.notFound, "no_library", message)
        case .notIndexed: self.init(.conflict, "not_indexed", message)
        case .locked: self.init(.conflict, "locked", message)
        case .unreadablePicture: self.init(.gone, "unreadable_picture", message)
        case .storage, .output: self.init(.init(code: 507, reasonPhrase: "Insufficient Storage"), "storage", message)
        case .newerVersion, .damaged: self.init(.serviceUnavailable, "library_unusable", message)
        case .service: self.init(.badGateway, "index_unreachable", message)
        case .embedder, .model: self.init(.serviceUnavailable, "model_unusable", message)
        case .watch: self.init(.serviceUnavailable, "unwatched", message)
        }
    }

    private init(picture error: PictureError) {
        switch error.reason {
        case .tooLarge, .fileTooLarge: self.init(.contentTooLarge, "picture_too_large", error.description)
        case .unrecognised, .unsupported: self.init(.unsupportedMediaType, "unsupported_picture", error.description)
        case .notFound, .permissionDenied, .io: self.init(.gone, "unreadable_picture", error.description)
        case .empty, .truncated, .corrupt, .invalid: self.init(.unprocessableContent, "undecodable_picture", error.description)
        }
    }
}
