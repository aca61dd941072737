import Catalog
import Checkpoints
import Evaluation
import HTTPService
import Imaging
import ModelKit
import PictureLibrary
import Pipelines
import Tensors
import Tokenizers
import Training
import TrainingData
import VectorIndex

/// What ends a command: a line for the user and the status of the program.
struct Failure: Error {
    var status: ExitStatus
    /// nil when all has been said.
    var message: String?

    init(_ status: ExitStatus, _ message: String? = nil) {
        self.status = status
        self.message = message
    }

    /// nil for what the argument parser throws: help, version, and its own errors.
    init?(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as LibraryError: self.init(Self.status(of: error), error.description)
        case let error as ModelPlaceError: self.init(error == .unnamed ? .usage : .unusable, error.description)
        case let error as SettingsError: self.init(.usage, error.description)
        case let error as WhereError: self.init(.usage, error.description)
        case let error as PullError: self.init(Self.status(of: error), error.description)
        case let error as PictureError: self.init(.partial, error.description)
        case let error as CheckpointError: self.init(Self.status(of: error), error.description)
        case let error as RoleError: self.init(.unusable, error.description)
        case let error as IndexError: self.init(Self.status(of: error), error.description)
        case let error as DataError: self.init(.usage, error.description)
        case let error as TrainingError: self.init(Self.status(of: error), error.description)
        case let error as Perplexity.Failure: self.init(.usage, error.description)
        case let error as EvaluationError: self.init(.usage, error.description)
        case let error as PromptError: self.init(.usage, error.description)
        case let error as TokenizerError: self.init(.unusable, error.description)
        case let error as TensorError: self.init(.unusable, error.description)
        default: return nil
        }
    }

    private static func status(of error: LibraryError) -> ExitStatus {
        switch error {
        case .badQuery, .badFilter, .nothingToIndex, .ambiguousIndex, .place: .usage
        case .unknownPicture, .unreadablePicture, .unreachableRoot: .partial
        case .storage, .output: .notWritten
        case .notALibrary, .newerVersion, .damaged, .locked, .notIndexed, .noActiveIndex, .embedder, .model, .watch, .source, .service:
            .unusable
        }
    }

    private static func status(of error: CheckpointError) -> ExitStatus {
        if case .unwritable = error { .notWritten } else { .unusable }
    }

    private static func status(of error: TrainingError) -> ExitStatus {
        switch error {
        case .recipe, .data: .usage
        case .stopped: .interrupted
        case .notFinite, .noGradient, .state: .unusable
        }
    }

    private static func status(of error: IndexError) -> ExitStatus {
        if case .unwritable = error { .notWritten } else { .unusable }
    }

    private static func status(of error: PullError) -> ExitStatus {
        switch error {
        case .unknown: .usage
        case .disk: .notWritten
        case .pythonMissing, .pipMissing, .network, .notInRegistry, .pipFailed, .hash, .convert: .unusable
        }
    }
}
