import ArgumentParser
import Foundation
import Imaging
import PictureLibrary

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Tells what the library holds, what failed, and whether it is sound.",
        discussion: """
            EXAMPLES
              sensorium status
              sensorium status --errors
              sensorium status --verify
              sensorium status --errors --json
            """)

    @Flag(name: .long, help: "List the files that couldn't be indexed, with the reason.")
    var errors = false

    @Flag(name: .long, help: "Read all of the catalogue and the indexes and check them, checksums included.")
    var verify = false

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let library = try libraryOptions.open()
        if errors { return try list(library.problems()) }
        let status = try library.status()
        if output.json { Console.standard.line(JSONLine(status).text) } else { show(status) }
        if verify { try check(library) }
    }

    private func check(_ library: Library) throws {
        let findings = try library.verify()
        for fault in findings.faults { Console.standard.complain(fault) }
        for note in findings.notes { output.remark("note: \(note)") }
        guard findings.faults.isEmpty else { throw Failure(.unusable) }
        let agreement = findings.notes.isEmpty ? "catalogue, text index and vectors agree, and " : ""
        output.remark("sound: \(agreement)every checksum is right")
    }

    private func list(_ problems: [ProblemEntry]) {
        let console = Console.standard
        for entry in problems {
            if output.json {
                console.line(JSONLine(entry).text)
            } else {
                console.line(
                    bytes: entry.path.bytes + Array("\t\(entry.problem.kind.rawValue)\t\(TextWidth.printable(entry.problem.reason))".utf8))
            }
        }
        if problems.isEmpty { output.remark("no file has failed") }
    }

    private func show(_ status: LibraryStatus) {
        let console = Console.standard
        func fact(_ name: String, _ value: String) {
            console.line(Style.dim.apply(TextWidth.padded(name, to: 10), console.colors) + TextWidth.printable(value))
        }
        fact("library", status.path.display)
        for root in status.roots { fact("folder", root.display) }
        let copies = status.files - status.pictures
        fact("pictures", NumberText.grouped(status.pictures) + (copies > 0 ? " in \(NumberText.grouped(status.files)) files" : ""))
        if status.read > 0 { fact("read", "\(NumberText.grouped(status.read)) pictures for their text") }
        if status.problems > 0 { fact("failed", "\(NumberText.grouped(status.problems)) (`sensorium status --errors` lists them)") }
        if status.missing > 0 { fact("gone", NumberText.grouped(status.missing)) }
        for index in status.indexes {
            var parts = [index.identity.name, "\(index.identity.dimension) dimensions", "\(NumberText.grouped(index.vectors)) vectors"]
            if index.pending > 0 { parts.append("\(NumberText.grouped(index.pending)) to go") }
            parts.append(index.address ?? NumberText.bytes(index.bytes))
            parts.append(index.identity.embedsText ? "pictures and words" : "pictures only")
            fact(index.isActive ? "index *" : "index", parts.joined(separator: ", "))
        }
        fact("catalogue", NumberText.bytes(status.catalogueBytes))
        if let run = status.lastRun { fact("last run", "\(run.started.ISO8601Format()), \(run.outcome)") }
    }
}
