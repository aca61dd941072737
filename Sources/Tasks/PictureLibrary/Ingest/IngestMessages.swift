import Foundation
import Imaging
import Tensors

/// A file to be looked at, with what the catalogue knows of it.
struct IngestJob: Sendable {
    var file: FoundFile
    var known: FileRow?
}

/// What became of one file that doesn't go through the network.
enum LoadedFile: Sendable {
    /// Unchanged, and known to this embedder.
    case unchanged
    /// Unchanged, and as bad as before.
    case knownFailure
    /// Only the caption beside it changed.
    case recaptioned(FoundFile, content: Int64)
    /// Bytes that are known and embedded already.
    case known(FoundFile, content: Int64)
    /// Bytes that another file of this run brings.
    case copy(FoundFile, hash: Data)
    /// `hash` where the bytes could be read, so that copies fail with it.
    case failed(FoundFile, FileProblem, hash: Data?)
}

/// Ready for the network.
struct PreparedPicture: Sendable {
    var file: FoundFile
    var content: ContentRecord
    var pixels: Tensor
}

/// Back from the network.
struct EmbeddedPicture: Sendable {
    var file: FoundFile
    var content: ContentRecord
    var vector: Result<[Float], FileProblem>

    var isEmbedded: Bool { if case .success = vector { true } else { false } }
}

/// What threads tell the one that writes.
enum IngestMessage: Sendable {
    case found(Int)
    case loaded(LoadedFile)
    case embedded([EmbeddedPicture])
    case folderProblem(FilePath, FileProblem)
    case walked(seen: Set<Int64>)
    case fatal(any Error)
}
