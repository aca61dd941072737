import Catalog
import Checkpoints
import Foundation
import ModelKit
import Tensors
import Training

/// The parameters that a run begins with, and what is written of them.
struct TrainingStart {
    let store: ParameterStore
    /// What the trained parameters belong to, behind their number.
    let words: String
    /// Of what isn't trained: part of the run's identity.
    let digest: String
    /// Writes a checkpoint's own files into a folder.
    let export: @Sendable (ParameterStore, URL) throws -> Void
}

extension TrainingStart {
    /// Parameters of a model, or of an adapter on it.
    /// - Parameter added: what the model doesn't have and the task trains beside it; left out of exported models.
    init(_ recipe: Recipe, _ model: ModelPlace, _ folder: ModelFolder, added: [String: Tensor]) throws {
        guard model.adapter == nil else {
            throw TrainingError.recipe(
                file: recipe.file, field: "model",
                problem: "\(recipe.model) is an adapter: `sensorium models merge` makes a model of it to start from")
        }
        digest = try model.digest()
        guard let options = recipe.adapter else {
            store = try ParameterStore(folder.source, added: added) { recipe.isTrained($0) || added[$0] != nil }
            words = " of \(model.name)'s parameters"
            export = { [names = Set(added.keys)] store, target in
                try ModelExport.write(store.tensors().filter { !names.contains($0.key) }, of: folder, to: target)
            }
            return
        }
        guard added.isEmpty else {
            throw TrainingError.recipe(
                file: recipe.file, field: "adapter", problem: "\(recipe.task.rawValue) trains a head of its own; train the model itself")
        }
        let adapter = try AdapterTraining(options, base: folder.source, seed: recipe.seed, file: recipe.file) {
            _ = try Catalog.rebuild(folder.network(over: $0))
        }
        store = adapter.store
        let rounding = adapter.rounding.map {
            ", whose matrices take \(NumberText.bytes(Int64($0.held))) instead of \(NumberText.bytes(Int64($0.stored)))"
        }
        words = " of an adapter on \(adapter.layers.count) layers of \(model.name)" + (rounding ?? "")
        export = { store, target in try adapter.export(store, base: model.spec, to: target) }
    }
}
