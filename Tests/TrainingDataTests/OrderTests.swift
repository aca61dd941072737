import Foundation
import Imaging
import Tensors
import Testing

@testable import TrainingData

@Suite struct PermutationTests {
    @Test(arguments: [0, 1, 2, 3, 4, 5, 16, 17, 100, 1_000, 4_097]) func reachesEveryPlaceOnce(count: Int) {
        for key in 0..<3 as Range<UInt64> {
            let permutation = Permutation(count: count, key: key)
            #expect(Set((0..<count).map { permutation($0) }) == Set(0..<count))
        }
    }

    @Test func looksRandom() {
        // 20,000 permutations of 8: how often each number lands in each place, 2,500 times expected, deviation 47.
        var counts = [Int](repeating: 0, count: 64)
        for key in 0..<20_000 as Range<UInt64> {
            let permutation = Permutation(count: 8, key: SampleRandom.mix(key))
            for index in 0..<8 { counts[index * 8 + permutation(index)] += 1 }
        }
        #expect(counts.allSatisfy { abs($0 - 2_500) < 250 }, "\(counts)")
    }

    @Test func epochsAndSeedsDiffer() {
        func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
            let permutation = Permutation(count: 200, key: SampleRandom.key(seed: seed, epoch: epoch, .permutation))
            return (0..<200).map { permutation($0) }
        }
        #expect(order(1, 0) == order(1, 0))
        #expect(order(1, 0) != order(1, 1))
        #expect(order(1, 0) != order(2, 0))
    }
}

@Suite struct CaptionChoiceTests {
    private let captions = [
        Caption("a", language: "en"), Caption("b", language: "en"), Caption("c", language: "en"), Caption("一", language: "zh"),
        Caption("?"),
    ]

    private func counts(_ choice: CaptionChoice) -> [String: Int] {
        var counts: [String: Int] = [:]
        for sample in 0..<6_000 as Range<UInt64> {
            var generator = SampleRandom.generator(seed: 5, epoch: 2, sample: sample, .caption)
            for caption in choice.choose(captions, &generator) { counts[caption.text, default: 0] += 1 }
        }
        return counts
    }

    @Test func oneIsUniform() { #expect(counts(.one).values.allSatisfy { abs($0 - 1_200) < 150 } && counts(.one).count == 5) }

    @Test func languagesAreBalanced() {
        let counts = counts(.balanced(["en": 1, "zh": 1]))
        #expect(counts["?"] == nil)
        #expect(abs((counts["一"] ?? 0) - 3_000) < 200)
        #expect(abs((counts["b"] ?? 0) - 1_000) < 150)
        // No wanted language: any caption is better than none.
        var generator = RandomGenerator(seed: 1)
        #expect(CaptionChoice.balanced(["fr": 1]).choose([captions[3]], &generator) == [captions[3]])
    }

    @Test func oneOfEachLanguage() {
        let counts = counts(.each(["zh", "en", "fr"]))
        #expect(counts["一"] == 6_000)
        #expect(abs((counts["a"] ?? 0) - 2_000) < 200)
    }

    @Test func settingsThatMakeNoSense() {
        #expect(dataError { try CaptionChoice.balanced([:]).check() } != nil)
        #expect(dataError { try CaptionChoice.balanced(["en": -1]).check() } != nil)
        #expect(dataError { try CaptionChoice.balanced(["en": .nan]).check() } != nil)
        #expect(dataError { try CaptionChoice.each([]).check() } != nil)
        #expect(dataError { try CaptionChoice.each(["en", "en"]).check() } != nil)
    }
}

@Suite struct ShardedOrderTests {
    private func keys(
        _ source: WebDatasetSource, buffer: Int, bytes: Int = 1 << 20, seed: UInt64 = 1, epoch: Int = 0, skip: Int = 0
    ) -> [UInt64] {
        let order = ShardedOrder(source, shuffled: true, buffer: .init(samples: buffer, bytes: bytes), seed: seed, epoch: epoch)
        order.skip(skip)
        var keys: [UInt64] = []
        while case let .success(ticket)? = order.next() { keys.append(ticket.key) }
        return keys
    }

    @Test(arguments: [false, true]) func shufflesWithinItsBuffer(gzip: Bool) throws {
        let scratch = try Scratch()
        for index in 0..<4 {
            let archive = try Made.shard(index * 10..<index * 10 + 10)
            if gzip {
                try Made.gzipped(archive, scratch.path("s\(index).tar.gz"))
            } else {
                try scratch.write("s\(index).tar", archive)
            }
        }
        let source = try WebDatasetSource(path: scratch.path)
        let all = Set((0..<4).flatMap { shard in (0..<10).map { UInt64(shard) << 32 | UInt64($0) } })
        let order = keys(source, buffer: 8)
        #expect(order.count == 40 && Set(order) == all)
        #expect(order == keys(source, buffer: 8))
        #expect(order != keys(source, buffer: 8, epoch: 1))
        #expect(order != keys(source, buffer: 8, seed: 2))
        for skip in [1, 7, 39, 40, 90] { #expect(keys(source, buffer: 8, skip: skip) == Array(order.dropFirst(skip))) }
        // A buffer of one sample shuffles shards alone.
        let shards = keys(source, buffer: 1).map { $0 >> 32 }
        #expect(zip(shards, shards.dropFirst()).filter { $0 != $1 }.count == 3)
        // Too few bytes for two samples.
        if gzip { #expect(keys(source, buffer: 8, bytes: 1) == keys(source, buffer: 1)) }
    }

    @Test func aDamagedShardIsPassedOver() throws {
        let scratch = try Scratch()
        try scratch.write("s0.tar", Made.shard(0..<3))
        var bytes = try Made.shard(3..<6)
        bytes[512 * 6] ^= 0xFF
        try scratch.write("s1.tar", Array(bytes.prefix(bytes.count / 2 / 512 * 512 + 100)))
        try scratch.write("s2.tar", Made.shard(6..<9))
        let source = try WebDatasetSource(path: scratch.path)
        let order = ShardedOrder(source, shuffled: true, buffer: .init(samples: 4, bytes: 1 << 20), seed: 3, epoch: 0)
        var good = 0, bad = 0
        while let next = order.next() { if case .success = next { good += 1 } else { bad += 1 } }
        #expect(bad == 1)
        #expect(good >= 6 && good < 9)
    }
}
