import Checkpoints
import Foundation
import Imaging
import Tensors
import Testing

@testable import TrainingData

@Suite struct BatchLoaderTests {
    private func plan(_ change: (inout LoadingPlan) -> Void = { _ in }) throws -> LoadingPlan {
        var plan = LoadingPlan()
        plan.batchSize = 4
        plan.epochs = 2
        plan.views = [try Made.view(), try .contrastive(size: 12)]
        change(&plan)
        return plan
    }

    @Test func batchesHoldWhatTheySay() throws {
        let scratch = try Scratch()
        let loader = try BatchLoader(Made.folder(scratch, count: 11), plan(), seed: 1)
        var batches: [Batch] = [], reports: [EpochReport] = []
        while let delivery = try loader.next() {
            switch delivery {
            case let .batch(batch): batches.append(batch)
            case let .endOfEpoch(report): reports.append(report)
            }
        }
        #expect(batches.map(\.epoch) == [0, 0, 1, 1])
        #expect(batches.map(\.index) == [0, 1, 0, 1])
        #expect(reports.map(\.drawn) == [11, 11])
        #expect(reports[0].position.epoch == 1 && reports[0].position.drawn == 0)
        for batch in batches {
            #expect(batch.pictures.map(\.shape) == [[4, 3, 8, 8], [4, 3, 12, 12]])
            #expect(batch.examples.allSatisfy { $0.captions.count == 1 })
        }
        // Within an epoch no picture comes twice; the second epoch shows others first.
        #expect(Set(batches[..<2].flatMap(\.examples).map(\.id)).count == 8)
        #expect(batches[0].examples.map(\.id) != batches[2].examples.map(\.id))
        #expect(try loader.next() == nil)
    }

