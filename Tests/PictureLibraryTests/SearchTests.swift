import Foundation
import GRDB
import Imaging
import Tensors
import Testing
import VectorIndex

@testable import PictureLibrary

@Suite struct SearchTests {
    let scratch: Scratch
    let library: Library
    let pictures: FilePath
    let dual = ColorEmbedder(name: "dual", text: true)

    init() async throws {
        scratch = try Scratch()
        library = try Library(at: scratch.library, create: true)
        pictures = try scratch.folder("pictures")
        let captions = [
            ("red1", "red", "A red bicycle leans on a wall"), ("red2", "#e01010", "红色的自行车停在街上"), ("blue1", "blue", "The blue sea at noon"),
            ("blue2", "#1010e0", "蓝色的大海"), ("green1", "lime", "Bicycles in a green park"), ("white1", "white", "一只猫和一只小狗"),
        ]
        for (number, (name, color, caption)) in captions.enumerated() {
            try makePicture(pictures.appending(name + ".png"), color, width: 20 + number * 10, seed: number + 1)
            try write(caption, to: pictures.appending(name + ".txt"))
        }
        _ = try await library.indexAll([pictures], dual)
    }

    private func names(_ query: Query, _ embedder: ColorEmbedder? = nil) throws -> [String] {
        try library.search(query, embedder: embedder).map { $0.path.stem.display }
    }

    private func words(_ text: String, _ change: (inout Query) -> Void = { _ in }) throws -> [String] {
        var query = Query(terms: [QueryTerm(.words(text))])
        change(&query)
        return try names(query)
    }

    @Test func englishIsStemmedAndRankedByMatchingWords() throws {
        #expect(try words("bicycle") == ["red1", "green1"] || words("bicycle") == ["green1", "red1"])
        #expect(try words("red bicycle").first == "red1")
        #expect(try words("a bicycle in the parks").first == "green1")
        #expect(try words("blue1") == ["blue1"])
        #expect(try words("zeppelin") == [])
        #expect(try words("!!! ??") == [])
    }

    @Test func wordsTakenAwayExcludeWhatLooksAlikeToo() throws {
        let asked = pictures.appending("red1.png")
        let all = try names(Query(terms: [QueryTerm(.picture(asked))]))
        #expect(Set(all) == ["red1", "red2", "blue1", "blue2", "green1", "white1"])
        for terms in [["bicycle"], ["bicycle", "海"]] {
            let query = Query(terms: [QueryTerm(.picture(asked))] + terms.map { QueryTerm(.words($0), weight: -1) })
            let left = try names(query)
            #expect(left == all.filter { !["red1", "green1"].contains($0) && (terms.count == 1 || $0 != "blue2") })
        }
    }

    @Test func chineseIsFoundByAnyRunOfCharacters() throws {
        #expect(try words("红色的自行车") == ["red2"])
        #expect(try words("自行车") == ["red2"])
        #expect(try words("红色自行车") == ["red2"])
        #expect(try words("大海") == ["blue2"])
        #expect(try words("猫") == ["white1"])
        #expect(try words("貓") == ["white1"] && words("紅色的自行車") == ["red2"])
        #expect(try words("小猫") == ["white1"])
        #expect(try words("红色 bicycle").contains("red2"))
        #expect(try words("飞机") == [])
    }

    @Test func wordsTakenAwayExclude() throws {
        let query = Query(terms: [QueryTerm(.words("bicycle")), QueryTerm(.words("park"), weight: -1)])
        #expect(try names(query) == ["red1"])
    }

    @Test func aPictureFindsItsLike() throws {
        let query = Query(terms: [QueryTerm(.picture(pictures.appending("red1.png")))])
        let hits = try library.search(query)
        #expect(hits.map { $0.path.stem.display }.prefix(2) == ["red1", "red2"])
        #expect(hits.map(\.rank) == Array(1...6))
        #expect(hits[0].score == hits[0].similarity && abs(hits[0].score - 1) < 1e-5)
        #expect(zip(hits, hits.dropFirst()).allSatisfy { $0.score >= $1.score })
        // A file outside the library needs the embedder.
        let outside = scratch.path.appending("outside.png")
        try makePicture(outside, "blue", seed: 99)
        let other = Query(terms: [QueryTerm(.picture(outside))])
        #expect(throws: LibraryError.unknownPicture(path: outside.display)) { try library.search(other) }
        #expect(try !library.answersWithoutEmbedder(other) && library.answersWithoutEmbedder(query))
        #expect(try names(other, dual).first?.hasPrefix("blue") == true)
        #expect(throws: LibraryError.self) { try library.search(Query(terms: [QueryTerm(.picture("/nowhere.png"))]), embedder: dual) }
    }

