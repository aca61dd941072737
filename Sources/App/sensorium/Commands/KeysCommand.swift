import ArgumentParser
import Foundation
import HTTPService
import Imaging
import PictureLibrary

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes, lists and removes the keys of `sensorium serve`.",
        discussion: """
            Where the file of keys holds any, the service lets nobody in without one. Only the SHA-256 of a key is stored. A \
            service that runs heeds changes at once.

            EXAMPLES
              sensorium keys make phone --scope search
              sensorium keys list
              sensorium keys remove phone
            """,
        subcommands: [Make.self, List.self, Remove.self])

    struct Place: ParsableArguments {
        @Option(
            name: .long,
            help: ArgumentHelp("The file of keys (default: SENSORIUM_KEYS, else ~/.config/sensorium/keys).", valueName: "file"),
            completion: .file())
        var keys: String?

        func open() throws(SettingsError) -> KeyFile {
            let environment = ProcessInfo.processInfo.environment
            let named = keys ?? environment["SENSORIUM_KEYS"].flatMap { $0.isEmpty ? nil : $0 }
            return try KeyFile(named.map { FilePath($0).absolute() } ?? ServiceSettings.defaultKeys(environment))
        }
    }

    struct Make: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make", abstract: "Makes a key and shows it, once.",
            discussion: """
                SCOPES
                \(Scope.allCases.map { "  " + $0.rawValue + String(repeating: " ", count: 9 - $0.rawValue.count) + $0.meaning }.joined(separator: "\n"))

                EXAMPLES
                  sensorium keys make laptop
                  sensorium keys make monitor --scope metrics
                """)

        @Argument(help: "A name to know the key by.")
        var name: String

        @Option(name: .long, help: "What the key opens; may be given several times (default: search and models).")
        var scope: [Scope] = [.search, .models]

        @OptionGroup var place: Place

        func run() throws {
            var file = try place.open()
            Console.standard.line(try file.make(name, scopes: Scope.allCases.filter(scope.contains)))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the keys by name, with their scopes.",
            discussion: """
                EXAMPLES
                  sensorium keys list
                """)

        @OptionGroup var place: Place

        func run() throws {
            for entry in try place.open().entries {
                Console.standard.line(entry.name + "\t" + entry.scopes.map(\.rawValue).joined(separator: ","))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Removes a key, which opens nothing from then on.",
            discussion: """
                EXAMPLES
                  sensorium keys remove laptop
                """)

        @Argument(help: "The key's name.")
        var name: String

        @OptionGroup var place: Place

        func run() throws {
            var file = try place.open()
            try file.remove(name)
        }
    }
}

extension Scope: ExpressibleByArgument {}
