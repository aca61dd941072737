import Pipelines

extension Library {
    /// The embedder whose vectors answer searches; nil before any was used. Cheaper than `status()`.
    public func activeIdentity() throws(LibraryError) -> EmbedderIdentity? {
        try database.read { try $0.activeIdentity()?.identity }
    }

    /// The embedder with this name or digest, of those whose vectors the library holds.
    public func identity(of embedder: String) throws(LibraryError) -> EmbedderIdentity { try identity(named: embedder).identity }
}
