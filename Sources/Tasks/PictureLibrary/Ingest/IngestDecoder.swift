import Foundation
import Imaging
import Pipelines
import Tensors

/// Decodes and prepares one picture: the work of the decoding threads.
struct IngestDecoder: Sendable {
    let embedder: any Embedder
    let options: IndexingOptions

    func decode(_ job: DecodingJob) -> Result<PreparedPicture, FileProblem> {
        var file = job.file
        do throws(FileProblem) {
            let bytes = if let bytes = job.bytes { bytes } else { try reread(&file, job.hash) }
            let (record, picture) = try PictureFile.decode(
                bytes, hash: job.hash, metadata: job.metadata, shortestUsefulSide: embedder.shortestUsefulSide)
            do {
                return .success(PreparedPicture(file: file, content: record, pixels: try embedder.prepare(picture)))
            } catch {
                throw FileProblem(.notEmbedded, "\(error)")
            }
        } catch {
            return .failure(error)
        }
    }

    private func reread(_ file: inout FoundFile, _ hash: Data) throws(FileProblem) -> [UInt8] {
        let bytes = try options.readFile(&file, options.largestFile)
        guard PictureFile.hash(bytes) == hash else {
            throw FileProblem(.unreadable, "the file changed while it was being indexed; run again")
        }
        return bytes
    }
}
