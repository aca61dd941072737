import Foundation
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// Why a call of gRPC failed.
struct GRPCFailure: Error, Equatable {
    enum Kind: Equatable {
        /// There is no connection, or it broke.
        case connection
        /// The time was over.
        case timeout
        /// What came isn't gRPC.
        case malformed
        /// The server's status other than 0. https://grpc.io/docs/guides/status-codes
        case status(Int)
    }

    var kind: Kind
    var reason: String
}

/// One HTTP/2 connection to a gRPC server, made at the first call and again after it broke. Calls wait on the caller's thread, which must
/// not be an event loop's; any number may run at once. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
final class GRPCConnection: Sendable {
    /// Bytes of one answer.
    static let largestAnswer = 256 << 20
    private static let window = 4 << 20

    struct Target: Sendable {
        var host: String
        var port: Int
        var isEncrypted = false
        /// A file of certificates to trust; nil takes the system's.
        var authorities: String?
    }

    private struct Link {
        var channel: any Channel
        var streams: NIOHTTP2Handler.StreamMultiplexer
    }

    private let target: Target
    private let headers: [(String, String)]
    private let loop: any EventLoop
    private let link = Mutex<EventLoopFuture<Link>?>(nil)

    /// - Parameter headers: sent with each call.
    init(_ target: Target, headers: [(String, String)]) {
        (self.target, self.headers) = (target, headers)
        loop = MultiThreadedEventLoopGroup.singleton.next()
    }

    deinit { link.withLock { $0?.whenSuccess { $0.channel.close(promise: nil) } } }

    /// The answer's message.
    func call(_ path: String, _ message: [UInt8], timeout seconds: Double) throws(GRPCFailure) -> [UInt8] {
        do {
            let answer = loop.makePromise(of: [UInt8].self)
            let limit = TimeAmount.nanoseconds(Int64(seconds * 1e9))
            let deadline = loop.scheduleTask(in: limit) {
                answer.fail(GRPCFailure(kind: .timeout, reason: "no answer within \(seconds) s"))
            }
            defer { deadline.cancel() }
            connected().whenComplete { result in
                switch result {
                case .failure(let error): answer.fail(Self.failure(error))
                case .success(let link): self.start(path, message, limit, link, answer)
                }
            }
            return try answer.futureResult.wait()
        } catch {
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: any Error) -> GRPCFailure {
        switch error {
        case let error as GRPCFailure: error
        case let error as NIOConnectionError:
            GRPCFailure(
                kind: .connection,
                reason: error.connectionErrors.first.map { describe($0.error) } ?? "the host's name leads nowhere")
        default: GRPCFailure(kind: .connection, reason: describe(error))
        }
    }

    private static func describe(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return "\(error)"
    }

    private func connected() -> EventLoopFuture<Link> {
        link.withLock { known in
            if let known { return known }
            let new = connect()
            known = new
            // Whatever ends it, the next call connects anew.
            new.flatMap { $0.channel.closeFuture }.whenComplete { [weak self] _ in self?.link.withLock { $0 = nil } }
            return new
        }
    }

    private func connect() -> EventLoopFuture<Link> {
        let streams = loop.makePromise(of: NIOHTTP2Handler.StreamMultiplexer.self), target = target
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(.seconds(10)).channelOption(
            ChannelOptions.tcpOption(.tcp_nodelay), value: 1
        )
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                if let tls = try Self.encryption(target) { try channel.pipeline.syncOperations.addHandler(tls) }
                var connection = NIOHTTP2Handler.ConnectionConfiguration()
                connection.initialSettings.append(HTTP2Setting(parameter: .initialWindowSize, value: Self.window))
                connection.targetWindowSize = Self.window
                var stream = NIOHTTP2Handler.StreamConfiguration()
                stream.targetWindowSize = Self.window
                streams.succeed(
                    try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: connection, streamConfiguration: stream
                    ) { $0.close() })
            }
        }
        let channel = bootstrap.connect(host: target.host, port: target.port)
        channel.whenFailure { streams.fail($0) }
        return channel.and(streams.futureResult).map { pair in Link(channel: pair.0, streams: pair.1) }
    }

    private static func encryption(_ target: Target) throws -> NIOSSLClientHandler? {
        guard target.isEncrypted else { return nil }
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.applicationProtocols = ["h2"]
        if let authorities = target.authorities { settings.trustRoots = .file(authorities) }
        let isNumber = (try? SocketAddress(ipAddress: target.host, port: 0)) != nil
        return try NIOSSLClientHandler(context: NIOSSLContext(configuration: settings), serverHostname: isNumber ? nil : target.host)
    }

    private func start(_ path: String, _ message: [UInt8], _ limit: TimeAmount, _ link: Link, _ answer: EventLoopPromise<[UInt8]>) {
        var fields = HPACKHeaders([
            (":method", "POST"), (":scheme", target.isEncrypted ? "https" : "http"), (":path", path),
            (":authority", "\(target.host):\(target.port)"), ("te", "trailers"), ("content-type", "application/grpc"),
            ("grpc-timeout", "\(max(1, limit.nanoseconds / 1_000_000))m"), ("user-agent", "sensorium"),
        ])
        for (name, value) in headers { fields.add(name: name, value: value) }
        let head = fields
        let stream = loop.makePromise(of: (any Channel).self)
        link.streams.createStreamChannel(promise: stream) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(UnaryCall(headers: head, message: message, answer: answer))
            }
        }
        stream.futureResult.whenFailure { answer.fail($0) }
        // A call that nobody waits for any more is reset.
        stream.futureResult.whenSuccess { channel in answer.futureResult.whenComplete { _ in channel.close(promise: nil) } }
    }
}

