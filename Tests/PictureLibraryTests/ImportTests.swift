import Checkpoints
import Foundation
import GRDB
import Imaging
import Pipelines
import Tensors
import Testing
import VectorIndex

@testable import PictureLibrary

private func golden(_ name: String) -> FilePath {
    FilePath(URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden/" + name).path)
}

private struct Answers: Decodable {
    var query: [Float], paths: [String], scores: [Double]

    init() throws {
        self = try JSONDecoder().decode(Answers.self, from: Data(contentsOf: URL(fileURLWithPath: golden("answers.json").display)))
    }
}

extension Library {
    fileprivate func nearest(_ vector: [Float], limit: Int = 12) throws -> [SearchHit] {
        var query = Query(limit: limit)
        query.terms = [QueryTerm(.vector(vector))]
        return try search(query)
    }
}

/// Texts alone, in six dimensions.
private struct TextEmbedder: Embedder {
    var identity: EmbedderIdentity
    let shortestUsefulSide = 1

    func prepare(_ picture: Picture) throws -> Tensor { throw Interrupted() }
    func embed(_ prepared: [Tensor]) throws -> Tensor { throw Interrupted() }
    func embed(texts: [String]) throws -> Tensor { try Tensor(texts.flatMap(Self.vector), [texts.count, 6]) }

    private static func vector(_ text: String) -> [Float] {
        let raw = (1...6).map { (place: Int) -> Float in
            var sum = 1
            for byte in text.utf8 { sum = (sum * 31 + Int(byte) * place) % 1_009 }
            return Float(sum)
        }
        let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return raw.map { $0 / length }
    }
}

private let six = EmbedderIdentity(name: "six", digest: "digest-of-six", dimension: 6, embedsText: true)

@Suite struct ImportTests {
    /// The folder as clip-retrieval's own writer makes it; the answers are those of FAISS.
    @Test func searchesAClipRetrievalFolder() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true), answers = try Answers()
        let source = try ImportSource(golden("clip-retrieval"))
        #expect(source.count == 12 && source.dimension == 6 && source.model == nil)
        var told: [Int] = []
        let summary = try library.importVectors(source, identity: six) { told.append($0.done) }
        #expect(summary.rows == 12 && summary.added == 12 && summary.isActive && summary.pending == 0 && told == [7, 12])
        let hits = try library.nearest(answers.query)
        #expect(hits.map(\.path.display) == answers.paths)
        for (hit, score) in zip(hits, answers.scores) { #expect(abs((hit.similarity ?? 0) - score) < 1e-5) }
        let info = try library.info("/pictures/0002.jpg")
        #expect(info.title == "海边的日落 2" && info.width == 642 && info.height == 480 && info.format == "jpg")
        #expect(info.contentHash == String(repeating: "0", count: 63) + "2")
        // By the words of the captions, and by likeness to one of them, without the file.
        var words = Query(limit: 3)
        words.terms = [QueryTerm(.words("bicycle"))]
        #expect(try library.search(words).map(\.title).allSatisfy { $0?.hasPrefix("a red bicycle") ?? false })
        #expect(try library.similar(to: "/pictures/0003.jpg", limit: 5).count == 5)
        #expect(try library.verify() == LibraryFindings())
        // What needs the file says so.
        let problem = #expect(throws: LibraryError.self) { try library.openPicture(hits[0].id) }
        #expect(problem?.description.contains("imported without its file") ?? false)
    }

    @Test func importingAgainReplaces() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true), answers = try Answers()
        let source = try ImportSource(golden("clip-retrieval"))
        _ = try library.importVectors(source, identity: six)
        let again = try library.importVectors(source, identity: six)
        #expect(again.added == 0 && again.replaced == 12)
        #expect(try library.nearest(answers.query).map(\.path.display) == answers.paths)
        #expect(try library.status().pictures == 12)
    }

    /// Ids say what belongs together, whatever the order of rows.
    @Test func joinsByID() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true), answers = try Answers()
        let source = try ImportSource(golden("mapped.faiss"))
        #expect(source.metric == .innerProduct && source.hasMetadata)
        #expect(try library.importVectors(source).isActive)
        let hits = try library.nearest(answers.query)
        #expect(hits.map(\.path.display) == answers.paths)
        #expect(hits.allSatisfy { hit in hit.title == "picture \(Int(hit.path.stem.display) ?? -1)" })
        #expect(try library.activeIdentity()?.name == "mapped" && library.activeIdentity()?.embedsText == false)
    }

    @Test func vectorsAloneHaveNumbersForNames() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true)
        let file = scratch.path.appending("bare.npy")
        try FileManager.default.copyItem(atPath: golden("clip-retrieval/img_emb/img_emb_0.npy").display, toPath: file.display)
        #expect(try library.importVectors(try ImportSource(file)).added == 7)
        #expect(try library.shown() == (0..<7).map(String.init))
        #expect(try library.similar(to: file.appending("3"), limit: 3).count == 3)
        try library.remove([file])
        #expect(try library.status().pictures == 0)
    }

    /// Vectors for pictures that were indexed, and pictures that an import finds.
    @Test func meetsIndexedPictures() async throws {
        let scratch = try Scratch(), pictures = try scratch.folder("pictures")
        for (seed, color) in ["red", "green", "blue"].enumerated() {
            try makePicture(pictures.appending("\(color).png"), color, seed: seed + 1)
        }
        let library = try Library(at: scratch.library, create: true)
        _ = try await library.indexAll([pictures], ColorEmbedder())
        let first = try library.exportVectors(
            to: scratch.path.appending("v.npy").display, metadata: scratch.path.appending("v.jsonl").display)
        #expect(first.paths.count == 3)
        // Into a new library: with the pictures' folder the files are recognised, and indexing has nothing left to do.
        let other = try Library(at: scratch.path.appending("other"), create: true), embedder = ColorEmbedder()
        let source = try ImportSource(scratch.path.appending("v.npy"))
        let summary = try other.importVectors(source, identity: embedder.identity, pictures: pictures)
        #expect(summary.added == 3 && summary.found == 3 && summary.changed == 0)
        #expect(try await other.indexAll([], embedder).unchanged == 3)
        #expect(embedder.embedded == 0)
        let id = try #require(try other.nearest([Float](repeating: 0.3, count: 12)).first?.id)
        #expect(try other.openPicture(id).size > 0)
        // The library itself knows them all already; for another model they are new.
        let known = try library.importVectors(source, identity: ColorEmbedder().identity)
        #expect(known.known == 3 && known.added == 0)
        let new = try library.importVectors(source, identity: ColorEmbedder(name: "others").identity)
        #expect(new.added == 3 && new.isActive)
        #expect(try library.status().files == 3)
        // A file that is another one now.
        try makePicture(pictures.appending("red.png"), "white", seed: 9)
        let third = try Library(at: scratch.path.appending("third"), create: true)
        #expect(try third.importVectors(source, identity: embedder.identity, pictures: pictures).changed == 1)
    }

    @Test func exportsTheStoredBytes() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true)
        _ = try library.importVectors(try ImportSource(golden("clip-retrieval")), identity: six)
        let folder = scratch.path.appending("exported")
        let summary = try library.exportFolder(to: folder.display, captions: TextEmbedder(identity: six))
        #expect(summary.paths.count == 12 && summary.captions == 11)
        _ = try library.exportVectors(to: scratch.path.appending("exported.faiss").display)
        let names = [
            "exported/img_emb/img_emb_0.npy", "exported/text_emb/text_emb_0.npy", "exported/metadata/metadata_0.parquet",
            "exported/metadata.jsonl", "exported/image.index", "exported/text.index", "exported/embeddings.json", "exported.faiss",
        ]
        for name in names {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.path.appending(name).display))
            if ProcessInfo.processInfo.environment["SENSORIUM_STORE_GOLDEN"] != nil {
                let place = URL(fileURLWithPath: golden(name).display)
                try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
                try bytes.write(to: place)
            }
            #expect(try bytes == Data(contentsOf: URL(fileURLWithPath: golden(name).display)), "\(name)")
        }
        // And back.
        let other = try Library(at: scratch.path.appending("other"), create: true), answers = try Answers()
        let source = try ImportSource(folder)
        #expect(try other.importVectors(source).isActive && other.activeIdentity() == six)
        #expect(try other.nearest(answers.query).map(\.path.display) == answers.paths)
    }

    @Test func anExportIsWholeOrNotThere() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true)
        _ = try library.importVectors(try ImportSource(golden("clip-retrieval")), identity: six)
        let folder = try scratch.folder("there")
        try write("mine", to: folder.appending("mine.txt"))
        #expect(throws: LibraryError.self) { try library.exportFolder(to: folder.display) }
        let stranger = TextEmbedder(identity: EmbedderIdentity(name: "other", digest: "other", dimension: 6, embedsText: true))
        #expect(throws: LibraryError.self) { try library.exportFolder(to: scratch.path.appending("new").display, captions: stranger) }
        #expect(throws: LibraryError.self) { try library.exportFolder(to: scratch.path.appending("no/new").display) }
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: scratch.path.display)) == ["library", "there"])
    }

    @Test func refusesWhatDoesNotFit() throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true)
        let vectors = scratch.path.appending("v.npy"), lines = scratch.path.appending("v.jsonl")
        try FileManager.default.copyItem(atPath: golden("clip-retrieval/img_emb/img_emb_0.npy").display, toPath: vectors.display)
        func problem(_ text: String) throws -> String {
            try write(text, to: lines)
            do {
                _ = try library.importVectors(try ImportSource(vectors), identity: six)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(try problem("{}\n{}\n").contains("2 rows, and"))
        let seven = String(repeating: "{}\n", count: 6)
        #expect(try problem(seven + "[1]\n").contains("line 7"))
        #expect(try problem(seven + "{\"image_path\": \n").contains("line 7"))
        #expect(try problem(seven + "{\"image_path\": 5, \"width\": \"x\", \"sha256\": \"zz\", \"latitude\": 900}\n") == "none")
        let wide = EmbedderIdentity(name: "wide", digest: "wide", dimension: 7, embedsText: false)
        #expect(throws: LibraryError.self) { try library.importVectors(try ImportSource(vectors), identity: wide) }
        for path in [scratch.path, scratch.path.appending("absent.npy"), lines, scratch.path.appending("v.txt")] {
            #expect(throws: LibraryError.self) { try ImportSource(path) }
        }
        #expect(throws: LibraryError.self) { try ImportSource(golden("mapped.faiss"), metadata: golden("answers.json")) }
    }
}
