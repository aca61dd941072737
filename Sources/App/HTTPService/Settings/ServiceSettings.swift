import Imaging

/// How the service runs. Every field has a name of its own in the settings' file, the environment and on the command line, which
/// `ServiceSettings+Reading.swift` lists.
public struct ServiceSettings: Sendable {
    public struct Limits: Sendable {
        /// Bytes of a request's body.
        public var body = 32 << 20
        /// Bytes of the bodies of all requests at once.
        public var bodies = 256 << 20
        /// Pixels that the header of a picture from outside may declare.
        public var pixels = 1 << 26
        /// Texts or pictures in one request.
        public var items = 256
        /// Tokens that a chat may ask for.
        public var tokens = 4_096
        /// Requests a second of one client, after a burst; 0 for any number.
        public var requestsPerSecond = 200.0
        public var burst = 400
        public var connections = 512
        /// Seconds in which a body must have arrived.
        public var bodySeconds = 30.0
        /// Seconds after which a connection that says nothing is closed.
        public var idleSeconds = 60.0
        /// Requests that wait for a thread; more are turned away.
        public var waiting = 256
        /// Seconds that requests in work are given at the end.
        public var shutdownSeconds = 20.0
        /// Bytes fetched from another server for one picture.
        public var fetch = 16 << 20

        public init() {}
    }

    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8421
    public var library: FilePath
    /// The model of searches, where it isn't the one that the library was indexed with.
    public var model: String?
    /// Models that requests may name besides those of the library; nil for all that were fetched.
    public var models: [String]?
    public var languageModel: String? = "smollm2-135m-instruct"
    /// The file of keys. Where it holds any, every request but `/health` and `/openapi.json` needs one.
    public var keys: FilePath
    /// Whether other machines may come without a key.
    public var allowsStrangers = false
    /// Names by which the service may be called besides its address and `localhost`.
    public var names: [String] = []
    /// Origins of web pages that may read answers (CORS).
    public var origins: [String] = []
    /// Folders that requests may have indexed besides those that the library knows.
    public var indexFolders: [FilePath] = []
    /// Servers from which pictures are fetched for requests that name an https address.
    public var fetchHosts: [String] = []
    /// Folders from which pictures are read for requests that name a `file://` address.
    public var fetchFolders: [FilePath] = []
    public var limits = Limits()

    public init(library: FilePath, keys: FilePath) { (self.library, self.keys) = (library, keys) }

    /// Whether only this machine can reach the service.
    var isLoopback: Bool {
        if let address = IPAddress(host) { return address.isLoopback }
        return host == "localhost"
    }
}

/// What keeps the service from starting.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
