import ArgumentParser
import Catalog
import Checkpoints
import Foundation
import ModelKit
import Synchronization
import Tensors
import Training

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains a model as a recipe says.",
        discussion: """
            A recipe is one YAML file: the model to start from, what is trained, the data, the optimiser and its schedule. The run writes \
            into the recipe's output folder: `log.jsonl` (a line for each step), `report.html` (the curves), checkpoints \
            `step-...` in Hugging Face's layout, and `best`, the one with the best score. The same command after Ctrl-C or a \
            crash goes on from the last checkpoint, and ends with the same parameters bit for bit.

            Tasks are `contrastive` (a dual encoder from pictures with captions; sections `teacher` and `momentum` distil) and, from \
            pictures alone, `simclr`, `byol`, `dino` and `masked`. `initialise: random` begins without weights.

            With a section `adapter` the model stays as it is and low-rank additions to its linear layers are trained (LoRA): `adapter: \
            {rank: 8, alpha: 16, targets: [q_proj, v_proj]}`. Targets are ends of the layers' paths, patterns with stars, or `all-linear`; \
            `train_also` names parameters that are trained beside them, `base_precision: q4_0` holds the frozen matrices in 4 bits (QLoRA). \
            Checkpoints are then folders as Hugging Face's PEFT has them: `--model` takes them wherever it takes a model, and \
            `sensorium models merge` makes an ordinary model. The task `linear-probe` trains a linear classifier over a frozen encoder.

            With `precision: bf16` layers multiply numbers rounded to bf16, and parameters, sums and optimisers stay in f32: less \
            memory, and faster where the processor has instructions for it (AVX512-BF16).

            Paths in a recipe are resolved beside it. `--set field=value` changes a field: `--set optimizer.rate=1e-4`.

            EXAMPLES
              sensorium train base.yaml
              sensorium train base.yaml --set output=runs/second --set seed=2
              sensorium train base.yaml --json
              sensorium train base.yaml --check
              sensorium train adapter.yaml
              sensorium train adapter.yaml --set adapter.base_precision=q4_0 --set output=runs/rounded
              sensorium train probe.yaml
            """)

    @Argument(help: "The recipe.", completion: .file(extensions: ["yaml", "yml"]))
    var recipe: String

    @Option(name: .long, help: ArgumentHelp("Changes a field of the recipe; may be given several times.", valueName: "field=value"))
    var set: [String] = []

    @Flag(name: .long, help: "Reads the recipe, the model and the data, and trains nothing.")
    var check = false

    @OptionGroup var output: OutputOptions

    func run() throws {
        let run = try TrainingRun(recipe: recipe, changes: set)
        if check {
            Console.standard.line("\(recipe): \(run.summary)")
            return
        }
        let stopped = Mutex(false)
        let flag = { @Sendable in stopped.withLock { $0 = true } }
        let interruption = Interruption(first: flag)
        defer { withExtendedLifetime(interruption) {} }
        let report = try TrainingReport(run: run, output: output)
        var trainer = run.trainer
        do {
            try trainer.run(run.task, isCancelled: { stopped.withLock { $0 } }) { try report.show($0) }
        } catch let error as TrainingError {
            try report.finish()
            if case .stopped = error { throw Failure(.interrupted, error.description) }
            throw error
        }
        try report.finish()
        try report.compare(with: run.recipe.expected)
    }
}
