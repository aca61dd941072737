import Autograd
import Checkpoints
import Foundation
import TestSupport
import Tensors
import Testing

@testable import Training

/// Losses of distillation and self-supervised learning against their authors' formulas, with gradients (tools/reference/objectives.py).
@Suite struct ObjectiveTests {
    private struct Case {
        let name: String
        let file: SafetensorsFile
        let settings: JSONValue

        init(_ name: String) throws {
            self.name = name
            file = try TenLossesTests.file("objectives")
            let all = try #require(file.metadata["settings"])
            settings = try #require(try JSONValue.parse(all, file: "objectives")[name])
        }

        func input(_ part: String) throws -> Tensor { try file.tensor("\(name).in.\(part)") }
        func number(_ key: String) throws -> Float {
            switch settings[key] {
            case let .int(value): Float(value)
            case let .number(value): Float(value)
            default: throw TrainingError.data("no \(key)")
            }
        }

        /// - Parameter loss: of the variables that have a stored gradient.
        func check(_ loss: ([String: Tensor]) throws -> Tensor) throws {
            var variables: [String: Tensor] = [:]
            let prefix = "\(name).gradient."
            for entry in file.entries where entry.name.hasPrefix(prefix) {
                let part = String(entry.name.dropFirst(prefix.count))
                variables[part] = try input(part).traced()
            }
            let value = try loss(variables), wanted = try file.tensor("\(name).loss").scalar
            #expect(abs(value.scalar - wanted) <= 1e-4 * max(1, abs(wanted)), "\(name): \(value.scalar), expected \(wanted)")
            let found = try value.gradients()
            #expect(!variables.isEmpty)
            for (part, variable) in variables {
                let difference = try TensorDifference(#require(found[variable]), file.tensor(prefix + part))
                #expect(difference.isWithin(1e-4), "\(name), \(part): \(difference)")
            }
        }
    }

    @Test func affinity() throws {
        let stored = try Case("affinity")
        let taught = try stored.input("taught_images").matmul(stored.input("taught_texts").transposed())
        try stored.check { v in
            try Losses.affinity(
                v["images"]!.matmul(v["texts"]!.transposed()) * v["scale"]!, from: taught.scaled(by: stored.number("taught_scale")))
        }
        // The whole of it, as a recipe asks: the teacher's own scale, half the weight.
        var distillation = Distillation()
        distillation.affinity = 0.5
        let whole = try distillation.loss(
            stored.input("images"), stored.input("texts"),
            Taught(pictures: stored.input("taught_images"), texts: stored.input("taught_texts"), scale: stored.number("taught_scale")),
            scale: stored.input("scale"))
        #expect(try abs(whole.scalar - stored.file.tensor("affinity.loss").scalar / 2) < 1e-4)
        #expect(throws: TrainingError.self) {
            try distillation.loss(
                stored.input("images"), stored.input("texts"), Taught(pictures: stored.input("taught_images")), scale: stored.input("scale")
            )
        }
    }

    @Test func relations() throws {
        let stored = try Case("relations"), taught = try stored.input("taught_images")
        var distillation = Distillation()
        (distillation.relations, distillation.temperature) = (1, try stored.number("temperature"))
        try stored.check { try distillation.loss($0["images"]!, Tensor.zeros([1, 12]), Taught(pictures: taught), scale: Tensor(Float(1))) }
    }

    @Test(arguments: ["square", "cosine"]) func vectors(_ name: String) throws {
        let stored = try Case(name), taught = try stored.input("taught_images")
        try stored.check { v in try name == "square" ? Losses.meanSquare(v["images"]!, taught) : Losses.cosine(v["images"]!, taught) }
    }

    @Test func momentum() throws {
        let stored = try Case("momentum"), identities = try stored.input("identities").ints()
        func pairs(_ kind: String, _ range: Range<Int>) throws -> MomentumMemory.Pairs {
            .init(
                images: try stored.input(kind + "_images"), texts: try stored.input(kind + "_texts"), identities: Array(identities[range]))
        }
        // The queue comes from an earlier step.
        var memory = MomentumMemory(), options = MomentumDistillation()
        options.queue = 10
        memory.keep(try pairs("queue", 6..<16), part: 0)
        try memory.advance(ParameterStore(EmptySource()) { _ in true }, options)
        var again = MomentumMemory()
        try again.restore(memory.state)
        for memory in [memory, again] {
            try stored.check { v in
                try memory.loss((v["images"]!, v["texts"]!), pairs("slow", 0..<6), scale: v["scale"]!, alpha: stored.number("alpha"))
            }
        }
        // A full queue lets the oldest go.
        memory.keep(try pairs("slow", 0..<6), part: 0)
        try memory.advance(ParameterStore(EmptySource()) { _ in true }, options)
        #expect(try #require(memory.state["queue.identities"]).ints() == Array(identities[12..<16] + identities[0..<6]))
    }

    @Test func selfSupervised() throws {
        let contrast = try Case("contrast"), byol = try Case("byol"), dino = try Case("dino"), masked = try Case("masked")
        try contrast.check { try Losses.normalizedContrast($0["a"]!, $0["b"]!, temperature: contrast.number("temperature")) }
        try byol.check { try Losses.cosine($0["found"]!, byol.input("wanted")).scaled(by: 2) }
        try dino.check { v in
            try Losses.selfDistillation(
                (0..<4).map { v["view\($0)"]! }, from: (0..<2).map { try dino.input("taught\($0)") }, centre: dino.input("centre"),
                temperatures: (dino.number("student"), dino.number("teacher")))
        }
        try masked.check { v in
            let wanted = try MaskedPictures.normalised(MaskedPictures.patches(of: masked.input("pixels"), side: 4))
            return try Losses.reconstruction(v["found"]!, wanted, hidden: masked.input("mask"), absolute: false)
        }
    }

    @Test func unitsAreHiddenTogether() throws {
        var masked = MaskedPictures()
        (masked.hidden, masked.unit) = (0.3, 16)
        let pixels = Tensor.zeros([3, 3, 64, 32]), mask = try masked.mask(of: pixels, patch: 8, seed: 5)
        let rows = try (0..<3).map { try mask.selected(0, $0).floats() }
        for row in rows {
            // 3 of 8 units of four patches each.
            #expect(row.reduce(0, +) == 12)
            for place in row.indices { #expect(row[place] == row[place / 8 * 8 + place % 4 / 2 * 2]) }
        }
        #expect(rows[0] != rows[1] || rows[1] != rows[2])
        #expect(throws: TrainingError.self) { try masked.mask(of: Tensor.zeros([2, 3, 40, 32]), patch: 8, seed: 5) }
    }
}
