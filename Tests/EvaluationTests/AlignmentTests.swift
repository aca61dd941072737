import Evaluation
import Tensors
import Testing

/// Every measure against the number of platonic-rep's own code on the same arrays.
@Suite struct AlignmentTests {
    @Test func numbersAreThePublishedOnes() throws {
        let golden = try EvaluationGolden("platonic"), (a, b) = (try golden.tensor("a"), try golden.tensor("b"))
        #expect(golden.results.count == 48)
        for result in golden.results {
            let metric = try #require(result["metric"]?.string.flatMap(AlignmentMetric.init))
            let alignment = try Alignment(
                a, b,
                preparation: Alignment.Preparation(
                    outlierQuantile: try #require(result["q"]?.double), normalises: result["normalises"] == .bool(true)))
            let expected = try #require(result["value"]?.double)
            let found = try alignment.measure(
                metric, neighbours: result["k"]?.int ?? 10, components: result["components"]?.int ?? 10)
            // SVCCA passes through products of single precision and an iteration; the published CKNNA sums in single precision.
            let allowed = metric == .svcca ? 1e-4 : (metric == .cknna ? 1e-5 : 2e-6) * max(1, abs(expected))
            #expect(abs(found - expected) < allowed, "\(result.object ?? [:]): \(found)")
            // Its random sketch is good where the spectrum falls steeply behind the directions that are kept.
            if metric == .svcca, result["components"]?.int == 6 {
                #expect(abs(found - (result["published"]?.double ?? .nan)) < 2e-3, "\(found)")
            }
        }
    }

    @Test func aModelIsAlignedWithItself() throws {
        var generator = RandomGenerator(seed: 9)
        let rows = Tensor.randomNormal([50, 20], using: &generator)
        let alignment = try Alignment(rows, rows)
        // A row needn't be among its neighbours' neighbours, so cycles may fail.
        for metric in AlignmentMetric.allCases where metric != .cycleKNN {
            let expected = metric == .lcsKNN ? 10.0 : 1.0
            let found = try alignment.measure(metric)
            #expect(abs(found - expected) < 1e-2, "\(metric): \(found)")
        }
    }

    @Test func rotationsAndScalesDoNotMatterToKernels() throws {
        var generator = RandomGenerator(seed: 10)
        let rows = Tensor.randomNormal([40, 2], using: &generator), (c, s) = (Float(0.6), Float(0.8))
        let turned = try rows.matmul(Tensor([c, s, -s, c], [2, 2])).scaled(by: 3)
        let alignment = try Alignment(rows, turned, preparation: Alignment.Preparation(outlierQuantile: 1, normalises: true))
        #expect(abs(try alignment.measure(.cka) - 1) < 1e-5)
        #expect(try alignment.measure(.mutualKNN) > 0.98)
    }

    @Test func whatCannotBeComparedIsRefused() throws {
        var generator = RandomGenerator(seed: 11)
        let rows = Tensor.randomNormal([12, 6], using: &generator)
        func problem(_ body: () throws -> Double) -> String {
            do { return "\(try body())" } catch { return "\(error)" }
        }
        #expect(problem { try Alignment(rows, .ones([11, 6])).measure(.cka) }.contains("A has 12 rows, B 11"))
        #expect(problem { try Alignment(.ones([3, 2]), .ones([3, 2])).measure(.cka) }.contains("at least 4"))
        #expect(problem { try Alignment(rows, .full([12, 6], .nan)).measure(.cka) }.contains("B's embeddings"))
        #expect(problem { try Alignment(rows, rows).measure(.mutualKNN, neighbours: 12) }.contains("1 to 11"))
        #expect(problem { try Alignment(rows, rows).measure(.cknna, neighbours: 1) }.contains("2 to 11"))
        #expect(problem { try Alignment(rows, rows).measure(.svcca, components: 7) }.contains("1 to 6"))
        #expect(problem { try Alignment(rows, .ones([12, 6])).measure(.svcca, components: 3) }.contains("span only"))
        #expect(problem { try Alignment(rows, rows, preparation: .init(outlierQuantile: 0)).measure(.cka) }.contains("above 0"))
    }
}
