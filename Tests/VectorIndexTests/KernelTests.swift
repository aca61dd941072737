import CKernels
import Tensors
import TestSupport
import Testing

/// Each level of the kernels against the intrinsic-free reference, at sizes around the width of vectors.
@Suite struct KernelTests {
    private static let levels: [String] = ["scalar", "avx2", "avx512", "neon"].filter { (name: String) in sn_vectors_named(name) != nil }

    @Test(arguments: levels)
    func distances(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee, reference = try #require(sn_vectors_named("scalar")).pointee
        var random = RandomGenerator(seed: 1)
        for dimension in [1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 512, 1000] {
            for count in [0, 1, 3, 4, 5, 9] {
                let q = (0..<dimension).map { _ in random.normal() }, rows = (0..<count * dimension).map { _ in random.normal() }
                var half = [UInt16](repeating: 0, count: rows.count)
                sn_kernels().pointee.to_half(rows, &half, rows.count)
                func compare(_ body: (sn_vector_table, UnsafeMutablePointer<Float>) -> Void) {
                    var mine = [Float](repeating: .nan, count: count + 1), theirs = mine
                    body(kernels, &mine)
                    body(reference, &theirs)
                    for row in 0..<count { #expect(abs(mine[row] - theirs[row]) <= 1e-6 * Float(dimension) + 1e-6) }
                    #expect(mine[count].isNaN, "writes beyond its rows")
                }
                compare { $0.dot_rows(q, rows, count, dimension, $1) }
                compare { $0.l2_rows(q, rows, count, dimension, $1) }
                compare { $0.dot_rows_half(q, half, count, dimension, $1) }
                compare { $0.l2_rows_half(q, half, count, dimension, $1) }
            }
        }
    }

    /// A row's score doesn't depend on the rows beside it.
    @Test(arguments: levels)
    func scoresAreIndependentOfPlace(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee
        var random = RandomGenerator(seed: 2)
        for dimension in [5, 33, 77, 512] {
            let q = (0..<dimension).map { _ in random.normal() }, rows = (0..<9 * dimension).map { _ in random.normal() }
            var all = [Float](repeating: 0, count: 9), one: Float = 0
            for distance in [kernels.dot_rows, kernels.l2_rows] {
                distance(q, rows, 9, dimension, &all)
                for row in 0..<9 {
                    rows.withUnsafeBufferPointer { distance(q, $0.baseAddress! + row * dimension, 1, dimension, &one) }
                    #expect(one == all[row])
                }
            }
        }
    }

    /// Products of codes are whole numbers: every level gives the same, at the ends of the range too.
    @Test(arguments: levels)
    func codeProducts(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee, reference = try #require(sn_vectors_named("scalar")).pointee
        var random = RandomGenerator(seed: 3)
        for (width, queries, rows) in [(64, 1, 1), (64, 5, 7), (128, 4, 4), (512, 9, 13), (1024, 70, 6), (65536, 1, 5), (65536, 5, 4)] {
            var q = (0..<queries * width).map { _ in Int8.random(in: -127...127, using: &random) }
            var codes = (0..<rows * width).map { _ in UInt8.random(in: 0...255, using: &random) }
            for i in 0..<width { (q[i], codes[i]) = (127, 255) }
            var mine = [Int32](repeating: 0, count: rows * queries), theirs = mine
            kernels.code_dots(q, queries, codes, rows, width, &mine)
            reference.code_dots(q, queries, codes, rows, width, &theirs)
            #expect(mine == theirs)
            let factors = (0..<queries).map { _ in random.normal() }, terms = (0..<queries).map { _ in random.normal() }
            var a = [Float](repeating: 0, count: queries), b = a
            kernels.code_scores(mine, factors, terms, 0.5, 0.25, &a, queries)
            reference.code_scores(mine, factors, terms, 0.5, 0.25, &b, queries)
            #expect(a == b)
            kernels.code_scores_rows(mine, factors, terms, 0.5, 0.25, &a, queries)
            reference.code_scores_rows(mine, factors, terms, 0.5, 0.25, &b, queries)
            #expect(a == b)
        }
    }

    @Test(arguments: levels)
    func selection(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee
        var random = RandomGenerator(seed: 4)
        for count in [0, 1, 7, 8, 16, 31, 100] {
            var scores = (0..<count).map { _ in (random.normal() * 4).rounded() }
            if count > 7 { (scores[2], scores[5]) = (.nan, -.infinity) }
            let thresholds = (0..<count).map { _ in (random.normal() * 4).rounded() }
            var indices = [Int32](repeating: -1, count: count + 1)
            var found = kernels.at_least(scores, thresholds, 1, count, &indices)
            #expect(indices.prefix(found).map(Int.init) == (0..<count).filter { scores[$0] >= thresholds[$0] })
            found = kernels.at_least(scores, [-.infinity], 0, count, &indices)
            #expect(indices.prefix(found).map(Int.init) == (0..<count).filter { scores[$0] >= -.infinity })
        }
    }

    /// The check value of the standard, and pieces that continue each other.
    @Test func checksum() {
        let bytes = Array("123456789".utf8)
        #expect(sn_crc32c(0, bytes, 9) == 0xE306_9283)
        let long = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        for cut in [0, 1, 8, 13, 999, 1000] {
            let first = sn_crc32c(0, long, cut)
            #expect(sn_crc32c(first, Array(long[cut...]), 1000 - cut) == sn_crc32c(0, long, 1000))
        }
    }
}
