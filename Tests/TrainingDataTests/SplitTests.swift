import Foundation
import Imaging
import Tensors
import Testing

@testable import TrainingData

@Suite struct SplitTests {
    private func items(_ range: Range<Int>) -> [SplitItem] {
        range.map { SplitItem(id: "p\($0)", content: ContentHash(of: Array("content \($0)".utf8))) }
    }

    private func ids(_ items: [SplitItem], _ indices: [Int]) -> Set<String> { Set(indices.map { items[$0].id }) }

    @Test func sidesFollowFromContentAlone() throws {
        let split = try SplitByPicture(testShare: 0.2)
        let few = items(0..<500), many = items(0..<2_000).reversed() as [SplitItem]
        let first = try split.divide(few), second = try split.divide(many)
        #expect(first.train.count + first.test.count == 500)
        #expect(abs(second.test.count - 400) < 80)
        #expect(ids(few, first.test) == ids(many, second.test).intersection(few.map(\.id)))
        #expect(try ids(few, SplitByPicture(testShare: 0.2, salt: "other").divide(few).test) != ids(few, first.test))
        #expect(try SplitByPicture(testShare: 0).divide(few).test.isEmpty)
        #expect(try SplitByPicture(testShare: 1).divide(few).train.isEmpty)
    }

    @Test func nearDuplicatesStayTogether() throws {
        var pictures: [Picture] = []
        for seed in 0..<40 {
            let picture = try Made.scene(seed, width: 96, height: 64)
            pictures.append(picture)
            pictures.append(try PictureDecoder.decode(bytes: picture.encoded(as: .jpeg(quality: 60))))
            pictures.append(try picture.resized(width: 60, height: 40, filter: .bilinear))
        }
        let items = try pictures.enumerated().map { index, picture in
            SplitItem(id: "\(index)", content: ContentHash(of: picture.pixels), look: try PerceptualHash(picture))
        }
        let split = try SplitByPicture(testShare: 0.5).divide(items)
        let test = Set(split.test)
        var together = 0
        for first in stride(from: 0, to: items.count, by: 3) {
            let group = split.groups.first { $0.contains(first) } ?? []
            if group.contains(first + 1), group.contains(first + 2) { together += 1 }
        }
        #expect(together >= 38)
        for group in split.groups { #expect(Set(group.map { test.contains($0) }).count == 1) }
        // Different pictures aren't near-duplicates.
        #expect(split.groups.allSatisfy { $0.count <= 6 }, "\(split.groups)")
    }

    @Test func hashesFindEveryPairWithinTheLimit() {
        var generator = SplitMix(seed: 8)
        let colours = [UInt8](repeating: 100, count: 192)
        var hashes = (0..<300).map { _ in PerceptualHash(bits: generator.next(), colours: colours) }
        for index in 0..<200 {
            var bits = hashes[index].bits
            for _ in 0..<generator.below(9) { bits ^= 1 << UInt64(generator.below(64)) }
            hashes.append(PerceptualHash(bits: bits, colours: index % 10 == 0 ? [UInt8](repeating: 140, count: 192) : colours))
        }
        var expected = Groups(count: hashes.count)
        for first in hashes.indices {
            for second in hashes.indices where second > first {
                let close = hashes[first].distance(to: hashes[second]) <= 6 && hashes[first].colourDistance(to: hashes[second]) <= 16
                if close { expected.join(first, second) }
            }
        }
        var found = NearDuplicates().groups(hashes)
        #expect(found.members() == expected.members())
        #expect(found.members().count < 400 && found.members().count > 300)
    }

    @Test func embeddingsJoinToo() throws {
        let items = items(0..<1_100)
        var generator = RandomGenerator(seed: 1)
        var values = Tensor.randomNormal([1_100, 16], using: &generator).floats()
        // Three copies of different lengths, far apart.
        for column in 0..<16 {
            values[700 * 16 + column] = values[3 * 16 + column] * 2
            values[1_099 * 16 + column] = values[3 * 16 + column] * 0.1
        }
        let split = try SplitByPicture(testShare: 0.3).divide(items, embeddings: Tensor(values, [1_100, 16]))
        #expect(split.groups.contains([3, 700, 1_099]))
        #expect(dataError { _ = try SplitByPicture(testShare: 0.3).divide(items, embeddings: Tensor.zeros([5, 2])) } != nil)
        #expect(
            dataError { _ = try SplitByPicture(testShare: 0.3).divide(self.items(0..<5), embeddings: Tensor.zeros([5, 2])) }?.problem
                .contains("length") == true)
    }

    @Test func aFrozenTestSideOnlyTakesItsNearDuplicates() throws {
        var all = items(0..<60)
        let split = try SplitByPicture(testShare: 0.3)
        let before = try split.divide(all)
        let side = TestSide(ids(all, before.test), comments: ["made by a test"])
        let copied = try #require(before.test.first)
        all.append(SplitItem(id: "copy", content: all[copied].content))
        all += items(60..<200)
        let after = try split.divide(all, frozen: side)
        #expect(ids(all, after.test) == side.ids.union(["copy"]))
    }

    @Test func testSidesAreWrittenDown() throws {
        let scratch = try Scratch()
        let side = TestSide(["b/二.jpg", "a b.jpg", "#1", "50%", "line\nend", " space "], comments: ["a split", "of two\nlines"])
        try side.write(to: scratch.path("test.txt"))
        let read = try TestSide(path: scratch.path("test.txt"))
        #expect(read.ids == side.ids)
        #expect(read.comments == ["a split", "of two lines"])
        let text = try String(contentsOfFile: scratch.path("test.txt"), encoding: .utf8)
        #expect(text == "# a split\n# of two lines\n space \n%231\n50%25\na b.jpg\nb/二.jpg\nline%0Aend\n")
        let twice = try scratch.write("twice.txt", "a\na\n")
        #expect(dataError { _ = try TestSide(path: twice) }?.line == 2)
        let bad = try scratch.write("bad.txt", "a\n%4\n")
        #expect(dataError { _ = try TestSide(path: bad) }?.line == 2)
        #expect(dataError { try side.write(to: scratch.path("no/folder/test.txt")) } != nil)
    }

    @Test func aTestSideDividesASource() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 5)
        let (train, test) = try TestSide(["001.jpg", "004.jpg"]).divide(source)
        #expect(train.indices == [0, 2, 3] && test.indices == [1, 4])
        let other = TestSide(["001.jpg", "gone.jpg"])
        #expect(dataError { _ = try other.divide(source) }?.problem.contains("\"gone.jpg\" for one") == true)
        #expect(try other.divide(source, isPart: true).test.indices == [1])
        let joined = try JoinedSource([source, source])
        #expect(try TestSide(["001.jpg"]).divide(joined).test.indices == [1, 6])
    }

    @Test func itemsOfASource() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 6, damaged: [2])
        let (items, indices, problems) = SplitByPicture.items(of: source)
        #expect(indices == [0, 1, 3, 4, 5])
        #expect(items.map(\.id) == indices.map { String(format: "%03d.jpg", $0) })
        #expect(items.allSatisfy { $0.look != nil })
        #expect(problems.count == 1 && problems.first[0].file.hasSuffix("002.jpg"))
        #expect(dataError { _ = try SplitByPicture(testShare: 0.5).divide(items + items) }?.problem.contains("twice") == true)
        #expect(dataError { _ = try SplitByPicture(testShare: 1.5) } != nil)
    }
}