    @Test func wordsAndPicturesAreMixed() throws {
        let mixed = Query(terms: [QueryTerm(.words("red"), weight: 2), QueryTerm(.picture(pictures.appending("blue1.png")), weight: -0.5)])
        #expect(try names(mixed, dual).first == "red1")
        let fused = try library.search(Query(terms: [QueryTerm(.words("red"))]), embedder: dual)
        #expect(fused[0].textRank == 1 && fused[0].vectorRank != nil)
        #expect(abs(fused[0].score - (1 / 61.0 + 1 / Double(60 + fused[0].vectorRank!))) < 1e-12)
        #expect(fused.allSatisfy { $0.similarity != nil })
        #expect(throws: LibraryError.self) {
            let picture = QueryTerm.Subject.picture(pictures.appending("red1.png"))
            _ = try library.search(Query(terms: [QueryTerm(picture), QueryTerm(picture, weight: -1)]))
        }
    }

    @Test func weightsDecideAndAreTold() throws {
        var query = Query(terms: [QueryTerm(.words("bicycle"), weight: 2)], color: try ColorQuery("#ff0000", threshold: 0))
        query.weights = try RankingWeights("meaning=0.5,words=3")
        let hits = try library.search(query, embedder: dual), weights: [Ranking: Double] = [.meaning: 1, .words: 6, .color: 1]
        #expect(hits.count == 6)
        for hit in hits {
            #expect(abs(hit.score - hit.shares.reduce(0) { $0 + $1.share }) < 1e-12)
            for share in hit.shares {
                #expect(share.weight == weights[share.ranking])
                #expect(abs(share.share - share.weight / (60 + share.rank)) < 1e-12)
            }
        }
        #expect(Set(hits.prefix(2).map { $0.path.stem.display }) == ["red1", "green1"])
        #expect(JSONLine(hits[0]).text.contains(#""rankings":[{"by":"meaning","#))
        #expect(JSONLine(hits[0]).text.contains(#"{"by":"words","words":"bicycle","rank":"#))
        // A weight of 0 leaves its ranking out: no vectors, and no embedder is needed.
        query.weights = try RankingWeights("meaning=0,color=0")
        #expect(try library.answersWithoutEmbedder(query))
        let textOnly = try library.search(query)
        #expect(textOnly.map(\.shares.count) == [1, 1] && textOnly.allSatisfy { $0.similarity == nil && $0.score == $0.shares[0].share })
        query.weights = try RankingWeights("words=0,text=0,color=0")
        #expect(try library.search(query, embedder: dual).allSatisfy { $0.shares.map(\.ranking) == [.meaning] })
        // Where words are no vectors, they are looked up all the same; with nothing left, that is said.
        #expect(try library.search(query).count == 2)
        query.weights = try RankingWeights("meaning=0,words=0,text=0")
        #expect(throws: LibraryError.self) { try library.search(query, embedder: dual) }
        query.terms = [QueryTerm(.picture(pictures.appending("red1.png")))]
        #expect(throws: LibraryError.self) { try library.search(query, embedder: dual) }
        // A colour that doesn't rank still narrows.
        let narrowed = Query(color: try ColorQuery("#ff0000"), weights: try RankingWeights("color=0"))
        #expect(Set(try names(narrowed)) == ["red1", "red2"])
    }

    @Test func whatTiesInOneRankingIsDecidedByTheOthers() async throws {
        // One caption for all, but the last has more of it.
        for number in 0..<6 {
            try makePicture(
                pictures.appending("tied\(number).png"), number == 5 ? "#0000ff" : "#00ff00", width: 100 + number, seed: 50 + number)
            try write(number == 4 ? "unusual zebra crossing" : "unusual zebra", to: pictures.appending("tied\(number).txt"))
        }
        _ = try await library.indexAll([pictures], dual)
        // By words alone: those that hold all words are first, the others share one rank.
        var query = Query(terms: [QueryTerm(.words("unusual zebra crossing"))], weights: try RankingWeights("meaning=0"))
        let all = try library.search(query)
        #expect(all.first?.path.stem.display == "tied4" && all.map(\.textRank) == [1, 4, 4, 4, 4, 4])
        #expect(all[0].score > all[1].score)
        // Tied in words, the look decides, whatever their numbers: the blue one was indexed last.
        query = Query(terms: [QueryTerm(.words("unusual zebra")), QueryTerm(.picture(pictures.appending("tied5.png")))])
        let mixed = try library.search(query)
        #expect(mixed[0].path.stem.display == "tied5")
        #expect(mixed.filter { $0.textRank == 3 }.count == 5 && mixed.first { $0.path.stem.display == "tied4" }?.textRank == 6)
        // Ties that end beyond the candidates count for those that another ranking has found.
        let ranking = FusedRanking.tied()
        #expect(ranking.map(\.content) == [900, 1, 2])
        #expect(ranking.allSatisfy { $0.shares.last?.rank == 500.5 })
    }

    @Test func withoutTextTowerWordsStayText() throws {
        let query = Query(terms: [QueryTerm(.words("sea")), QueryTerm(.picture(pictures.appending("red1.png")))])
        let hits = try library.search(query)
        let sea = try #require(hits.first { $0.textRank == 1 })
        #expect(sea.path.stem.display == "blue1" && sea.vectorRank != nil)
        #expect(hits.count == 6)
    }

    @Test func filtersApplyToEveryRanking() throws {
        let wide = try WhereFilter("width >= 40")
        let picture = [QueryTerm(.picture(pictures.appending("red1.png")))]
        #expect(Set(try names(Query(terms: picture, filter: wide))) == ["blue1", "blue2", "green1", "white1"])
        #expect(try names(Query(terms: [QueryTerm(.words("bicycle"))], filter: wide)) == ["green1"])
        #expect(try names(Query(terms: picture, folder: pictures.appending("none"))) == [])
        #expect(try names(Query(terms: picture, folder: pictures)).count == 6)
        #expect(try names(Query(terms: picture, limit: 2)).count == 2)
        #expect(try library.similar(to: pictures.appending("red1.png"), filter: wide).count == 4)
    }

    @Test func leastScoresAreOfSimilarity() throws {
        let picture = [QueryTerm(.picture(pictures.appending("red1.png")))]
        let hits = try library.search(Query(terms: picture, minScore: 0.9))
        #expect(Set(hits.map { $0.path.stem.display }) == ["red1", "red2"])
        #expect(try names(Query(terms: [QueryTerm(.words("red"))], minScore: 0.9), dual).count == 2)
    }

    @Test func coloursFilterAndRank() throws {
        let red = try ColorQuery("#ff0000")
        #expect(try names(Query(color: red)) == ["red1", "red2"])
        #expect(try names(Query(terms: [QueryTerm(.words("bicycle"))], color: red)) == ["red1"])
        let hit = try #require(try library.search(Query(color: red)).first)
        #expect(hit.score == hit.colorScore && hit.score > 0.8 && hit.score <= 1.001)
        #expect(try names(Query(color: try ColorQuery("蓝色"))).allSatisfy { $0.hasPrefix("blue") })
        #expect(try names(Query(color: ColorQuery(try #require(Color("red")), threshold: 1.1))) == [])
        #expect(throws: LibraryError.self) { try ColorQuery("reddish'); --") }
    }

    @Test func bounds() throws {
        #expect(throws: LibraryError.self) { try library.search(Query()) }
        #expect(throws: LibraryError.self) { try words("x") { $0.limit = 0 } }
        #expect(throws: LibraryError.self) { try words("x") { $0.limit = Query.largestLimit + 1 } }
        #expect(try words("bicycle") { $0.limit = Query.largestLimit }.count == 2)
        #expect(throws: LibraryError.self) { try library.similar(to: "/nowhere") }
        #expect(throws: LibraryError.self) { try library.info("/nowhere") }
    }

    @Test func hostileWordsNeverBreakFullText() throws {
        var random = RandomGenerator(seed: 11)
        let pieces = [
            "\"", "'", "(", ")", "*", "^", ":", "-", "+", "NEAR", "AND", "OR", "NOT", "title:", "{a}", "红", "色", "的", "a", "bicycle",
            "\u{0}", "\u{301}",
            "😀", "ﬁ", "Ａ", "½", "\u{E000}", "한국", "ひら", " ", "_", ".", "\\", "%", ";--", "\u{200D}", "²",
        ]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }
                .joined()
            let other = pieces[Int.random(in: 0..<pieces.count, using: &random)]
            let query = Query(terms: [QueryTerm(.words(text)), QueryTerm(.words(other), weight: -1)])
            #expect(throws: Never.self, "\(text)") { try library.search(query) }
        }
    }
}

