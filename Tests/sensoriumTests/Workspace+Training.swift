import Checkpoints
import Foundation
import Tensors

extension Workspace {
    /// A recipe with its data, as the examples of `train` name it: a few steps of a tiny model.
    func fillForTraining() throws {
        try FileManager.default.copyItem(
            at: Workspace.golden("DualEncoder/SensoriumCLIP/golden/clip"), to: folder.appendingPathComponent("start"))
        var generator = RandomGenerator(seed: 9)
        try NumpyWriter.write(
            Tensor.randomNormal([24, 28], using: &generator).unitLength(), to: folder.appendingPathComponent("features.npy").path)
        let lines = (0..<24).map { #"{"file": "\#($0).jpg", "captions": {"en": ["picture \#($0)", "a \#($0) b"], "zh": ["第\#($0)张"]}}"# }
        try write("pairs-to-learn.jsonl", text: lines.joined(separator: "\n") + "\n")
        try write(
            "base.yaml",
            text: """
                task: contrastive
                model: start
                train: ["head.**", "text_projection.weight", logit_scale]
                data:
                  train:
                    - {features: features.npy, captions: pairs-to-learn.jsonl}
                  evaluate:
                    - {name: pairs, features: features.npy, captions: pairs-to-learn.jsonl}
                loss: {dropout: 0.1}
                batch: 8
                steps: 6
                optimizer: {rate: 1e-3}
                save_every: 2
                best: score
                expected: {pairs.en.r@10: 10}

                """)
        try write(
            "momentum.yaml",
            text: """
                task: contrastive
                model: start
                train: ["head.**", "text_projection.weight", logit_scale]
                data:
                  train:
                    - {features: features.npy, captions: pairs-to-learn.jsonl}
                  evaluate:
                    - {name: pairs, features: features.npy, captions: pairs-to-learn.jsonl}
                momentum: {queue: 40, alpha: 0.4, rise: 4}
                teacher: {model: start, affinity: 0.5, relations: 0.5, temperature: 0.1}
                batch: 8
                steps: 6
                optimizer: {rate: 1e-3}
                save_every: 2
                best: score

                """)
        try fillForPicturesAlone()
        try write(
            "pictures.yaml",
            text: """
                task: contrastive
                model: clip-folder
                data:
                  pictures: {open: captions.jsonl, language: en, crop: 0.8, flip: true}
                  evaluate:
                    - {name: animals, open: captions.jsonl, language: en}
                loss: {chunk: 2, dropped_tokens: 0.5}
                batch: 3
                epochs: 3
                accumulate: 2
                optimizer: {kind: lion, rate: 1e-4}
                save_every: 1

                """)
        try fillForAdapters()
        try write(
            "probe.yaml",
            text: """
                task: linear-probe
                model: dinov2-small
                data: {train: animals-split/train, evaluate: animals-split/test}
                loss: {smoothing: 0.1}
                batch: 4
                epochs: 4
                optimizer: {kind: sgd, rate: 0.1}
                save_every: 5
                best: top1
                expected: {top1: 1}

                """)
    }

    /// A recipe of an adapter, and two adapters that PEFT made of the same base.
    private func fillForAdapters() throws {
        for (name, made) in [("adapter", "second"), ("second-adapter", "patterns")] {
            try FileManager.default.copyItem(
                at: Workspace.root.appendingPathComponent("Tests/TrainingTests/golden/adapters/\(made)"),
                to: folder.appendingPathComponent(name))
        }
        try write(
            "adapter.yaml",
            text: """
                task: contrastive
                model: clip-folder
                adapter:
                  rank: 4
                  alpha: 8
                  dropout: 0.1
                  targets: [q_proj, v_proj, "text_model.**.fc1"]
                  train_also: [visual_projection.weight]
                data:
                  pictures: {open: captions.jsonl, language: en}
                  evaluate:
                    - {name: animals, open: captions.jsonl, language: en}
                loss: {chunk: 2}
                batch: 3
                steps: 4
                optimizer: {rate: 1e-2}
                save_every: 2

                """)
    }

    /// A ViT without weights that learns from pictures alone, by every method.
    private func fillForPicturesAlone() throws {
        let from = Workspace.golden("Vision/ViT/golden/features"), vit = folder.appendingPathComponent("tiny-vit")
        try FileManager.default.createDirectory(at: vit, withIntermediateDirectories: true)
        for name in ["config.json", "preprocessor_config.json"] {
            try FileManager.default.copyItem(at: from.appendingPathComponent(name), to: vit.appendingPathComponent(name))
        }
        let objectives = [
            "simclr": "{hidden: 16, output: 8}", "byol": "{hidden: 16, output: 8}", "masked": "{unit: 16}",
            "dino": "{hidden: 16, bottleneck: 8, prototypes: 12, fixed_steps: 2}",
        ]
        for (name, objective) in objectives {
            try write(
                name + ".yaml",
                text: """
                    task: \(name)
                    model: tiny-vit
                    initialise: random
                    data:
                      pictures: {open: animals-split/train}
                      evaluate:
                        - {name: animals, open: animals-split/train, test: animals-split/test, k: 3}
                    objective: \(objective)
                    views: {crop: 0.3\(name == "dino" ? ", local: 2, local_size: 16" : "")}
                    batch: 4
                    steps: 6
                    optimizer: {rate: 1e-3}
                    save_every: 2
                    best: score

                    """)
        }
    }
}
