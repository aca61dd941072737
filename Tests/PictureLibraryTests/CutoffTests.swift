import Foundation
import GRDB
import Imaging
import Tensors
import Testing
import VectorIndex

@testable import PictureLibrary

/// Where hits end: what chance would find isn't shown.
@Suite struct CutoffTests {
    /// Similarities of unrelated pictures: a normal, seeded.
    private static func normal(_ count: Int, mean: Double, spread: Double, _ random: inout RandomGenerator) -> [Float] {
        (0..<count).map { _ in
            let (u, v) = (Double.random(in: 1e-12..<1, using: &random), Double.random(in: 0..<1, using: &random))
            return Float(mean + spread * (-2 * log(u)).squareRoot() * cos(2 * .pi * v))
        }
    }

    private static func background(_ random: inout RandomGenerator, spread: Double = 0.1) -> Background {
        Background((0..<32).map { normal(1_000, mean: Double($0 % 5) * 0.01, spread: spread, &random) })
    }

    private static func count(_ similarities: [Float], _ background: Background) -> Int {
        let sorted = similarities.sorted(by: >).map(Double.init)
        let report = background.cutoff(best: sorted, own: similarities, candidates: similarities.count)
        return sorted.count { $0 >= report.threshold ?? .infinity }
    }

    @Test func theSpreadIsThatOfUnrelatedQueries() {
        var random = RandomGenerator(seed: 1)
        let background = Self.background(&random)
        #expect(abs(background.spread - 0.1) < 0.01 && abs(background.median - 0.02) < 0.01)
        #expect(abs(Background.chance(1.6449) - 0.05) < 1e-4 && abs(Background.deviations(0.05) - 1.6449) < 1e-4)
        #expect(abs(Background.deviations(Background.chance(5)) - 5) < 1e-9)
    }

    @Test(arguments: [60, 1_000, 20_000]) func nonsenseFindsNextToNothing(size: Int) {
        var random = RandomGenerator(seed: UInt64(size))
        let background = Self.background(&random)
        let counts = (0..<20).map { _ in Self.count(Self.normal(size, mean: 0.03, spread: 0.1, &random), background) }
        // One query of twenty may find some by chance.
        #expect(counts.max()! <= 3 && counts.count { $0 == 0 } >= 16, "\(counts)")
    }

    @Test(arguments: [(60, 3), (1_000, 20), (1_000, 300), (20_000, 5)]) func relatedPicturesStay(size: Int, related: Int) {
        var random = RandomGenerator(seed: UInt64(size + related))
        let background = Self.background(&random)
        let similarities =
            Self.normal(size - related, mean: -0.02, spread: 0.1, &random) + Self.normal(related, mean: 0.55, spread: 0.03, &random)
        let kept = Self.count(similarities, background)
        #expect(kept >= related && Double(kept) <= Double(related) * 1.1 + 2, "\(kept)")
    }

    @Test func aLibraryOfNothingElseIsShownWhole() {
        var random = RandomGenerator(seed: 9)
        let background = Self.background(&random)
        #expect(Self.count(Self.normal(500, mean: 0.6, spread: 0.05, &random), background) == 500)
        // Similarities that don't differ at all.
        let flat = Background([[Float]](repeating: [Float](repeating: 0.5, count: 60), count: 4))
        #expect(flat.spread > 0 && Self.count([Float](repeating: 0.5, count: 60), flat) == 0)
    }

    @Test func cutoffsAreRead() throws {
        #expect(try Cutoff("auto") == .auto && Cutoff("off") == .off && Cutoff("0.25") == .similarity(0.25))
        for text in ["", "on", "nan", "inf", "0,2"] { #expect(throws: LibraryError.self) { try Cutoff(text) } }
    }

    @Test func searchesEndThere() async throws {
        let scratch = try Scratch(), library = try Library(at: scratch.library, create: true), pictures = try scratch.folder("pictures")
        let dual = ColorEmbedder(name: "dual", text: true)
        for number in 0..<4 { try makePicture(pictures.appending("red\(number).png"), "red", width: 20 + number, seed: number + 1) }
        _ = try await library.indexAll([pictures], dual)
        var query = Query(terms: [QueryTerm(.words("red"))], cutoff: .auto)
        // Too few: nothing is cut, and that is said.
        let few = try library.find(query, embedder: dual)
        #expect(few.hits.count == 4 && few.cutoff?.threshold == nil && few.cutoff?.reason?.contains("4 pictures are too few") == true)
        // Greens and blues of many kinds; one blue has the word.
        for number in 0..<80 {
            let color = String(format: "#00%02x%02x", number * 3, 255 - number * 3)
            try makePicture(pictures.appending("other\(number).png"), color, width: 30 + number, seed: 100 + number)
        }
        try write("the red one", to: pictures.appending("other7.txt"))
        _ = try await library.indexAll([pictures], dual)
        query.limit = 100
        let found = try library.find(query, embedder: dual), report = try #require(found.cutoff), threshold = try #require(report.threshold)
        #expect(Set(found.hits.map { $0.path.stem.display }) == ["red0", "red1", "red2", "red3", "other7"])
        #expect(report.cut == 79 && report.calibration?.sample == 84 && report.calibration?.candidates == 84)
        #expect(found.hits.allSatisfy { $0.similarity! >= threshold || $0.textRank != nil })
        #expect(try library.find(query, embedder: dual).cutoff == report)
        #expect(JSONLine(report).text.hasPrefix("{\"how\":\"auto\",\"threshold\":0."))
        // Off, at a given similarity, and among what a filter leaves.
        query.cutoff = .off
        #expect(try library.find(query, embedder: dual).cutoff == nil && library.search(query, embedder: dual).count == 84)
        query.cutoff = .similarity(2)
        let none = try library.find(query, embedder: dual)
        #expect(Set(none.hits.map { $0.path.stem.display }) == ["red0", "red1", "red2", "red3", "other7"])
        #expect(none.cutoff == CutoffReport(threshold: 2, cut: 79))
        query = Query(terms: [QueryTerm(.words("red"))], filter: try WhereFilter("name like \"other%\""), limit: 100, cutoff: .auto)
        let filtered = try library.find(query, embedder: dual)
        #expect(filtered.hits.map { $0.path.stem.display } == ["other7"] && filtered.cutoff?.calibration?.candidates == 80)
        // A picture is compared with what pictures of the library are to each other.
        query = Query(terms: [QueryTerm(.picture(pictures.appending("red0.png")))], limit: 100, cutoff: .auto)
        let alike = try library.find(query, embedder: nil)
        #expect(alike.hits.prefix(4).allSatisfy { $0.path.stem.display.hasPrefix("red") } && alike.cutoff?.threshold != nil)
        // Words alone have no similarity to cut by.
        query = Query(terms: [QueryTerm(.words("red one"))], cutoff: .auto)
        #expect(try library.find(query, embedder: nil).cutoff == nil)
    }
}
