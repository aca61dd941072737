/// What a key opens.
public enum Scope: String, Sendable, CaseIterable {
    /// Searches, pictures and what the library says of itself.
    case search
    /// Embeddings, chat and ranking.
    case models
    /// Indexing, and taking pictures out of the library.
    case manage
    case metrics

    public var meaning: String {
        switch self {
        case .search: "searches, pictures and the library's state"
        case .models: "embeddings, chat and ranking with the models"
        case .manage: "indexing, and taking pictures out of the library"
        case .metrics: "/metrics"
        }
    }
}
