import Hummingbird
import Logging
import NIOCore

/// What belongs to one request.
struct ServiceContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// The other side's address without its port.
    var remoteAddress: String { channel.remoteAddress?.ipAddress ?? "local" }

    /// Names the request in the log and in its answer. A logger that keeps nothing knows no name.
    var requestID: String { logger[metadataKey: "hb.request.id"]?.description ?? "none" }

    /// A whole number of the path; ids that aren't numbers name nothing.
    func id(_ name: String) throws(APIError) -> Int64 {
        guard let text = parameters.get(name), let id = Int64(text) else {
            throw APIError(
                .notFound, "unknown_\(name)", "a number is expected in the address, found \(parameters.get(name)?.prefix(40) ?? "nothing")")
        }
        return id
    }
}
