import ArgumentParser
import Catalog
import Checkpoints
import Foundation
import Imaging
import ModelKit
import PictureLibrary
import Tensors
import VectorIndex

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Writes vectors of pictures or texts to a file.",
        discussion: """
            A row for each picture or text, in the order given, of length 1 unless --raw is given. The output's extension says \
            its format: .npy (NumPy), .fvecs, or .faiss (a flat index). A picture that can't be read ends the command with \
            nothing written, so that rows never shift; --skip-failed leaves its row out and names it.

            With --features what a frozen picture tower gives is written instead, before the head that is trained on it: for \
            `sensorium train`, in 16 bits.

            EXAMPLES
              sensorium embed --model dinov2-small --image a.jpg b.png --output out.npy
              sensorium embed --model clip-folder --text "a cat" "一只猫" --output words.npy
              sensorium embed --model sensorium-clip-base --features --image a.jpg b.png --output tokens.npy
              find ~/Pictures -name '*.jpg' | sensorium embed --model dinov2-small --stdin images --output all.npy
            """)

    private static let longestList = 1 << 30

    enum Input: String, ExpressibleByArgument, CaseIterable { case images, texts }

    @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name.")
    var model: String

    @OptionGroup var precision: PrecisionOption

    @Option(name: .long, parsing: .upToNextOption, help: ArgumentHelp("Pictures.", valueName: "file"), completion: .file())
    var image: [String] = []

    @Option(name: .long, parsing: .upToNextOption, help: "Texts.")
    var text: [String] = []

    @Option(name: .long, help: "Read names of pictures, or texts, from the standard input, one on each line.")
    var stdin: Input?

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write: .npy, .fvecs or .faiss.", valueName: "file"), completion: .file())
    var output: String

    @Option(name: .long, help: ArgumentHelp("Pictures or texts that go through the model together.", valueName: "n"))
    var batch = 16

    @Flag(name: .long, help: "The model's numbers as they are, not scaled to length 1.")
    var raw = false

    @Flag(name: .long, help: "What the picture tower gives, without the head on it (.npy).")
    var features = false

    @Flag(name: .long, help: "Leave out pictures that can't be read.")
    var skipFailed = false

    @Flag(name: .long, help: "No remarks.")
    var quiet = false

    func validate() throws {
        let sources = [!image.isEmpty, !text.isEmpty, stdin != nil].count { $0 }
        guard sources == 1 else { throw ValidationError("Give exactly one of --image, --text and --stdin.") }
        guard VectorFileFormat(path: output) != nil else { throw ValidationError("--output must end in .npy, .fvecs, .faiss or .index.") }
        guard !features || (text.isEmpty && stdin != .texts && !skipFailed && output.hasSuffix(".npy")) else {
            throw ValidationError("--features is for pictures and an .npy file, without --skip-failed.")
        }
        guard (1...4_096).contains(batch) else { throw ValidationError("--batch must be 1 to 4096.") }
    }

    func run() throws {
        let place = try ModelPlace(model, precision: precision.precision)
        let loaded = try place.load()
        let lines = stdin == nil ? [] : try StandardInput.lines(limit: Self.longestList)
        let wantsTexts = !text.isEmpty || stdin == .texts
        let (written, failed) =
            try wantsTexts
            ? (embed(texts: text + lines.map { String(decoding: $0, as: UTF8.self) }, loaded, place), 0)
            : embed(images: image.map { FilePath($0) } + lines.map { FilePath(bytes: $0) }, loaded, place)
        if !quiet { Console.standard.error("wrote \(NumberText.grouped(written)) rows to \(output)") }
        if failed > 0 { throw Failure(.partial) }
    }

    private func embed(texts: [String], _ loaded: LoadedModel, _ place: ModelPlace) throws -> Int {
        guard let encoder = loaded.text, loaded.textAbsence == nil else {
            throw RoleError(model: place.name, role: "text encoder", reason: loaded.textAbsence ?? "\(loaded.family) has no text tower")
        }
        guard !texts.isEmpty else { throw Failure(.usage, "there is no text to embed") }
        let writer = try VectorFileWriter(path: output, dimension: encoder.dimension, metric: .innerProduct)
        for start in stride(from: 0, to: texts.count, by: batch) {
            try writer.append(finished(encoder.embed(texts: Array(texts[start..<min(texts.count, start + batch)]))))
        }
        try writer.finish()
        return texts.count
    }

    private func embed(images: [FilePath], _ loaded: LoadedModel, _ place: ModelPlace) throws -> (written: Int, failed: Int) {
        guard let encoder = loaded.image else {
            throw RoleError(model: place.name, role: "picture encoder", reason: "the checkpoint holds no picture tower")
        }
        guard !images.isEmpty else { throw Failure(.usage, "there is no picture to embed") }
        if features { return (try write(features: images, encoder, place), 0) }
        let writer = try VectorFileWriter(path: output, dimension: encoder.dimension, metric: .innerProduct)
        var failed = 0
        for start in stride(from: 0, to: images.count, by: batch) {
            let paths = images[start..<min(images.count, start + batch)]
            var prepared: [Tensor] = []
            for result in PictureLoader.load(paths, shortestUsefulSide: encoder.shortestUsefulSide, prepare: { try encoder.prepare($0) }) {
                do { prepared.append(try result.get()) } catch {
                    Console.standard.complain("\(error)")
                    failed += 1
                }
            }
            if failed > 0 && !skipFailed {
                throw Failure(.partial, "\(output) isn't written, as its rows would shift; --skip-failed leaves such pictures out")
            }
            if !prepared.isEmpty { try writer.append(finished(encoder.embed(prepared))) }
        }
        try writer.finish()
        return (images.count - failed, failed)
    }

    /// Rows of any shape, in f16: tokens of thousands of pictures are much to keep.
    private func write(features images: [FilePath], _ encoder: any ImageEncoder, _ place: ModelPlace) throws -> Int {
        guard let staged = encoder as? any StagedImageEncoder else {
            throw RoleError(model: place.name, role: "tower with a head", reason: "its pictures' vectors are what its tower gives")
        }
        var writer: NumpyWriter?
        for start in stride(from: 0, to: images.count, by: batch) {
            let paths = images[start..<min(images.count, start + batch)]
            let prepared = try PictureLoader.load(paths, shortestUsefulSide: staged.shortestUsefulSide, prepare: { try staged.prepare($0) })
                .map { try $0.get() }
            let rows = try staged.features(prepared)
            if writer == nil { writer = try NumpyWriter(path: output, shape: [images.count] + rows.shape.dropFirst(), dtype: .f16) }
            try writer?.append(rows)
        }
        try writer?.finish()
        return images.count
    }

    private func finished(_ rows: Tensor) -> Tensor { raw ? rows.asType(.f32) : rows.unitLength() }
}
