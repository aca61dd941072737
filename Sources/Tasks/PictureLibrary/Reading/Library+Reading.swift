import Foundation
import GRDB
import Imaging
import Pipelines

/// What reads text, and how one reader's results are told from another's.
public struct LibraryReader: Sendable {
    public let name: String
    /// SHA-256 in hexadecimal over the model's files.
    public let digest: String
    let read: @Sendable (Picture) throws -> [TextLine]

    public init(name: String, digest: String, read: @escaping @Sendable (Picture) throws -> [TextLine]) {
        (self.name, self.digest, self.read) = (name, digest, read)
    }
}

/// Where reading stands. Counts are of pictures.
public struct ReadingProgress: Sendable, Equatable {
    public var read = 0
    /// Lines found in them.
    public var lines = 0
    /// Pictures that couldn't be read.
    public var failed = 0
    /// Pictures still to be read.
    public var pending = 0
    /// Seconds since the start.
    public var elapsed = 0.0

    public init() {}
}

/// What a reading run tells while it goes on.
public enum ReadingEvent: Sendable {
    case progress(ReadingProgress)
    case problem(FilePath, FileProblem)
}

public struct ReadingSummary: Sendable, Equatable {
    public var progress: ReadingProgress
    /// Stopped by cancellation; a later run goes on from here.
    public var isCancelled: Bool
}

/// How to read the pictures of a library.
public struct ReadingOptions: Sendable {
    /// Pictures that couldn't be read are tried again.
    public var retriesFailed = false
    /// Largest file that is read (bytes).
    public var largestFile = 1 << 30
    /// Stages at which a test can make the run fail as if the process had died.
    package var interruption: (@Sendable (Stage) throws -> Void)?
    package var clock: @Sendable () -> Double = monotonicSeconds
    package var date: @Sendable () -> Double = secondsSince1970

    package enum Stage: Sendable, CaseIterable { case read, committed }

    public init() {}
}

extension Library {
    /// Reads the text in pictures that this reader hasn't read, one after another; each is durable before the next begins. Cancelling the
    /// task ends the run after the picture in work; a later run goes on from there.
    /// - Parameter onEvent: Called from the run's thread, one event at a time.
    /// - Throws: `LibraryError.locked` while another process changes the library, `.storage` where it can't be written.
    public func readText(
        with reader: LibraryReader, options: ReadingOptions = ReadingOptions(),
        onEvent: @escaping @Sendable (ReadingEvent) -> Void = { _ in }
    ) async throws -> ReadingSummary {
        let lock = try LibraryLock(folder)
        let stop = ReadingStop()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                WorkThread.start("read", { Result { try self.perform(reader, options, stop, onEvent) } }) { result in
                    lock.release()
                    continuation.resume(with: result)
                }
            }
        } onCancel: {
            stop.isRequested = true
        }
    }

    private func perform(
        _ reader: LibraryReader, _ options: ReadingOptions, _ stop: ReadingStop, _ onEvent: (ReadingEvent) -> Void
    ) throws -> ReadingSummary {
        let start = options.clock()
        var progress = ReadingProgress()
        var last: Int64 = 0
        progress.pending = try database.read { try $0.unreadCount(reader: reader.digest) }
        while !stop.isRequested {
            let after = last
            let contents = try database.read {
                try $0.unread(reader: reader.digest, after: after, retriesFailed: options.retriesFailed, limit: 256)
            }
            guard let end = contents.last else { break }
            last = end
            for content in contents where !stop.isRequested {
                let isDone = try take(content, reader, options, &progress, onEvent)
                if isDone { progress.pending = max(0, progress.pending - 1) }
                progress.elapsed = options.clock() - start
                onEvent(.progress(progress))
            }
        }
        return ReadingSummary(progress: progress, isCancelled: stop.isRequested)
    }

    /// Reads one picture from the first of its files that is still what was indexed.
    /// - Returns: Whether it is done with, read or not; false where its files can't be reached now.
    private func take(
        _ content: Int64, _ reader: LibraryReader, _ options: ReadingOptions, _ progress: inout ReadingProgress,
        _ onEvent: (ReadingEvent) -> Void
    ) throws -> Bool {
        let files = try database.read { try $0.files(ofContent: content).filter { $0.state == .indexed } }
        for file in files {
            guard let status = file.path.status(), FileStamp(status).isSameFile(as: file.stamp),
                let bytes = try? file.path.contents(limit: options.largestFile)
            else { continue }
            var lines: [ReadLine] = []
            var problem: String?
            do {
                let picture = try PictureDecoder.decode(bytes: bytes)
                lines = try reader.read(picture).map { ReadLine($0, width: picture.width, height: picture.height) }
            } catch {
                problem = "\(error)"
                progress.failed += 1
                onEvent(.problem(file.path, FileProblem(.unreadable, "no text could be read: \(error)")))
            }
            try options.interruption?(.read)
            let (found, reason, now) = (lines, problem, options.date())
            try database.write { try $0.save(found, content: content, reader: reader.digest, problem: reason, at: now) }
            try options.interruption?(.committed)
            if problem == nil { progress.read += 1 }
            progress.lines += lines.count
            return true
        }
        return false
    }
}
