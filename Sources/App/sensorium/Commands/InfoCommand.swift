import ArgumentParser
import Foundation
import Imaging
import PictureLibrary

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Tells what the library knows of a picture.",
        discussion: """
            EXAMPLES
              sensorium info ~/Pictures/bike.jpg
              sensorium info --json ~/Pictures/*.jpg
            """)

    @Argument(help: "Pictures of the library.", completion: .file())
    var paths: [String]

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let library = try libraryOptions.open()
        var missing = 0
        for (place, path) in paths.enumerated() {
            let info: PictureInfo
            do throws(LibraryError) { info = try library.info(FilePath(path)) } catch {
                guard case .unknownPicture = error else { throw error }
                Console.standard.complain(error.description)
                missing += 1
                continue
            }
            if output.json {
                Console.standard.line(JSONLine(info).text)
            } else {
                if place > 0 { Console.standard.line("") }
                for (name, value) in Self.facts(info) {
                    Console.standard.line(
                        Style.dim.apply(TextWidth.padded(name, to: 12), Console.standard.colors) + TextWidth.printable(value))
                }
            }
        }
        if missing > 0 { throw Failure(.partial) }
    }

    private static func facts(_ info: PictureInfo) -> [(String, String)] {
        var facts: [(String, String?)] = [
            ("path", info.path.display), ("state", info.problem.map { "\(info.state): \($0.reason)" } ?? info.state),
            ("title", info.title), ("description", info.description?.split(separator: "\n").joined(separator: " / ")),
            ("tags", info.tags.isEmpty ? nil : info.tags.joined(separator: ", ")),
            ("picture", picture(info)), ("file", "\(NumberText.bytes(info.size)), changed \(info.modified.ISO8601Format())"),
            ("taken", info.taken), ("camera", camera(info)), ("place", place(info)),
            ("colours", colors(info)), ("vectors", info.embedders.isEmpty ? nil : info.embedders.joined(separator: ", ")),
            ("sha-256", info.contentHash),
        ]
        facts += info.lines.map { ("text", $0.text) }
        facts += info.copies.map { ("copy", $0.display) }
        return facts.compactMap { name, value in value.map { (name, $0) } }
    }

    private static func picture(_ info: PictureInfo) -> String? {
        guard let width = info.width, let height = info.height else { return nil }
        return "\(info.format ?? "?"), \(width) x \(height)"
    }

    private static func camera(_ info: PictureInfo) -> String? {
        let parts = [info.make, info.model].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }

    private static func place(_ info: PictureInfo) -> String? {
        guard let latitude = info.latitude, let longitude = info.longitude else { return nil }
        return "\(NumberText.fixed(latitude, 5)), \(NumberText.fixed(longitude, 5))"
    }

    private static func colors(_ info: PictureInfo) -> String? {
        info.colors.isEmpty ? nil : info.colors.map { "\($0.hex) \(Int(($0.share * 100).rounded()))%" }.joined(separator: ", ")
    }
}
