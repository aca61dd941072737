import Foundation
import Imaging
import Pipelines

/// What a library holds.
public struct LibraryStatus: Sendable {
    public struct Index: Sendable {
        public var identity: EmbedderIdentity
        public var isActive: Bool
        /// Vectors of pictures.
        public var vectors: Int
        /// Pictures that can be shown and have no vector here yet.
        public var pending: Int
        /// On disk.
        public var bytes: Int64
        /// The Milvus collection that holds them; nil where they lie in the library's folder.
        public var address: String?
    }

    public struct Run: Sendable {
        public var started: Date
        /// nil while it goes on or when it was killed.
        public var ended: Date?
        /// `running`, `done`, `cancelled` or `broken off`.
        public var outcome: String
        public var embedder: String?
        /// Counts by name, as JSON.
        public var summary: String?
    }

    public var path: FilePath
    public var roots: [FilePath]
    /// Files that can be shown.
    public var files: Int
    /// Different pictures among them.
    public var pictures: Int
    /// Pictures among these that were read for text.
    public var read: Int
    /// Files that can't be indexed.
    public var failed: Int
    /// Files indexed once and gone now.
    public var missing: Int
    /// Files and folders with a problem: as many as `problems()` lists.
    public var problems: Int
    public var indexes: [Index]
    public var lastRun: Run?
    /// Of the catalogue on disk.
    public var catalogueBytes: Int64
}

/// A file or folder that couldn't be indexed.
public struct ProblemEntry: Sendable, Equatable {
    public var path: FilePath
    public var problem: FileProblem
    public var time: Date
    /// Whether an earlier state of the file is still found.
    public var isStillIndexed: Bool
}

/// All that the library knows of one file.
public struct PictureInfo: Sendable {
    public struct DominantColor: Sendable, Equatable {
        /// `#rrggbb`.
        public var hex: String
        /// Part of the picture, 0 to 1.
        public var share: Double
    }

    /// Of the file in the catalogue.
    public var id: Int64
    public var path: FilePath
    /// `indexed`, `failed` or `missing`.
    public var state: String
    public var problem: FileProblem?
    /// Bytes.
    public var size: Int64
    public var modified: Date
    /// SHA-256 in hexadecimal; nil for files that couldn't be read.
    public var contentHash: String?
    public var width: Int?
    public var height: Int?
    public var format: String?
    /// By the camera's clock, `YYYY-MM-DDTHH:MM:SS`.
    public var taken: String?
    public var make: String?
    public var model: String?
    public var latitude: Double?
    public var longitude: Double?
    public var title: String?
    public var description: String?
    public var tags: [String]
    public var colors: [DominantColor]
    /// Whether it was read for text.
    public var isRead: Bool
    /// The text in it, from top to bottom.
    public var lines: [ReadLine]
    /// Names of the embedders that have its vector.
    public var embedders: [String]
    /// Other files with the same bytes.
    public var copies: [FilePath]
}
