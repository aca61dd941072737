import Evaluation
import Tensors
import Testing

/// Recall and ranks against CLIP_benchmark's and Chinese-CLIP's own numbers on the same arrays.
@Suite struct RetrievalTests {
    private let golden: EvaluationGolden
    init() throws { golden = try EvaluationGolden("retrieval") }

    private func report(_ pictures: [[Int]], ks: [Int], bootstrap: Bootstrap = Bootstrap(resamples: 0)) throws -> RetrievalReport {
        let set = try RetrievalSet(
            pictures: (0..<60).map(String.init), captions: pictures.map { RetrievalSet.Caption(text: "", pictures: $0) })
        return try RetrievalReport(
            set, images: golden.tensor("pictures"), texts: golden.tensor("captions"), ks: ks, bootstrap: bootstrap)
    }

    private var several: [[Int]] { (golden.numbers["pictures_of_captions"]?.array ?? []).map { ($0.array ?? []).compactMap(\.int) } }

    @Test func recallsAreThoseOfCLIPBenchmark() throws {
        let published = try #require(golden.numbers["clip_benchmark"])
        let found = try report(golden.labels("owner").map { [$0] }, ks: [1, 3, 5, 10])
        for (scores, name) in [(found.textToImage, "image_retrieval_recall"), (found.imageToText, "text_retrieval_recall")] {
            #expect(scores.recalls.map(\.k) == [1, 3, 5, 10])
            for recall in scores.recalls {
                let expected = try #require(published["\(name)@\(recall.k)"]?.double)
                #expect(abs(recall.share.value - expected) < 1e-6, "\(name)@\(recall.k): \(recall.share.value), published \(expected)")
            }
        }
    }

    @Test func recallsAreThoseOfChineseCLIP() throws {
        let published = try #require(golden.numbers["chinese_clip"])
        let found = try report(several, ks: [1, 5, 10])
        for (scores, name) in [(found.textToImage, "text_to_image"), (found.imageToText, "image_to_text")] {
            let expected = try ["r1", "r5", "r10", "mean_recall"].map { try #require(published[name]?[$0]?.double) / 100 }
            let values = scores.recalls.map(\.share.value) + [scores.meanRecall.value]
            for (value, expected) in zip(values, expected) { #expect(abs(value - expected) < 1e-9, "\(name): \(values)") }
        }
        #expect(abs(found.meanRecall.value - (found.textToImage.meanRecall.value + found.imageToText.meanRecall.value) / 2) < 1e-12)
    }

    @Test func ranksAreThoseOfAWholeSort() throws {
        let found = try report(several, ks: [1]).textToImage
        let expected = try #require(golden.numbers["ranks"])
        #expect(abs(found.meanRank.value - (expected["mean"]?.double ?? .nan)) < 1e-9)
        #expect(found.medianRank.value == expected["median"]?.double)
        #expect(abs(found.meanReciprocalRank.value - (expected["reciprocal"]?.double ?? .nan)) < 1e-9)
    }

    /// A model that sees no difference must not look perfect.
    @Test func equalScoresKeepTheOrderOfTheData() throws {
        let set = try RetrievalSet(
            pictures: (0..<40).map(String.init), captions: (0..<40).map { RetrievalSet.Caption(text: "", pictures: [$0]) })
        let found = try RetrievalReport(
            set, images: Tensor.ones([40, 8]), texts: Tensor.ones([40, 8]), bootstrap: Bootstrap(resamples: 0))
        for scores in [found.textToImage, found.imageToText] {
            #expect(scores.recalls.map(\.share.value) == [0.025, 0.125, 0.25])
            #expect(scores.meanRank.value == 20.5 && scores.medianRank.value == 20.5)
        }
    }

    /// Blocks of queries don't change what is found.
    @Test func manyQueriesAreRankedAsFewAre() throws {
        var generator = RandomGenerator(seed: 4)
        let pictures = Tensor.randomNormal([5_000, 4], using: &generator), captions = Tensor.randomNormal([2_500, 4], using: &generator)
        let set = try RetrievalSet(
            pictures: (0..<5_000).map(String.init), captions: (0..<2_500).map { RetrievalSet.Caption(text: "", pictures: [$0 * 2]) })
        let found = try RetrievalReport(set, images: pictures, texts: captions, bootstrap: Bootstrap(resamples: 0))
        let (p, c) = (pictures.unitLength().floats(), captions.unitLength().floats())
        var sum = 0.0
        for row in 0..<2_500 {
            let scores = (0..<5_000).map { place in (0..<4).reduce(Float(0)) { $0 + c[row * 4 + $1] * p[place * 4 + $1] } }
            sum += Double(1 + scores.count { $0 > scores[row * 2] })
        }
        // Ranks in crowded places move by a few where sums are rounded otherwise.
        #expect(abs(found.textToImage.meanRank.value - sum / 2_500) < 0.1)
        #expect(found.imageToText.queries == 2_500 && found.imageToText.candidates == 2_500)
    }

    @Test func intervalsHoldTheValueAndRepeat() throws {
        let first = try report(several, ks: [1, 5], bootstrap: Bootstrap(resamples: 200, seed: 3))
        let again = try report(several, ks: [1, 5], bootstrap: Bootstrap(resamples: 200, seed: 3))
        let other = try report(several, ks: [1, 5], bootstrap: Bootstrap(resamples: 200, seed: 4))
        for scores in [first.textToImage, first.imageToText] {
            for estimate in scores.recalls.map(\.share) + [scores.meanRecall, scores.meanRank, scores.meanReciprocalRank] {
                let interval = try #require(estimate.interval)
                #expect(interval.contains(estimate.value) && interval.lowerBound < interval.upperBound)
            }
        }
        #expect(first.textToImage.recalls[0].share == again.textToImage.recalls[0].share)
        #expect(first.textToImage.recalls[0].share.interval != other.textToImage.recalls[0].share.interval)
    }

    @Test func arraysThatDoNotFitAreRefused() throws {
        let set = try RetrievalSet(pictures: ["a", "b"], captions: [RetrievalSet.Caption(text: "", pictures: [0])])
        func problem(_ images: Tensor, _ texts: Tensor, ks: [Int] = [1]) -> String {
            do {
                _ = try RetrievalReport(set, images: images, texts: texts, ks: ks)
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem(.ones([3, 4]), .ones([1, 4])).contains("3 rows of pictures' embeddings for 2 pictures"))
        #expect(problem(.ones([2, 4]), .ones([2, 4])).contains("2 rows of captions' embeddings for 1 captions"))
        #expect(problem(.ones([2, 4]), .ones([1, 5])).contains("4 numbers each, the captions' embeddings 5"))
        #expect(problem(.zeros([0, 4]), .ones([1, 4])).contains("no rows"))
        #expect(problem(.full([2, 4], .nan), .ones([1, 4])).contains("row 0, column 0 isn't finite"))
        #expect(problem(.ones([2, 4]), .ones([1, 4]), ks: [0]).contains("at least 1"))
    }
}
