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

    /// Look-ups in blocks of 1-bit codes: every level gives the bounds of the reference to the last bit, and a code's place holds
    /// what was put there.
    @Test(arguments: levels)
    func bitScan(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee, reference = try #require(sn_vectors_named("scalar")).pointee
        var random = RandomGenerator(seed: 5)
        for (groups, count) in [(4, 1), (4, 32), (8, 33), (32, 100), (64, 64), (68, 40), (200, 31)] {
            let size = sn_bit_block_bytes(groups), blocks = (count + 31) / 32, query = (0..<16 * groups).map { _ in random.normal() }
            var bytes = [UInt8](repeating: 0, count: size * blocks)
            for place in 0..<count {
                let bits = (0..<2 * groups).map { _ in UInt8.random(in: 0...255, using: &random) }
                var back = [UInt8](repeating: 0, count: bits.count)
                bytes.withUnsafeMutableBytes { bytes in
                    let block = bytes.baseAddress! + place / 32 * size, factors = block + 64 * groups + 4 * (place % 32)
                    sn_bit_put(block.assumingMemoryBound(to: UInt8.self), groups, place % 32, bits)
                    sn_bit_take(block.assumingMemoryBound(to: UInt8.self), groups, place % 32, &back)
                    for part in 0..<3 { factors.storeBytes(of: random.normal(), toByteOffset: 128 * part, as: Float.self) }
                }
                #expect(back == bits)
            }
            func scan(_ table: sn_vector_table, _ threshold: Float) -> ([Int32], [Float]) {
                var tables = [UInt8](repeating: 0, count: 64 * groups), step: Float = 0, bias: Float = 0
                table.bit_tables(query, groups, &tables, &step, &bias)
                var places = [Int32](repeating: -1, count: 32 * blocks), bounds = [Float](repeating: 0, count: 32 * blocks)
                let found = bytes.withUnsafeBufferPointer { bytes in
                    tables.withUnsafeBufferPointer { tables in
                        var job = sn_bit_scan(
                            blocks: bytes.baseAddress!, count: count, groups: groups, tables: tables.baseAddress!, step: step, bias: bias,
                            base: 0.5, spread: 0.25, threshold: threshold, next: nil, next_bytes: 0)
                        return table.bit_scan(&job, &places, &bounds)
                    }
                }
                return (Array(places.prefix(found)), Array(bounds.prefix(found)))
            }
            for threshold in [-Float.infinity, -1, 2] { #expect(scan(kernels, threshold) == scan(reference, threshold)) }
            #expect(scan(kernels, -.infinity).0 == (0..<Int32(count)).map { $0 })
        }
    }

    /// A rotation keeps lengths and products; the code of a vector estimates its product with a query as closely as it says.
    @Test(arguments: levels)
    func bitCodes(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee, reference = try #require(sn_vectors_named("scalar")).pointee
        var random = RandomGenerator(seed: 6)
        func normals(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
        func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
        for (dimension, width) in [(64, 64), (100, 128), (300, 320), (512, 512)] {
            let signs = (0..<4 * width).map { _ in random.next() % 2 == 0 ? Float(1) : -1 }
            func rotated(_ x: [Float], _ table: sn_vector_table) -> [Float] {
                var x = x + [Float](repeating: 0, count: width - x.count)
                table.rotate(signs, 4, width, &x)
                return x
            }
            let centre = normals(dimension), query = normals(dimension)
            let turned = rotated(centre, kernels), turnedQuery = rotated(query, kernels)
            #expect(turned == rotated(centre, reference))
            #expect(abs(dot(turned, turnedQuery) - dot(centre, query)) <= 1e-3 && abs(dot(turned, turned) - dot(centre, centre)) <= 1e-3)
            let far = zip(query, centre).map { $0 - $1 }
            var deviations: [Double] = []
            for _ in 0..<100 {
                let x = zip(centre, normals(dimension)).map { $0 + 0.3 * $1 }
                var work = [Float](repeating: 0, count: width), factors = [Float](repeating: 0, count: 4)
                var bits = [UInt8](repeating: 0, count: width / 8)
                centre.withUnsafeBufferPointer { centre in
                    turned.withUnsafeBufferPointer { turned in
                        signs.withUnsafeBufferPointer { signs in
                            var encoder = sn_bit_encoder(
                                centre: centre.baseAddress!, rotated: turned.baseAddress!, signs: signs.baseAddress!, rounds: 4,
                                dimension: dimension, width: width, l2: false)
                            kernels.bit_encode(&encoder, x, &work, &bits, &factors)
                        }
                    }
                }
                let signed = (0..<width).reduce(0.0) { $0 + (bits[$1 / 8] >> UInt8($1 % 8) & 1 == 1 ? 1 : -1) * Double(turnedQuery[$1]) }
                let estimate = dot(query, centre) + Double(factors[0]) * signed + Double(factors[1])
                deviations.append((estimate - dot(query, x)) / (Double(factors[2]) * dot(far, far).squareRoot()))
            }
            // In units of what the code says its error is: centred, and about 1.
            let mean = deviations.reduce(0, +) / 100, spread = (deviations.reduce(0) { $0 + $1 * $1 } / 100).squareRoot()
            #expect(abs(mean) < 0.5 && spread > 0.6 && spread < 1.5, "mean \(mean), spread \(spread) at \(dimension)")
        }
    }

    /// Which centre is nearest, and how near a list's vectors may be.
    @Test(arguments: levels)
    func lists(level: String) throws {
        let kernels = try #require(sn_vectors_named(level)).pointee
        var random = RandomGenerator(seed: 7)
        for count in [1, 15, 16, 17, 100, 333] {
            let dots = (0..<count).map { _ in Int32.random(in: -1000...1000, using: &random) }
            let factors = (0..<count).map { _ in random.uniform() }, terms = (0..<count).map { _ in random.normal() }
            let penalties = (0..<count).map { _ in random.uniform() }
            let scores = (0..<count).map { 0.5 * (factors[$0] * Float(dots[$0]) + terms[$0]) - penalties[$0] }
            #expect(kernels.nearest_code(dots, factors, terms, penalties, 0.5, count) == scores.firstIndex(of: scores.max()!))
            let zeros = [Float](repeating: 0, count: count)
            #expect(kernels.nearest_code(dots.map { _ in 7 }, zeros.map { _ in 1 }, zeros, zeros, 1, count) == 0, "of equals the first")
            let radii = (0..<count).map { $0 == 5 ? -1 : random.uniform() }
            for isL2 in [false, true] {
                var bounds = [Float](repeating: 0, count: count)
                penalties.withUnsafeBufferPointer { squares in
                    radii.withUnsafeBufferPointer { radii in
                        var job = sn_list_bounds(
                            squares: squares.baseAddress!, radii: radii.baseAddress!, count: count, query_square: 2, reach: 0.5, l2: isL2)
                        kernels.list_bounds(&job, terms, &bounds)
                    }
                }
                for i in 0..<count {
                    let far = max(0, 2 - 2 * terms[i] + penalties[i]).squareRoot(), unit: Float = isL2 ? 2 : 1
                    let expected = i == 5 ? -.infinity : unit * terms[i] - (isL2 ? penalties[i] : 0) + 0.5 * unit * far * radii[i]
                    #expect(bounds[i] == expected || abs(bounds[i] - expected) <= 1e-5)
                }
            }
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
