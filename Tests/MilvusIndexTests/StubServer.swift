import Foundation
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import Synchronization

@testable import MilvusIndex

/// A gRPC server in this process that answers as a test wants.
final class StubServer: Sendable {
    enum Reply {
        case message([UInt8])
        /// A status of gRPC other than 0.
        case status(Int, String)
        /// A status of HTTP other than 200.
        case http(Int)
        /// Ends the connection.
        case close
        case nothing
    }

    struct Call: Sendable {
        var method: String
        var message: [UInt8]
        var headers: [String: String]
    }

    private let channel: any Channel
    private let seen = Mutex<[Call]>([])
    var calls: [Call] { seen.withLock { $0 } }
    var methods: [String] { calls.map(\.method) }
    var port: Int { channel.localAddress?.port ?? 0 }

    /// - Parameter reply: gets the method's name, its message, and how many calls there were before.
    init(_ reply: @escaping @Sendable (Call, Int) -> Reply) throws {
        let box = Box()
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            let parent = channel
                            try stream.pipeline.syncOperations.addHandler(
                                StubCall(end: { parent.close(promise: nil) }) { call in box.take(call, reply) })
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        box.server.withLock { $0 = { [weak self] call in self?.note(call) ?? 0 } }
    }

    deinit { channel.close(promise: nil) }

    private func note(_ call: Call) -> Int {
        seen.withLock { seen in
            seen.append(call)
            return seen.count - 1
        }
    }

    private final class Box: Sendable {
        let server = Mutex<(@Sendable (Call) -> Int)?>(nil)

        func take(_ call: Call, _ reply: (Call, Int) -> Reply) -> Reply {
            let number = server.withLock { $0 }?(call) ?? 0
            return reply(call, number)
        }
    }
}

private final class StubCall: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let end: () -> Void
    private let reply: (StubServer.Call) -> StubServer.Reply
    private var headers: [String: String] = [:]
    private var body = ByteBuffer()

    init(end: @escaping () -> Void, reply: @escaping (StubServer.Call) -> StubServer.Reply) { (self.end, self.reply) = (end, reply) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame): for header in frame.headers { headers[header.name] = header.value }
        case .data(let frame):
            guard case .byteBuffer(var bytes) = frame.data else { return }
            body.writeBuffer(&bytes)
            if frame.endStream { answer(context) }
        default: break
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        let path = headers[":path"] ?? "", message = Array(body.readableBytesView.dropFirst(5))
        let call = StubServer.Call(method: String(path.split(separator: "/").last ?? ""), message: message, headers: headers)
        switch reply(call) {
        case .message(let bytes):
            send(context, [(":status", "200"), ("content-type", "application/grpc")])
            var out = ByteBuffer()
            out.writeInteger(UInt8(0))
            out.writeInteger(UInt32(bytes.count))
            out.writeBytes(bytes)
            context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(out)))), promise: nil)
            send(context, [("grpc-status", "0")], isEnd: true)
        case .status(let code, let reason):
            send(context, [(":status", "200"), ("grpc-status", "\(code)"), ("grpc-message", reason)], isEnd: true)
        case .http(let code): send(context, [(":status", "\(code)")], isEnd: true)
        case .close: end()
        case .nothing: break
        }
    }

    private func send(_ context: ChannelHandlerContext, _ fields: [(String, String)], isEnd: Bool = false) {
        context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: HPACKHeaders(fields), endStream: isEnd))), promise: nil)
    }
}
