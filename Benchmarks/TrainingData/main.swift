// Samples a second that the loader reads, decodes and augments: bench-training-data DATA VIEW SIZE THREADS SAMPLES
// VIEW: contrastive (crop and normalise), simclr (crop, flip, jitter, grey, blur), supervised (crop, flip, RandAugment).
// A line of JSON: the rate, the time it took to open the data, mean and deviation of what the network would see. training_data.py runs it
// beside torch's DataLoader.
import Foundation
import Tensors
import TrainingData

struct Refusal: Error, CustomStringConvertible { let description: String }

func view(_ name: String, _ size: Int) throws -> PictureView {
    switch name {
    case "contrastive": return try .contrastive(size: size)
    case "simclr": return try .simCLR(size: size)
    case "supervised": return try .supervised(size: size, randAugment: RandAugment())
    default: throw Refusal(description: "no view named \(name)")
    }
}

func run(_ words: [String]) throws {
    guard words.count == 6, let size = Int(words[3]), let threads = Int(words[4]), let samples = Int(words[5]) else {
        throw Refusal(description: "bench-training-data DATA VIEW SIZE THREADS SAMPLES")
    }
    var plan = LoadingPlan()
    plan.views = [try view(words[2], size)]
    plan.threads = threads
    plan.epochs = nil
    plan.requiresCaptions = false
    let opening = Date()
    var options = DataOptions()
    options.layout = FileManager.default.fileExists(atPath: words[1] + "/.") ? .pictures : nil
    let source = try DataOpener.open(words[1], options)
    let opened = Date().timeIntervalSince(opening)
    let loader = try BatchLoader(source, plan, seed: 1)
    _ = try loader.nextBatch()
    let start = Date()
    var count = 0, elements = 0.0, sum = 0.0, squares = 0.0
    while count < samples, let batch = try loader.nextBatch() {
        let values = batch.pictures[0]
        count += batch.count
        elements += Double(values.count)
        sum += Double(try values.mean().scalar) * Double(values.count)
        squares += values.sumOfSquares()
    }
    let rate = Double(count) / Date().timeIntervalSince(start), mean = sum / elements
    let deviation = (squares / elements - mean * mean).squareRoot()
    print(#"{"samples_per_second": \#(rate), "opened": \#(opened), "mean": \#(mean), "deviation": \#(deviation)}"#)
}

do { try run(CommandLine.arguments) } catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
