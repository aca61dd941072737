import Foundation
import Tensors
import VectorIndex

extension Workspace {
    /// Captioned pictures, classes and arrays, as the examples of `eval` name them.
    func fillForEvaluation() throws {
        let names = ["cat", "dog", "horse"]
        var captions = "", english = "", chinese = ""
        for place in 0..<6 {
            let picture = "animals/\(names[place / 2])/\(place % 2).png"
            try write(picture, seed: place + 50)
            captions += #"{"file": "\#(picture)", "captions": ["a \#(names[place / 2])", "picture \#(place)"]}"# + "\n"
            english += #"{"image": "\#(picture)", "captions": ["a \#(names[place / 2]) in the grass"]}"# + "\n"
            chinese += #"{"image": "\#(picture)", "captions": ["第\#(place)张照片"]}"# + "\n"
            for part in ["train", "test"] {
                for number in 0..<2 {
                    try write("animals-split/\(part)/\(names[place / 2])/\(place)-\(number).png", seed: place * 3 + number)
                }
            }
        }
        try write("captions.jsonl", text: captions)
        try write("val.en.jsonl", text: english)
        try write("val.zh.jsonl", text: chinese)
        try write("templates.txt", text: "a photo of a {}.\na drawing of a {c}.\n")
        try write("classes.tsv", text: "cat\ta small cat\ndog\nhorse\tgrey horse\n")
        try write("classes.txt", text: names.joined(separator: "\n"))
        try fillArrays(names)
    }

    /// Rows that lie near the axis of their class, twelve in each array.
    private func fillArrays(_ names: [String]) throws {
        let labels = (0..<12).map { $0 % 3 }
        func rows(_ seed: UInt64, noise: Float = 0.05) throws -> Tensor {
            var generator = RandomGenerator(seed: seed)
            return try Tensor((0..<12).flatMap { row in (0..<4).map { $0 == labels[row] ? 1 : 0 } }.map(Float.init), [12, 4])
                + Tensor.randomNormal([12, 4], deviation: noise, using: &generator)
        }
        let pictures = try rows(1)
        for (name, tensor) in try [
            ("images.npy", pictures), ("texts.npy", pictures.scaled(by: 2)), ("other.npy", rows(2)), ("train.npy", rows(3)),
            ("test.npy", rows(4)), ("classes.npy", Tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] as [Float], [3, 4])),
        ] { try write(name, rows: tensor) }
        for name in ["labels.txt", "train.txt", "test.txt"] {
            try write(name, text: labels.map { names[$0] }.joined(separator: "\n") + "\n")
        }
        try write("pairs.jsonl", text: (0..<12).map { #"{"image": \#($0)}"# }.joined(separator: "\n"))
        try write(
            "texts.jsonl",
            text: (0..<12).map { #"{"text_id": \#($0), "text": "caption", "image_ids": [\#($0 + 700)]}"# }.joined(separator: "\n"))
        try write("ids.txt", text: (0..<12).map { "\($0 + 700)" }.joined(separator: "\n"))
    }

    func write(_ name: String, rows: Tensor) throws {
        let writer = try VectorFileWriter(path: folder.appendingPathComponent(name).path, dimension: rows.dim(1), metric: .innerProduct)
        try writer.append(rows)
        try writer.finish()
    }
}
