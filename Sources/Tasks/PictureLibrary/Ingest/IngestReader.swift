import Foundation
import Imaging
import Pipelines

/// What reading a file led to.
enum ReadFile: Sendable {
    /// Nothing is to be decoded.
    case settled(LoadedFile)
    case decode(DecodingJob)
}

/// Reads and hashes one file and asks the catalogue about it: the work of the reading threads, which mostly wait for disks.
struct IngestReader: Sendable {
    let database: CatalogueDatabase
    let shortestUsefulSide: Int
    let identity: Int64
    let claims: HashClaims
    let options: IndexingOptions

    func read(_ job: IngestJob) throws(LibraryError) -> ReadFile {
        var file = job.file
        if let sidecar = file.sidecar, !isUnchanged(job) || job.known?.sidecarStamp != file.sidecarStamp {
            file.words = Sidecar.read(sidecar)
        }
        if let settled = try settledWithoutReading(file, job.known) { return .settled(settled) }
        let bytes: [UInt8]
        do throws(FileProblem) {
            bytes = try options.readFile(&file, options.largestFile)
        } catch {
            return .settled(.failed(file, error, hash: nil))
        }
        let hash = PictureFile.hash(bytes)
        // Claimed before asking: else the catalogue could learn the bytes between the two and they would be embedded twice.
        guard claims.claim(hash) else { return .settled(.copy(file, hash: hash)) }
        let content = try database.read { [identity] database -> Int64? in
            guard let id = try database.contentID(hash: hash), try database.hasVector(content: id, identity: identity) else { return nil }
            return id
        }
        if let content {
            claims.release(hash)
            return .settled(.known(file, content: content))
        }
        do throws(PictureError) {
            let metadata = try PictureMetadata.read(bytes: bytes)
            let cost = PictureDecoder.memory(for: metadata, bytes: bytes, shortestUsefulSide: shortestUsefulSide)
            return .decode(DecodingJob(file: file, hash: hash, metadata: metadata, bytes: bytes, cost: cost))
        } catch {
            return .settled(.failed(file, FileProblem(error), hash: hash))
        }
    }

    private func isUnchanged(_ job: IngestJob) -> Bool {
        guard let known = job.known, !options.rereadsAll else { return false }
        return known.stamp.isSameFile(as: job.file.stamp)
    }

    /// What time, size and inode alone decide.
    private func settledWithoutReading(_ file: FoundFile, _ known: FileRow?) throws(LibraryError) -> LoadedFile? {
        guard let known, isUnchanged(IngestJob(file: file, known: known)) else { return nil }
        switch known.state {
        case .missing: return nil
        case .failed: return options.retriesFailed || known.problem?.mayPass != false ? nil : .knownFailure
        case .indexed:
            guard let content = known.contentID, known.problem == nil else { return nil }
            guard try database.read({ [identity] in try $0.hasVector(content: content, identity: identity) }) else { return nil }
            return known.sidecarStamp == file.sidecarStamp ? .unchanged : .recaptioned(file, content: content)
        }
    }
}
