import Foundation
import VectorIndex

/// Where a collection lies: `milvus://host:port/collection`, or `milvus+tls://` for an encrypted connection, with options after `?`:
///
///     index=flat        how the server searches: flat (exact; the default), hnsw, ivf_flat or autoindex, for a collection that is made
///     consistency=session  own changes are seen at once, those of others within a moment; strong: all changes are seen
///     timeout=30        seconds that one request may take
///     database=NAME     of the server's databases
///     ca=FILE           certificates (PEM) to trust in place of the system's
///
/// A token (`user:password` or an API key) is taken from the address (`milvus://user:password@host`) or the environment variable
/// MILVUS_TOKEN; it is never shown or stored.
public struct MilvusAddress: Sendable, Hashable {
    /// How the server searches.
    public enum IndexKind: String, Sendable, CaseIterable {
        case flat, hnsw, ivfFlat = "ivf_flat", autoindex
    }

    public enum Consistency: String, Sendable, CaseIterable {
        case session, strong
    }

    public static let scheme = "milvus://"
    public static let encryptedScheme = "milvus+tls://"
    public static let defaultPort = 19_530

    public var host: String
    public var port = Self.defaultPort
    public var collection: String
    public var database: String?
    public var isEncrypted = false
    public var index = IndexKind.flat
    public var consistency = Consistency.session
    /// Seconds.
    public var timeout = 30.0
    public var authorities: String?
    public var token: String?

    public static func isAddress(_ text: String) -> Bool { text.hasPrefix(scheme) || text.hasPrefix(encryptedScheme) }

    public init(_ text: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws(IndexError) {
        func wrong(_ field: String, _ value: String, _ expected: String) -> IndexError {
            .invalid(operation: "address of a Milvus collection", field: field, value: value, expected: expected)
        }
        guard Self.isAddress(text), let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty else {
            throw wrong("address", Self.shown(text), "milvus://host:port/collection")
        }
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        isEncrypted = text.hasPrefix(Self.encryptedScheme)
        if let port = parts.port {
            guard (1...65_535).contains(port) else { throw wrong("port", "\(port)", "1...65535") }
            self.port = port
        }
        collection = String(parts.path.dropFirst())
        guard Self.isName(collection) else {
            throw wrong("collection", collection.isEmpty ? "absent" : collection, "letters, digits and underscores, not a digit first")
        }
        if let user = parts.user, !user.isEmpty {
            token = parts.password.map { "\(user):\($0)" } ?? user
        } else if let known = environment["MILVUS_TOKEN"], !known.isEmpty {
            token = known
        }
        for item in parts.queryItems ?? [] { try set(item.name, item.value ?? "", wrong) }
    }

    private mutating func set(_ name: String, _ value: String, _ wrong: (String, String, String) -> IndexError) throws(IndexError) {
        switch name {
        case "index":
            guard let kind = IndexKind(rawValue: value) else {
                throw wrong("index", value, IndexKind.allCases.map(\.rawValue).joined(separator: ", "))
            }
            index = kind
        case "consistency":
            guard let level = Consistency(rawValue: value) else { throw wrong("consistency", value, "session or strong") }
            consistency = level
        case "timeout":
            guard let seconds = Double(value), seconds >= 0.1, seconds <= 3_600 else {
                throw wrong("timeout", value, "0.1 to 3600 seconds")
            }
            timeout = seconds
        case "database":
            guard Self.isName(value) else { throw wrong("database", value, "letters, digits and underscores, not a digit first") }
            database = value
        case "ca":
            guard !value.isEmpty else { throw wrong("ca", "empty", "a file of certificates (PEM)") }
            authorities = value
        default: throw wrong("option", name, "index, consistency, timeout, database or ca")
        }
    }

    /// As Milvus wants names of collections and databases.
    private static func isName(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first, name.unicodeScalars.count <= 255, !("0"..."9").contains(first) else { return false }
        return name.unicodeScalars.allSatisfy { scalar in
            scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
        }
    }

    /// Without what stands before the `@`.
    private static func shown(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@"), let start = text.range(of: "://"), start.upperBound < at else { return text }
        return String(text[..<start.upperBound]) + "…" + String(text[at...])
    }

    /// Whatever the options.
    public func isSameCollection(as other: MilvusAddress) -> Bool {
        (host, port, collection, database) == (other.host, other.port, other.collection, other.database)
    }

    /// For messages: `milvus://host:port/collection`.
    public var display: String {
        (isEncrypted ? Self.encryptedScheme : Self.scheme) + (host.contains(":") ? "[\(host)]" : host) + ":\(port)/\(collection)"
    }

    /// What `init` makes the same address of, the token aside.
    public var stored: String {
        var items: [String] = []
        if index != .flat { items.append("index=\(index.rawValue)") }
        if consistency != .session { items.append("consistency=\(consistency.rawValue)") }
        if timeout != 30 { items.append("timeout=\(timeout)") }
        if let database { items.append("database=\(database)") }
        if let authorities {
            items.append("ca=" + (authorities.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? authorities))
        }
        return display + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
    }
}