    @Test func everythingOnceInNaturalOrder() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 6)
        let batches = try BatchLoader(
            source,
            plan {
                $0.shuffles = false
                $0.dropsLast = false
                $0.epochs = 1
                $0.captions = .all
                $0.views = []
            }, seed: 1
        ).all()
        #expect(batches.map(\.count) == [4, 2])
        #expect(batches.flatMap(\.examples).map(\.id) == (0..<6).map { String(format: "%03d.jpg", $0) })
        #expect(batches[1].examples[1].captions.map(\.text) == ["one 5", "two 5", "three 5"])
        #expect(batches[0].pictures.isEmpty && batches[0].features == nil && batches[0].labels == nil)
    }

    @Test func theNumberOfThreadsChangesNothing() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 21, damaged: [3, 17])
        func run(_ threads: Int, _ ahead: Int, _ memory: Int) throws -> [[String]] {
            let plan = try plan {
                $0.threads = threads
                $0.lookAhead = ahead
                $0.memory = memory
                $0.damagedShare = 0.2
                $0.dropsLast = false
            }
            return try BatchLoader(source, plan, seed: 9).all().map(\.trace)
        }
        let one = try run(1, 1, 1)
        #expect(one.count == 10)
        #expect(try run(3, 4, 1 << 30) == one)
        #expect(try run(8, 2, 5_000) == one)
        let other = try BatchLoader(source, plan { $0.damagedShare = 0.2 }, seed: 10).all()
        #expect(other[0].trace != one[0])
    }

    @Test(arguments: ["folder", "tar", "gzip", "features"]) func resumesInTheMiddleOfAnEpoch(kind: String) throws {
        let scratch = try Scratch()
        let source = try source(kind, scratch)
        let plan = try plan {
            $0.damagedShare = 0.5
            $0.bufferSamples = 7
            $0.epochs = 3
            $0.requiresCaptions = kind != "features"
        }
        let whole = try BatchLoader(source, plan, seed: 4).all()
        #expect(whole.count == 12)
        for stop in [0, 2, 3, 5, whole.count - 1] {
            let text = try JSONEncoder().encode(whole[stop].position)
            let position = try JSONDecoder().decode(DataPosition.self, from: text)
            #expect(position == whole[stop].position)
            let rest = try BatchLoader(source, plan, from: position).all()
            #expect(rest.map(\.trace) == whole[(stop + 1)...].map(\.trace), "\(kind) after batch \(stop)")
        }
    }

    private func source(_ kind: String, _ scratch: Scratch) throws -> any SampleSource {
        switch kind {
        case "folder": return try Made.folder(scratch, count: 19, damaged: [2, 5])
        case "features":
            var generator = RandomGenerator(seed: 1)
            try NumpyWriter.write(.randomNormal([18, 5], using: &generator), to: scratch.path("f.npy"))
            return try FeatureSource(path: scratch.path("f.npy"))
        default:
            for shard in 0..<3 {
                let archive = try Made.shard(shard * 6..<shard * 6 + 6)
                if kind == "tar" {
                    try scratch.write("shards/\(shard).tar", archive)
                } else {
                    try scratch.write("shards/keep", "")
                    try Made.gzipped(archive, scratch.path("shards/\(shard).tar.gz"))
                }
            }
            return try WebDatasetSource(path: scratch.path("shards"))
        }
    }

    @Test func otherDataAndBadPositionsAreRefused() throws {
        let scratch = try Scratch(), other = try Scratch()
        let source = try Made.folder(scratch, count: 9)
        let position = try #require(try BatchLoader(source, plan(), seed: 1).nextBatch()).position
        let error = dataError { _ = try BatchLoader(Made.folder(other, count: 10), plan(), from: position) }
        #expect(error?.problem.contains("the data changed") == true)
        var broken = position
        broken.drawn = -1
        #expect(dataError { _ = try BatchLoader(source, plan(), from: broken) }?.field == "position")
    }

    @Test func damagedSamplesArePassedOverAndNamed() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 12, damaged: [1, 7])
        try scratch.write("pictures/004.txt", "")
        let loader = try BatchLoader(
            source,
            plan {
                $0.damagedShare = 0.3; $0.epochs = 1
            }, seed: 2)
        let batches = try loader.all()
        // Nine good samples: batches stay full.
        #expect(batches.map(\.count) == [4, 4])
        #expect(loader.problems.count == 3)
        let files = loader.problems.first.map { ($0.file as NSString).lastPathComponent }.sorted()
        #expect(files == ["001.jpg", "004.txt", "007.jpg"])
        #expect(batches.flatMap(\.damaged).count <= 3)
    }

    @Test func tooManyDamagedSamplesEndTheRun() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 12, damaged: [1, 2, 3])
        let loader = try BatchLoader(source, plan { $0.damagedShare = 0.2 }, seed: 2)
        let error = dataError { _ = try loader.all() }
        #expect(error?.problem.contains("3 of") == true && error?.problem.contains("stopped") == true)
        #expect(try loader.next() == nil)
    }

    @Test func epochsWithoutABatch() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 3)
        #expect(dataError { _ = try BatchLoader(source, plan(), seed: 1).all() }?.problem.contains("gives no batch of 4") == true)
        let none = try SubsetSource(source, indices: [])
        #expect(
            dataError {
                _ = try BatchLoader(
                    none,
                    plan {
                        $0.dropsLast = false; $0.epochs = nil
                    }, seed: 1
                ).all()
            } != nil)
    }

    @Test func missingCaptionsAndLabels() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 4)
        let french = dataError {
            _ = try BatchLoader(
                source,
                plan {
                    $0.captions = .each(["fr"]); $0.damagedShare = 0
                }, seed: 1
            ).all()
        }
        #expect(french?.problem.contains("no caption in a wanted language") == true)
        #expect(
            dataError { _ = try BatchLoader(source, plan { $0.requiresLabels = true }, seed: 1).all() }?.problem.contains("no label")
                == true)
    }

    @Test func picturesOfDifferentSizesMakeNoBatch() throws {
        let scratch = try Scratch()
        try scratch.write("p/1.jpg", Made.jpeg(1, width: 30, height: 20))
        try scratch.write("p/2.jpg", Made.jpeg(2, width: 20, height: 30))
        let source = try FolderSource(path: scratch.path("p"))
        let transform = try ImageTransform(resize: .shortestEdge(10))
        let plan = try plan {
            $0.batchSize = 2
            $0.requiresCaptions = false
            $0.views = [PictureView(transform: transform)]
        }
        #expect(dataError { _ = try BatchLoader(source, plan, seed: 1).all() }?.problem.contains("one batch needs one size") == true)
    }

    @Test func featuresThatAreNotNumbers() throws {
        let scratch = try Scratch()
        try NumpyWriter.write(Tensor([Float](arrayLiteral: 1, .nan, 3, 4), [2, 2]), to: scratch.path("f.npy"))
        let source = try FeatureSource(path: scratch.path("f.npy"))
        let plan = try plan {
            $0.requiresCaptions = false; $0.batchSize = 1; $0.damagedShare = 0.5; $0.epochs = 1
        }
        let loader = try BatchLoader(source, plan, seed: 1)
        #expect(try loader.all().map { $0.features?.floats() ?? [] } == [[3, 4] as [Float]])
        #expect(loader.problems.first.first?.problem.contains("feature 1") == true)
    }

    @Test func settingsThatMakeNoSense() throws {
        let scratch = try Scratch()
        let source = try Made.folder(scratch, count: 2)
        let changes: [(inout LoadingPlan) -> Void] = [
            { $0.batchSize = 0 }, { $0.threads = 0 }, { $0.epochs = 0 }, { $0.damagedShare = .nan }, { $0.memory = 0 },
        ]
        for change in changes { #expect(dataError { _ = try BatchLoader(source, plan(change), seed: 1) }?.file == "plan") }
    }

    @Test func cancellationEndsTheRun() async throws {
        let scratch = try Scratch()
        let loader = try BatchLoader(Made.folder(scratch, count: 8), plan { $0.epochs = nil }, seed: 1)
        #expect(try loader.nextBatch() != nil)
        loader.cancel()
        #expect(try loader.next() == nil)
        #expect(try loader.nextBatch() == nil)
    }

    /// A teacher sees what its student sees.
    @Test func aTwinShowsTheSamePart() throws {
        let scratch = try Scratch(), source = try Made.folder(scratch, count: 4)
        let view = try PictureView.contrastive(size: 12, scale: 0.3...0.6, flip: true)
        let plan = try plan { $0.views = [view, PictureView(steps: view.steps, transform: view.transform, twin: 0), view] }
        let pictures = try BatchLoader(source, plan, seed: 1).all()[0].pictures.map { $0.floats() }
        #expect(pictures[0] == pictures[1] && pictures[0] != pictures[2])
        #expect(
            dataError { _ = try BatchLoader(source, self.plan { $0.views = [PictureView(transform: view.transform, twin: 1)] }, seed: 1) }
                != nil)
    }

    @Test func reducedDecodingKeepsThePartAndNearlyItsPixels() throws {
        let scratch = try Scratch()
        for index in 0..<4 { try scratch.write("p/\(index).jpg", Made.jpeg(index, width: 640, height: 480)) }
        let source = try FolderSource(path: scratch.path("p"))
        func run(_ reduces: Bool) throws -> [Float] {
            let plan = try plan {
                $0.views = [try! .contrastive(size: 24, scale: 0.5...1)]
                $0.requiresCaptions = false
                $0.reducesDecoding = reduces
                $0.epochs = 1
            }
            return try BatchLoader(source, plan, seed: 1).all()[0].pictures[0].floats()
        }
        let full = try run(false), reduced = try run(true)
        #expect(full != reduced)
        let worst = zip(full, reduced).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst < 0.1, "\(worst)")
    }
}

@Suite struct LookAheadTests {
    @Test func boundsPiecesAndBytes() {
        let ahead = LookAhead<Int>(pieces: 3, bytes: 100)
        #expect((0..<3).map { _ in ahead.admit() } == [0, 1, 2])
        ahead.put(1, 11, bytes: 60)
        ahead.put(0, 10, bytes: 60)
        ahead.put(2, 12, bytes: 1)
        #expect(ahead.take() == 10)
        // 61 bytes are ready and another piece may need 60: nobody may begin until more is taken.
        let waiter = Thread { if let number = ahead.admit() { ahead.put(number, 13, bytes: 1) } }
        waiter.start()
        #expect(ahead.take() == 11)
        #expect(ahead.take() == 12)
        #expect(ahead.take() == 13)
        #expect(ahead.begun == 4)
        ahead.close()
        #expect(ahead.take() == nil && ahead.admit() == nil)
    }

    @Test func aPieceOfAnySizePasses() {
        let ahead = LookAhead<Int>(pieces: 4, bytes: 1)
        for number in 0..<3 {
            #expect(ahead.admit() == number)
            ahead.put(number, number, bytes: 1_000_000)
            #expect(ahead.take() == number)
        }
    }
}
