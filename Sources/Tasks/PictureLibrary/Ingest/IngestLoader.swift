import Foundation
import Imaging
import Pipelines
import Tensors

/// Reads, hashes, decodes and prepares one file: the work of the loading threads.
struct IngestLoader: Sendable {
    let database: CatalogueDatabase
    let embedder: any Embedder
    let identity: Int64
    let claims: HashClaims
    let options: IndexingOptions

    func load(_ job: IngestJob) throws(LibraryError) -> LoadedFile {
        var file = job.file
        if let sidecar = file.sidecar, !isUnchanged(job) || job.known?.sidecarStamp != file.sidecarStamp {
            file.words = Sidecar.read(sidecar)
        }
        if let settled = try settledWithoutReading(file, job.known) { return settled }
        let bytes: [UInt8]
        do throws(FileProblem) {
            bytes = try PictureFile.read(&file, limit: options.largestFile)
        } catch {
            return .failed(file, error, hash: nil)
        }
        let hash = PictureFile.hash(bytes)
        // Claimed before asking: else the catalogue could learn the bytes between the two and they would be embedded twice.
        guard claims.claim(hash) else { return .copy(file, hash: hash) }
        let content = try database.read { [identity] database -> Int64? in
            guard let id = try database.contentID(hash: hash), try database.hasVector(content: id, identity: identity) else { return nil }
            return id
        }
        if let content {
            claims.release(hash)
            return .known(file, content: content)
        }
        do throws(FileProblem) {
            let (record, picture) = try PictureFile.decode(bytes, hash: hash, shortestUsefulSide: embedder.shortestUsefulSide)
            let prepared: Tensor
            do { prepared = try embedder.prepare(picture) } catch { throw FileProblem(.notEmbedded, "\(error)") }
            return .prepared(file, record, prepared)
        } catch {
            return .failed(file, error, hash: hash)
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
