import ArgumentParser
import Imaging
import PictureLibrary

struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Takes pictures, folders or a model's vectors out of the library; the files stay as they are.",
        discussion: """
            A later `sensorium index` of their folder takes the pictures in again.

            EXAMPLES
              sensorium remove ~/Pictures/bike.jpg
              sensorium remove ~/Pictures/old
              sensorium remove --missing
              sensorium remove --index sensorium-clip-base
              sensorium remove --compact
            """)

    @Argument(help: "Files, or folders with all beneath them.", completion: .file())
    var paths: [String] = []

    @Flag(name: .long, help: "Forget the files that are gone.")
    var missing = false

    @Option(
        name: .long, help: ArgumentHelp("Remove the vectors of a model, by its name or digest in `sensorium status`.", valueName: "model"))
    var index: String?

    @Flag(name: .long, help: "Give back the room of what was removed.")
    var compact = false

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !paths.isEmpty || missing || index != nil || compact else {
            throw ValidationError("Say what to remove: files or folders, --missing, --index or --compact.")
        }
    }

    func run() throws {
        let library = try libraryOptions.open()
        var (files, pictures) = (0, 0)
        if !paths.isEmpty {
            let summary = try library.remove(paths.map { FilePath($0) })
            (files, pictures) = (files + summary.files, pictures + summary.pictures)
        }
        if missing {
            let summary = try library.forgetMissing()
            (files, pictures) = (files + summary.files, pictures + summary.pictures)
        }
        if let index { try library.removeIndex(index) }
        if compact { try library.compact() }
        if output.json {
            var line = JSONLine()
            line.add("files", files)
            line.add("pictures", pictures)
            Console.standard.line(line.text)
        } else if !paths.isEmpty || missing {
            output.remark("removed \(NumberText.grouped(files)) files; \(NumberText.grouped(pictures)) pictures are in no other file")
        }
    }
}
