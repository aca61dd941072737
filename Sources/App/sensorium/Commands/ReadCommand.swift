import ArgumentParser
import Catalog
import Foundation
import Imaging
import ModelKit
import PictureLibrary
import Pipelines

struct ReadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Reads the text in pictures.",
        discussion: """
            Finds lines of text, Chinese, English and more, turned ones too, and prints them from top to bottom. Of several \
            pictures each line is "path<TAB>text"; a picture without text prints nothing. With --json each picture is an object \
            with its lines, their scores and their corners in pixels, clockwise from the text's top left.

            `sensorium index --read-text` keeps what it reads in the library, where searches find it.

            EXAMPLES
              sensorium models pull ppocr-small
              sensorium read receipt.jpg
              sensorium read --json a.jpg b.png
              sensorium read --min-score 0.8 receipt.jpg
            """)

    @Argument(help: "Pictures.", completion: .file())
    var images: [String]

    @Option(name: .long, help: "A reading model's folder or catalogue name.")
    var model = RememberedModels.standardReader

    @Option(name: .long, help: ArgumentHelp("Lines that are less certain are left out, 0 to 1.", valueName: "score"))
    var minScore: Float = 0.5

    @Flag(name: .long, help: "Print one JSON object per picture.")
    var json = false

    func validate() throws {
        guard (0...1).contains(minScore) else { throw ValidationError("--min-score must be 0 to 1.") }
    }

    func run() throws {
        let place = try ModelPlace(model)
        let reader = try PictureReader(place.load(), name: place.name, minScore: minScore)
        var failed = 0
        for image in images {
            let path = FilePath(image)
            do {
                let picture = try PictureDecoder.decode(path: path)
                show(try reader.read(picture), of: picture, path)
            } catch let error as PictureError {
                Console.standard.complain(error.file == nil ? "\(path.display): \(error)" : "\(error)")
                failed += 1
            }
        }
        if failed > 0 { throw Failure(.partial) }
    }

    private func show(_ lines: [TextLine], of picture: Picture, _ path: FilePath) {
        if json {
            var object = JSONLine()
            object.add("path", path)
            object.add("width", picture.width)
            object.add("height", picture.height)
            object.add("lines", lines.map { Self.json($0) })
            Console.standard.line(object.text)
        } else {
            for line in lines {
                let text = TextWidth.printable(line.text)
                Console.standard.line(bytes: (images.count > 1 ? path.bytes + [UInt8(ascii: "\t")] : []) + Array(text.utf8))
            }
        }
    }

    private static func json(_ line: TextLine) -> JSONLine {
        var object = JSONLine()
        object.add("text", line.text)
        object.add("score", Double(line.score))
        object.add("corners", json: "[" + line.corners.map { "[\($0.x),\($0.y)]" }.joined(separator: ",") + "]")
        return object
    }
}
