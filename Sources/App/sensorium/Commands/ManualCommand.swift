import ArgumentParser

struct ManualCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manual", abstract: "Prints the manual page (mdoc), for `make install`.", shouldDisplay: false)

    func run() throws { Console.standard.line(try ManualPage(dump: Sensorium._dumpHelp()).text) }
}
