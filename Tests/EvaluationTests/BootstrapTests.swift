import Evaluation
import Tensors
import Testing

@Suite struct BootstrapTests {
    /// The share of n draws with chance p has an interval of known width.
    @Test func intervalsAreAsWideAsTheoryTells() throws {
        let n = 2_000, ranks = (0..<n).map { $0 % 4 == 0 ? 1 : 2 }, labels = (0..<n).map { $0 % 2 }
        let report = try ClassificationReport(
            ranks: ranks, labels: labels, classes: ["a", "b"], bootstrap: Bootstrap(resamples: 2_000, seed: 5))
        let share = report.top[0].share, interval = try #require(share.interval)
        let expected = 1.96 * (0.25 * 0.75 / Double(n)).squareRoot()
        #expect(share.value == 0.25)
        #expect(abs((interval.upperBound - interval.lowerBound) / 2 - expected) < 0.1 * expected)
        #expect(abs((interval.upperBound + interval.lowerBound) / 2 - 0.25) < 0.1 * expected)
    }

    @Test func withoutDrawsThereIsNoInterval() throws {
        let report = try ClassificationReport(ranks: [1, 2], labels: [0, 1], classes: ["a", "b"], bootstrap: Bootstrap(resamples: 0))
        #expect(report.top[0].share.interval == nil && report.top[0].share.value == 0.5)
    }

    /// Captions of one picture are drawn together: five equal ones don't narrow the interval.
    @Test func captionsOfAPictureStayTogether() throws {
        var generator = RandomGenerator(seed: 6)
        let pictures = Tensor.randomNormal([80, 6], using: &generator),
            noise = Tensor.randomNormal([80, 6], deviation: 1.5, using: &generator)
        let texts = try pictures + noise
        func width(_ copies: Int) throws -> Double {
            let captions = (0..<80).flatMap { place in (0..<copies).map { _ in RetrievalSet.Caption(text: "", pictures: [place]) } }
            let rows = try texts.gathered(Tensor((0..<80 * copies).map { Int64($0 / copies) }, [80 * copies]), axis: 0)
            let set = try RetrievalSet(pictures: (0..<80).map(String.init), captions: captions)
            let found = try RetrievalReport(set, images: pictures, texts: rows, bootstrap: Bootstrap(resamples: 500, seed: 1))
            let interval = try #require(found.textToImage.recalls[1].share.interval)
            return interval.upperBound - interval.lowerBound
        }
        let (one, five) = (try width(1), try width(5))
        #expect(abs(one - five) < 1e-9 && one > 0.05)
    }
}
