import Pipelines

extension Library {
    /// The embedder whose vectors answer searches; nil before any was used. Cheaper than `status()`.
    public func activeIdentity() throws(LibraryError) -> EmbedderIdentity? {
        try database.read { try $0.activeIdentity()?.identity }
    }
}
