import Foundation
import Imaging

/// From a file's bytes to what the catalogue and the network want of it.
enum PictureFile {
    /// Reads the whole file and takes its stamp from the opened file, so that a later change shows at the next run.
    static func read(_ file: inout FoundFile, limit: Int) throws(FileProblem) -> [UInt8] {
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = file.path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            let code = errno
            throw FileProblem(.unreadable, code == ENOENT && file.path.existsByName ? "the link leads nowhere" : systemMessage(code))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileProblem(.unreadable, systemMessage(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileProblem(.unreadable, "not a regular file") }
        file.stamp = FileStamp(status)
        let size = Int(status.st_size)
        guard size > 0 else { throw FileProblem(.empty, "the file is empty") }
        guard size <= limit else { throw FileProblem(.tooLarge, "\(size) bytes; at most \(limit) are read") }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = Glibc.read(descriptor, buffer.baseAddress! + count, size - count)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                count += got
            }
        }
        guard failure == 0 else { throw FileProblem(.unreadable, systemMessage(failure)) }
        guard !bytes.isEmpty else { throw FileProblem(.empty, "the file is empty") }
        return bytes
    }

    static func hash(_ bytes: [UInt8]) -> Data { Data(ContentHash(of: bytes).bytes) }

    /// Decodes once, for the network and for the colours alike.
    static func decode(
        _ bytes: [UInt8], hash: Data, metadata: PictureMetadata, shortestUsefulSide: Int
    ) throws(FileProblem) -> (record: ContentRecord, picture: Picture) {
        do throws(PictureError) {
            let picture = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: shortestUsefulSide)
            var record = ContentRecord(hash: hash, width: metadata.width, height: metadata.height, format: metadata.format.rawValue)
            record.taken = metadata.taken
            record.make = metadata.cameraMake
            record.model = metadata.cameraModel
            record.latitude = metadata.latitude
            record.longitude = metadata.longitude
            record.words = PictureWords(title: metadata.title, description: metadata.description, tags: metadata.keywords)
            record.colors = try DominantColors.extract(from: picture).map { entry in
                ContentRecord.Color(share: entry.share, color: entry.color)
            }
            return (record, picture)
        } catch {
            throw FileProblem(error)
        }
    }
}

extension FileProblem {
    init(_ error: PictureError) {
        let kind: Kind =
            switch error.reason {
            case .notFound, .permissionDenied, .io: .unreadable
            case .empty: .empty
            case .tooLarge, .fileTooLarge: .tooLarge
            case .unrecognised, .truncated, .corrupt, .unsupported, .invalid: .undecodable
            }
        self.init(kind, "\(error)")
    }
}
