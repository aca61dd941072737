import Foundation
import Imaging
import Tensors
import Testing

@testable import PictureLibrary

@Suite struct QueryExpressionTests {
    private func parse(_ arguments: [String], images: [String] = []) throws -> [QueryTerm] {
        try QueryExpression.parse(
            arguments, images: images, isPicture: { ["beach.jpg", "a - b.png", "2: odd.png", "+x.png"].contains($0) })
    }

    private func words(_ text: String, _ weight: Double = 1) -> QueryTerm { QueryTerm(.words(text), weight: weight) }
    private func picture(_ path: String, _ weight: Double = 1) -> QueryTerm { QueryTerm(.picture(FilePath(path)), weight: weight) }

    @Test func terms() throws {
        #expect(
            try parse(["2: sunset", "+", "beach.jpg", "-", "people"]) == [words("sunset", 2), picture("beach.jpg"), words("people", -1)])
        #expect(try parse(["2: sunset + beach.jpg - people"]) == [words("sunset", 2), picture("beach.jpg"), words("people", -1)])
        #expect(try parse(["a red bicycle"]) == [words("a red bicycle")])
        #expect(try parse(["a", "red", "bicycle"]) == [words("a red bicycle")])
        #expect(try parse(["红色的自行车"]) == [words("红色的自行车")])
        #expect(try parse(["beach.jpg"]) == [picture("beach.jpg")])
        #expect(try parse(["dog", "beach.jpg", "cat"]) == [words("dog"), picture("beach.jpg"), words("cat")])
        #expect(try parse(["a - b.png"]) == [picture("a - b.png")])
        #expect(try parse(["2: odd.png"]) == [picture("2: odd.png")])
        #expect(try parse(["0.5:beach.jpg", "-", "1.5: rain"]) == [picture("beach.jpg", 0.5), words("rain", -1.5)])
        #expect(try parse(["semi-detached house"]) == [words("semi-detached house")])
        #expect(try parse(["+dog", "-cat"]) == [words("dog"), words("cat", -1)])
        #expect(try parse(["+x.png"]) == [picture("+x.png")])
        #expect(try parse(["time: noon"]) == [words("time: noon")])
        #expect(try parse(["text: exit sign"]) == [QueryTerm(.readText("exit sign"))])
        #expect(
            try parse(["2: Text:exit + dog - text：出口"]) == [
                QueryTerm(.readText("exit"), weight: 2), words("dog"), QueryTerm(.readText("出口"), weight: -1),
            ])
        #expect(try parse(["text:", "exit", "sign"]) == [QueryTerm(.readText("exit sign"))])
        #expect(try parse(["dog", "text: exit"]) == [words("dog"), QueryTerm(.readText("exit"))])
        #expect(
            try parse([], images: ["x.dat", "3: y.dat", "2: odd.png"]) == [picture("x.dat"), picture("y.dat", 3), picture("2: odd.png")])
    }

    @Test(arguments: [
        [], [""], ["+"], ["a", "+"], ["a", "+", "-", "b"], ["-", "a"], ["2:"], ["0: a"], ["1001: a"], ["2: + a"], ["-a"], ["text:"],
        ["dog + text:"], ["- text: exit"],
    ])
    func mistakes(arguments: [String]) {
        #expect(throws: LibraryError.self) { try parse(arguments) }
    }

    @Test func hostileArgumentsNeverTrap() {
        var random = RandomGenerator(seed: 3)
        let pieces = [
            "+", "-", ":", "2:", "9e9:", "0:", ".", "..:", "a", "\"", "beach.jpg", " ", "\t", "−", "é", "😀", "\u{301}", "inf:", "nan:",
            "1:2:3",
        ]
        var parsed = 0
        for _ in 0..<5_000 {
            let arguments = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                (0..<Int.random(in: 0...4, using: &random)).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
            }
            guard let terms = try? parse(arguments) else { continue }
            parsed += 1
            #expect(!terms.isEmpty && terms.allSatisfy { $0.weight.isFinite && $0.weight != 0 })
        }
        #expect(parsed > 100)
    }
}

@Suite struct RankFusionTests {
    @Test func sumsReciprocalRanks() {
        let fused = RankFusion.fuse([(1, [(10, 1), (20, 2), (30, 3)]), (2, [(30, 1), (40, 2)])])
        #expect(fused.map(\.id) == [30, 40, 10, 20])
        #expect(abs(fused[0].score - (1 / 63.0 + 2 / 61.0)) < 1e-15)
        #expect(abs(fused[1].score - 2 / 62.0) < 1e-15)
        #expect(abs(fused[2].score - 1 / 61.0) < 1e-15)
    }

    @Test func equalScoresGoBySmallerID() {
        #expect(RankFusion.fuse([(1, [(9, 1), (5, 2)]), (1, [(5, 1), (9, 2)])]).map(\.id) == [5, 9])
        #expect(RankFusion.fuse([]).isEmpty)
        #expect(RankFusion.fuse([(1, [(1, 1)]), (1, [])], constant: 0).first?.score == 1)
    }