extension FusedRanking {
    /// A thousand that tie in words, of which vectors found the 900th; two candidates of each ranking.
    fileprivate static func tied() -> [ScoredContent] {
        var ranking = FusedRanking(limit: 2)
        ranking.add(vectors: [Hit(id: 900, score: 0.9)], weight: 1)
        ranking.add(text: (1...1_000).map { TextRanking.Match(content: $0, score: 3) }, weight: 1, words: "all")
        return ranking.ordered()
    }
}

@Suite struct ScaleTests {
    /// 10,000 pictures with words, colours and vectors, straight into the catalogue.
    @Test func tenThousandPictures() async throws {
        let scratch = try Scratch()
        let library = try Library(at: scratch.library, create: true)
        let embedder = ColorEmbedder()
        let pictures = try scratch.folder("pictures")
        try makePicture(pictures.appending("seed.png"), "red")
        _ = try await library.indexAll([pictures], embedder)
        let row = try #require(try library.database.read { try $0.activeIdentity() })
        let index = try library.indexes.open(row)
        let animals = ["cat", "dog", "horse", "sheep", "猫", "狗", "马", "羊"]
        try await library.database.pool.write { database in
            let ids = try database.reserveContentIDs(10_000)
            for id in ids {
                var content = ContentRecord(hash: Data("\(id)".utf8), width: Int(id), height: 100, format: id % 2 == 0 ? "jpeg" : "png")
                content.words = PictureWords(title: "\(animals[Int(id) % 8]) number \(id)", description: nil, tags: ["all"])
                content.colors = [.init(share: 1, color: Color(red: UInt8(id % 256), green: 0, blue: 0))]
                try database.save(content, id: id)
                try database.execute(sql: "INSERT INTO vector VALUES (?, ?)", arguments: [row.id, id])
                let stamp = FileStamp(device: 1, inode: id, modified: 0, size: 1)
                try database.attach(FoundFile(path: FilePath("/many/\(id % 100)/\(id).png"), stamp: stamp), to: id, at: 0)
            }
        }
        let known = try await library.database.pool.read { try Int64.fetchAll($0, sql: "SELECT id FROM content WHERE id > 1") }
        let vectors = try embedder.embed(
            known.map { id in
                try embedder.prepare(try Picture(width: 1, height: 1, pixels: [UInt8(id % 256), UInt8(id / 256 % 256), 30]))
            })
        try index.upsert(ids: known, vectors: vectors)
        #expect(try library.status().files == 10_001)
        #expect(try library.search(Query(terms: [QueryTerm(.words("猫"))], limit: 2_000)).count == 1_250)
        #expect(
            try library.search(Query(terms: [QueryTerm(.words("horse"))], filter: try WhereFilter("format = jpeg"), limit: 2_000)).count
                == 1_250)
        let similar = try library.search(
            Query(
                terms: [QueryTerm(.picture(pictures.appending("seed.png")))], filter: try WhereFilter("width > 9000"), folder: "/many/7",
                limit: 50))
        #expect(!similar.isEmpty && similar.allSatisfy { $0.width > 9_000 && $0.path.isInside("/many/7") })
        #expect(try library.search(Query(color: try ColorQuery("#ff0000"), limit: 10)).count == 10)
        #expect(try library.remove(["/many/7"]).files == 100)
        #expect(try library.verify() == LibraryFindings())
    }
}
