import ArgumentParser
import Foundation

/// The command line. Every command is a file in `Commands/`; what they print goes through `Output/`.
struct Sensorium: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensorium",
        abstract: "Finds pictures by words, by other pictures, by colour and by what is known of them.",
        usage: "sensorium COMMAND [OPTIONS] [ARGUMENTS]",
        discussion: """
            A library remembers your pictures: where they are, what is written about them, and a vector of each that says \
            what it looks like. Pictures are only read, never changed or moved.

            FIRST STEPS
              sensorium models pull sensorium-clip-base
              sensorium index ~/Pictures
              sensorium search "a red bicycle"
              sensorium search --image bike.jpg

            \(ExitStatus.help)

            ENVIRONMENT
              SENSORIUM_LIBRARY  the library's folder, where --library isn't given
              SENSORIUM_CACHE    the folder of fetched models (default ~/.cache/sensorium)
              SENSORIUM_CONFIG   a file of settings for `sensorium serve`, which reads each setting from the environment too
              NO_COLOR           no colours, also on a terminal
            """,
        version: version,
        subcommands: [
            IndexCommand.self, WatchCommand.self, SearchCommand.self, SimilarCommand.self, ClustersCommand.self,
            DuplicatesCommand.self, InfoCommand.self, StatusCommand.self, RemoveCommand.self, SheetCommand.self, ExportCommand.self,
            ImportCommand.self, MoveCommand.self, EmbedCommand.self,
            ClassifyCommand.self, ReadCommand.self, GenerateCommand.self, EvaluateCommand.self,
            TrainCommand.self, ServeCommand.self, KeysCommand.self, ModelsCommand.self,
            ManualCommand.self, BenchmarkCommand.self,
        ])

    static let version = "0.1.0"
}

@main
enum EntryPoint {
    static func main() async {
        do {
            var command = try Sensorium.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            finish(with: error)
        }
    }

    /// Help and version go out as the parser made them; every failure is one line on the error output and a status of ours.
    private static func finish(with error: any Error) -> Never {
        if let failure = Failure(error) {
            if let message = failure.message { Console.standard.complain(message) }
            exit(failure.status.rawValue)
        }
        if Sensorium.exitCode(for: error).isSuccess { Sensorium.exit(withError: error) }
        Console.standard.error(Sensorium.fullMessage(for: error))
        exit(ExitStatus.usage.rawValue)
    }
}