    @Test func equalScoresShareTheMeanOfTheirPlaces() {
        #expect(RankFusion.ranks([0.9, 0.5, 0.5, 0.5, 0.1]) == [1, 3, 3, 3, 5])
        #expect(RankFusion.ranks([2, 2]) == [1.5, 1.5])
        #expect(RankFusion.ranks([Double]()).isEmpty)
        // Whatever the ties, the ranks of a list have the same sum.
        #expect(RankFusion.ranks([3, 3, 2, 2, 2, 1].map { Double($0) }).reduce(0, +) == 21)
    }
}

@Suite struct RankingWeightTests {
    @Test func weightsAreRead() throws {
        let weights = try RankingWeights("meaning=2, words=0.5,text = 0")
        #expect(weights[.meaning] == 2 && weights[.words] == 0.5 && weights[.text] == 0 && weights[.color] == 1)
        #expect(try RankingWeights("colour=0") == RankingWeights("color=0.0"))
        #expect(try RankingWeights("words=1") == RankingWeights())
    }

    @Test(arguments: [
        "", "meaning", "meaning=", "=1", "look=1", "words=-1", "words=nan", "words=inf", "words=1001", "words=1,", "words=1;text=2",
    ])
    func mistakes(text: String) { #expect(throws: LibraryError.self) { try RankingWeights(text) } }
}

@Suite struct WordTests {
    @Test func splitting() {
        #expect(WordSplitting.indexed("红色bike").split(separator: " ") == ["红", "色", "bike"])
        #expect(WordSplitting.indexedName("RedBicycle01") == "RedBicycle01 Red Bicycle 01")
        #expect(WordSplitting.units("The RED bike, 红色的车!") == [.word("RED"), .word("bike"), .ideographs(["红", "色"]), .ideographs(["车"])])
        #expect(WordSplitting.units("the of") == [.word("the"), .word("of")])
        #expect(WordSplitting.units("ＡＢＣ") == [.word("ABC")])
        #expect(WordSplitting.units("... \"'*") == [])
    }

    @Test func expressions() throws {
        let query = try #require(TextQuery("自行车"))
        #expect(query.strict == "(\"自 行\" AND \"行 车\")")
        #expect(query.loose == "(\"自 行 车\" OR \"自 行\" OR \"行 车\")")
        #expect(query.characters == "\"自\" OR \"行\" OR \"车\"")
        #expect(TextQuery("\"") == nil)
        #expect(TextQuery("NEAR(a b)")?.strict == "\"NEAR\" AND \"b\"")
    }

    @Test func sidecars() {
        #expect(Sidecar.parse(Array("A cat\n".utf8)) == PictureWords(title: "A cat"))
        #expect(Sidecar.parse(Array("\u{FEFF}Title\r\nmore\r\nlines".utf8)) == PictureWords(title: "Title", description: "more\nlines"))
        let stamp = Sidecar.parse(Array("A cat.\nfr.utf8=Un chat.\nzh_CN.utf8=猫。\nzh_TW.utf8=貓。\nbad.utf8=\n".utf8))
        #expect(stamp == PictureWords(title: "A cat.", description: "猫。\n貓。"))
        #expect(Sidecar.parse(Array(String(repeating: "x", count: 300).utf8)).title == nil)
        #expect(Sidecar.parse([0x41, 0, 0x42]) == PictureWords())
        #expect(Sidecar.parse([0xFF, 0xFE, 0x41]).title != nil)
        #expect(Sidecar.parse([]) == PictureWords())
    }

    @Test func merging() {
        let merged = PictureWords.merged(
            sidecar: PictureWords(title: "Side", description: "d", tags: ["A"]),
            metadata: PictureWords(title: "Meta", description: "d", tags: ["a", "b"]))
        #expect(merged == PictureWords(title: "Side", description: "d\nMeta", tags: ["A", "b"]))
        #expect(PictureWords.tagColumn(["x\ny", " ", "z"]) == "\nx y\nz\n")
        #expect(PictureWords.tags(column: "\nx y\nz\n") == ["x y", "z"])
    }
}

@Suite struct QueueTests {
    @Test func everyElementArrivesOnce() async {
        let queue = BoundedQueue<Int>(capacity: 3)
        let total = await withTaskGroup(of: Int.self) { group in
            group.addTask {
                await offThread {
                    for number in 1...1_000 { _ = queue.put(number) }
                    queue.close()
                    return 0
                }
            }
            for _ in 0..<3 {
                group.addTask {
                    await offThread {
                        var sum = 0
                        while let number = queue.take() { sum += number }
                        return sum
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(total == 500_500)
        #expect(!queue.put(1))
        #expect(queue.take() == nil)
    }

    @Test func closingFreesWaitingThreads() async {
        let queue = BoundedQueue<Int>(capacity: 1)
        async let put = offThread { [queue.put(1), queue.put(2)].count { $0 } }
        async let closed: Int = offThread {
            usleep(20_000)
            queue.close(discarding: true)
            return 0
        }
        let (count, _) = await (put, closed)
        #expect(count == 1 || count == 0)
        #expect(queue.take() == nil)
    }

    private func offThread(_ body: @escaping @Sendable () -> Int) async -> Int {
        await withCheckedContinuation { continuation in Thread { continuation.resume(returning: body()) }.start() }
    }
}
