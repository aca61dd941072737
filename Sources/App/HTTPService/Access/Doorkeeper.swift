import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Lets requests in: by the name that the service was called by, the key, its scopes and the rate.
struct Doorkeeper: Sendable {
    /// What a wrong key takes from the rate, so that nobody tries many.
    private static let costOfWrongKey = 20.0

    let keys: KeyRing
    let limiter: RateLimiter
    let settings: ServiceSettings

    /// Web pages can't be kept from sending requests to this machine, only from reading the answers, and a name of theirs can be made to
    /// point here (DNS rebinding). So the service answers to its own names only, and changes nothing for a page from elsewhere.
    func checkOrigin(_ request: Request) throws(APIError) {
        if let authority = request.head.authority, !isOwn(Self.host(of: authority)) {
            throw APIError(
                .misdirectedRequest, "wrong_host",
                "this service doesn't answer to the name \(authority.prefix(100)); the setting `names` allows it")
        }
        guard let origin = request.headers[.origin]?.lowercased(), request.method != .get, request.method != .head else { return }
        let own = request.head.authority.map { ["http://" + $0.lowercased(), "https://" + $0.lowercased()] } ?? []
        guard own.contains(origin) || settings.origins.contains(origin) else {
            throw APIError(
                .forbidden, "wrong_origin", "pages from \(origin.prefix(100)) may not use this service; the setting `origins` allows it")
        }
    }

    private func isOwn(_ host: String) -> Bool {
        // An address can't be rebound.
        IPAddress(host) != nil || host == "localhost" || host == settings.host.lowercased() || settings.names.contains(host)
    }

    /// The host of `host:port` or `[address]:port`, in lower case.
    static func host(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end]).lowercased()
        }
        return String(authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)[0]).lowercased()
    }

    /// - Parameter scope: what the route needs; nil for one that is open to all.
    func admit(_ request: Request, _ context: ServiceContext, to scope: Scope?) throws(APIError) -> Caller {
        let address = context.remoteAddress
        guard let scope, keys.isLocked else {
            try checkRate("address " + address)
            return .anyone
        }
        guard let header = request.headers[.authorization] else {
            try checkRate("address " + address)
            throw APIError(
                .unauthorized, "missing_key", "this service needs a key: send the header `Authorization: Bearer KEY`",
                headers: [.wwwAuthenticate: "Bearer"])
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", let caller = keys.caller(String(parts[1])) else {
            try checkRate("address " + address, cost: Self.costOfWrongKey)
            throw APIError(
                .unauthorized, "invalid_key", "the key isn't known here", headers: [.wwwAuthenticate: "Bearer error=\"invalid_token\""])
        }
        try checkRate("key " + (caller.name ?? ""))
        guard caller.scopes.contains(scope) else {
            throw APIError(.forbidden, "missing_scope", "the key \(caller.name ?? "") doesn't have the scope \(scope.rawValue)")
        }
        return caller
    }

    private func checkRate(_ client: String, cost: Double = 1) throws(APIError) {
        guard let delay = limiter.delay(client, cost: cost) else { return }
        throw APIError(
            .tooManyRequests, "rate_limit_exceeded", "too many requests; try again in \(Int(delay.rounded(.up))) seconds",
            headers: [.retryAfter: String(max(1, Int(delay.rounded(.up))))])
    }
}
