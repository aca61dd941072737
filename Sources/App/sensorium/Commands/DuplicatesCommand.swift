import ArgumentParser
import Foundation
import PictureLibrary

struct DuplicatesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicates",
        abstract: "Finds pictures of the library that look the same.",
        discussion: """
            Answers from the vectors alone; files with equal bytes are found, too. Each line is "group<TAB>similarity<TAB>path", the picture \
            with most pixels first in its group. Nothing is removed. Status 1 means that there are none.

            EXAMPLES
              sensorium duplicates
              sensorium duplicates --threshold 0.9 --json
            """)

    @Option(name: .long, help: ArgumentHelp("Least cosine of two pictures, above 0 to 1.", valueName: "x"))
    var threshold = Library.sameAbove

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard threshold > 0, threshold <= 1 else { throw ValidationError("--threshold must be above 0 and at most 1.") }
    }

    func run() throws {
        let found = try libraryOptions.open().duplicates(threshold: threshold)
        for (place, group) in found.groups.enumerated() {
            if output.json {
                Console.standard.line(JSONLine(group).text)
            } else {
                for member in group.members {
                    let start = "\(place + 1)\t\(NumberText.fixed(member.similarity, 4))\t"
                    Console.standard.line(bytes: Array(start.utf8) + member.picture.path.bytes)
                }
            }
        }
        if found.compared < found.pictures {
            output.remark("the \(found.compared) newest of \(found.pictures) pictures were compared with all")
        }
        guard !found.groups.isEmpty else {
            output.remark("no two pictures are that much alike")
            throw Failure(.partial)
        }
    }
}
