import Foundation
import Testing

@testable import Training

@Suite struct RecipeTests {
    private let text = """
        task: contrastive
        model: start
        train: ["text_model.**", logit_scale]
        freeze: "**.word_embeddings.weight"
        batch: 32
        accumulate: 2
        precision: bf16
        epochs: 3
        optimizer: {kind: lion, rate: 1e-4, betas: [0.9, 0.98], rates: {"text_projection.*": 10}}
        schedule: {shape: linear, warm_up: 20}
        expected: {score: 70}
        """

    private func read(_ text: String, _ changes: [String: String] = [:]) throws -> Recipe {
        let reader = try RecipeReader.parse(text, file: "r.yaml", changes: changes)
        var recipe = try Recipe(reader, file: "r.yaml", text: text)
        try reader.finish()
        recipe.setSteps(samples: 640)
        return recipe
    }

    @Test func fieldsAreRead() throws {
        let recipe = try read(text)
        #expect(recipe.plan.schedule.total == 30 && recipe.plan.schedule.shape == .linear && recipe.plan.parts == 2)
        #expect(recipe.plan.precision == .bf16)
        #expect(recipe.optimizer == .lion(beta1: 0.9, beta2: 0.98))
        #expect(recipe.isTrained("text_model.encoder.layer.0.output.dense.weight") && recipe.isTrained("logit_scale"))
        #expect(!recipe.isTrained("text_model.embeddings.word_embeddings.weight") && !recipe.isTrained("vision_model.a"))
        #expect(recipe.expected.first?.value == 70)
    }

    @Test func fieldsAreChanged() throws {
        let recipe = try read(text, ["optimizer.rate": "0.5", "schedule.final": "0.25", "batch": "64"])
        #expect(recipe.plan.schedule.rate == 0.5 && recipe.plan.schedule.final == 0.25 && recipe.batch == 64)
        #expect(throws: TrainingError.self) { try read(text, ["optimizer.speed": "1"]) }
    }

    @Test(arguments: [
        ("batch: 32", "bach: 32", "did you mean `batch`"), ("batch: 32", "batch: many", "whole number"),
        ("kind: lion", "kind: tiger", "sgd"), ("precision: bf16", "precision: f16", "f32, bf16"),
        ("epochs: 3", "", "either steps or epochs"), ("epochs: 3", "epochs: 3\nsteps: 5", "either steps or epochs"),
        ("task: contrastive", "task: magic", "contrastive"), ("model: start", "", "model"), ("rate: 1e-4", "rate: -1", "rate"),
        ("betas: [0.9, 0.98]", "betas: [0.9]", "two numbers"), ("shape: linear", "shape: round", "cosine"),
        ("schedule: {shape: linear, warm_up: 20}", "schedule: 5", "mapping"), ("task: contrastive", "task: [", "YAML"),
    ])
    func mistakesAreNamed(_ old: String, _ new: String, _ said: String) throws {
        let wrong = text.replacing(old, with: new)
        do {
            _ = try read(wrong)
            Issue.record("\(new) was taken")
        } catch let error as TrainingError {
            #expect("\(error)".contains(said) && "\(error)".contains("r.yaml"), "\(error)")
        }
    }
}
