import Foundation
import Glibc

/// A connection that sends just the bytes it is told.
public struct RawConnection: Sendable {
    private let descriptor: Int32

    public init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard status == 0 else { throw CocoaError(.fileReadUnknown) }
    }

    /// Whether all could be sent.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// What comes until the other side closes, or `enough` of it has come.
    public func receive(enough: (String) -> Bool = { _ in false }) -> String {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            bytes += buffer[..<count]
            if enough(String(decoding: bytes, as: UTF8.self)) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }
    public func close() { Glibc.close(descriptor) }

    /// Runs blocking work away from the threads that the service answers on.
    public static func run<Value: Sendable>(_ port: Int, _ work: @escaping @Sendable (RawConnection) throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let connection = try RawConnection(port: port)
                        defer { connection.close() }
                        return try work(connection)
                    })
            }
        }
    }

    /// The answer to one request on a connection of its own.
    public static func answer(_ port: Int, _ request: [UInt8]) async throws -> String {
        try await run(port) { connection in
            connection.send(request)
            return connection.receive()
        }
    }
}