/// Sends one message and takes one.
private final class UnaryCall: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let headers: HPACKHeaders
    private let message: [UInt8]
    private let answer: EventLoopPromise<[UInt8]>
    private var received = ByteBuffer()

    init(headers: HPACKHeaders, message: [UInt8], answer: EventLoopPromise<[UInt8]>) {
        (self.headers, self.message, self.answer) = (headers, message, answer)
    }

    func channelActive(context: ChannelHandlerContext) {
        // A flag that nothing is packed, then the length.
        var body = context.channel.allocator.buffer(capacity: message.count + 5)
        body.writeInteger(UInt8(0))
        body.writeInteger(UInt32(message.count))
        body.writeBytes(message)
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame): take(frame.headers, isEnd: frame.endStream)
        case .data(let frame):
            guard case .byteBuffer(var bytes) = frame.data else { return }
            guard received.readableBytes + bytes.readableBytes <= GRPCConnection.largestAnswer else {
                return fail(.malformed, "an answer of more than \(GRPCConnection.largestAnswer) bytes")
            }
            received.writeBuffer(&bytes)
            if frame.endStream { fail(.malformed, "an answer without a status") }
        case .rstStream(let code): fail(.connection, "the server broke off (\(code))")
        default: break
        }
    }

    private func take(_ headers: HPACKHeaders, isEnd: Bool) {
        if let status = headers.first(name: ":status"), status != "200" {
            let code = Int(status) ?? 0
            // What proxies answer that stand before a server; 14 is "unavailable".
            return [429, 502, 503, 504].contains(code)
                ? fail(.status(14), "HTTP \(status)") : fail(.malformed, "HTTP \(status): no gRPC server")
        }
        guard let status = headers.first(name: "grpc-status") else {
            if isEnd { fail(.malformed, "an answer without a status") }
            return
        }
        let reason = headers.first(name: "grpc-message").map { $0.removingPercentEncoding ?? $0 }
        guard status == "0" else { return fail(.status(Int(status) ?? 2), reason ?? "status \(status)") }
        guard let flag = received.readInteger(as: UInt8.self), flag == 0, let count = received.readInteger(as: UInt32.self),
            Int(count) == received.readableBytes
        else { return fail(.malformed, "a message that is packed or cut off") }
        answer.succeed(Array(received.readableBytesView))
    }

    private func fail(_ kind: GRPCFailure.Kind, _ reason: String) { answer.fail(GRPCFailure(kind: kind, reason: reason)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { fail(.connection, "the connection was closed") }
}
