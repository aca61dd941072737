import AsyncHTTPClient
import Foundation
import Imaging
import NIOCore
import PictureLibrary

/// Bytes of pictures that a request names by an address: `data:` always, `https:` of servers and `file:` of folders that the settings
/// allow, nothing else. No request can make the service open a connection to an address that isn't public: names are resolved first, every
/// address is checked, and the connection goes to the very address that was checked. Redirects aren't followed.
struct PictureFetcher: Sendable {
    /// Addresses of a host's name.
    typealias Resolver = @Sendable (String) throws -> [IPAddress]
    /// The body of an address's answer, from a server at this address of the network, of at most so many bytes.
    typealias Transport = @Sendable (URL, IPAddress, Int) async throws -> [UInt8]

    let settings: ServiceSettings
    let pool: WorkPool
    var resolve: Resolver = Self.systemAddresses
    var transport: Transport = Self.download

    private static let longestAddress = 8_192

    /// - Parameter field: of the request, for messages.
    func bytes(_ address: String, field: String) async throws -> [UInt8] {
        if address.prefix(5).lowercased() == "data:" { return try Self.data(address, field: field) }
        guard address.utf8.count <= Self.longestAddress, let url = URL(string: address), let scheme = url.scheme?.lowercased() else {
            throw APIError.invalid(field, "an address is expected: data:, https: or file:")
        }
        switch scheme {
        case "https": return try await remote(url, field: field)
        case "file": return try await file(url, field: field)
        case "http": throw APIError.invalid(field, "pictures are fetched by https only")
        default: throw APIError.invalid(field, "addresses that begin with \(scheme.prefix(20)): aren't read; use data:, https: or file:")
        }
    }

    /// `data:[type][;base64],...` (RFC 2397).
    static func data(_ address: String, field: String) throws(APIError) -> [UInt8] {
        guard let comma = address.utf8.firstIndex(of: UInt8(ascii: ",")) else { throw .invalid(field, "a data: address has a comma") }
        let head = address[..<comma].lowercased(), body = address[address.index(after: comma)...]
        if head.hasSuffix(";base64") {
            guard let bytes = Self.base64(body) else { throw .invalid(field, "the base64 of the data: address is damaged") }
            return bytes
        }
        guard let text = String(body).removingPercentEncoding else { throw .invalid(field, "the data: address is damaged") }
        return Array(text.utf8)
    }

    /// Base64 of either alphabet, padded or not, with line ends.
    static func base64(_ text: some StringProtocol) -> [UInt8]? {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.utf8.count + 3)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): plain.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): plain.append(UInt8(ascii: "/"))
            case 9, 10, 13, 32, UInt8(ascii: "="): continue
            default: plain.append(byte)
            }
        }
        while plain.count % 4 != 0 { plain.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(plain)).map { Array($0) }
    }

    private func remote(_ url: URL, field: String) async throws -> [UInt8] {
        guard let host = url.host?.lowercased(), !host.isEmpty, url.user == nil, url.password == nil, url.port == nil || url.port == 443
        else {
            throw APIError.invalid(field, "an https address with a host, and without user or port, is expected")
        }
        guard settings.fetchHosts.contains(host) else {
            throw APIError(
                .forbidden, "host_not_allowed", "pictures aren't fetched from \(host.prefix(100)); the setting `fetch.hosts` allows it",
                field: field)
        }
        let resolve = resolve
        let addresses: [IPAddress]
        do { addresses = try await pool.run { try resolve(host) } } catch let error as APIError { throw error } catch {
            throw APIError(.unprocessableContent, "fetch_failed", "\(host.prefix(100)) isn't known to the network", field: field)
        }
        guard let first = addresses.first, addresses.allSatisfy(\.isPublic) else {
            throw APIError(.forbidden, "private_address", "\(host.prefix(100)) isn't at a public address", field: field)
        }
        do { return try await transport(url, first, settings.limits.fetch) } catch let error as APIError { throw error } catch {
            throw APIError(.unprocessableContent, "fetch_failed", "\(host.prefix(100)) gave no picture (\(error))", field: field)
        }
    }

    private func file(_ url: URL, field: String) async throws -> [UInt8] {
        let folders = settings.fetchFolders, limit = settings.limits.body
        let refusal = APIError(
            .forbidden, "file_not_allowed", "this file may not be read; the setting `fetch.folders` names the folders that may",
            field: field)
        guard url.host == nil || url.host == "" || url.host == "localhost", !folders.isEmpty else { throw refusal }
        let path = FilePath(url.path)
        // Before anything of the file is looked at: whether it exists is nobody's business either.
        guard folders.contains(where: { path.absolute().isInside($0) }) else { throw refusal }
        return try await pool.run { () throws -> [UInt8] in
            do throws(LibraryError) { return try OpenedPicture(path, inside: folders).bytes(limit: limit) } catch { throw refusal }
        }
    }

    /// What the system's resolver says.
    static let systemAddresses: Resolver = { host in
        if let address = IPAddress(host) { return [address] }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "443", &hints, &list) == 0, let list else { throw SettingsError("\(host) isn't known") }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        for entry in sequence(first: list, next: { $0.pointee.ai_next }) {
            guard let address = entry.pointee.ai_addr else { continue }
            switch Int32(address.pointee.sa_family) {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { four in
                    found.append(IPAddress(bytes: withUnsafeBytes(of: four.pointee.sin_addr) { Array($0) }))
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { six in
                    found.append(IPAddress(bytes: withUnsafeBytes(of: six.pointee.sin6_addr) { Array($0) }))
                }
            default: continue
            }
        }
        return found
    }

    private static let timeout = TimeAmount.seconds(15)

    static let download: Transport = { url, address, limit in
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        // The name stays in the request and in the check of the certificate; the connection goes where the check went.
        configuration.dnsOverride = [url.host ?? "": address.description]
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(10))
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            var request = HTTPClientRequest(url: url.absoluteString)
            request.headers.add(name: "accept", value: "image/*")
            let response = try await client.execute(request, timeout: PictureFetcher.timeout)
            guard response.status == .ok else {
                throw APIError(
                    .unprocessableContent, "fetch_failed", "the server answered \(response.status.code); redirects aren't followed")
            }
            let body = try await response.body.collect(upTo: limit)
            try await client.shutdown()
            return Array(body.readableBytesView)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
