import ArgumentParser
import Foundation
import Imaging
import PictureLibrary

struct SheetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sheet",
        abstract: "Writes one page with the hits of several queries.",
        discussion: """
            Each line of the list is the arguments of a `sensorium search`. A line that begins with # is the heading of the next \
            query. The page holds its pictures itself, so it can be moved and mailed.

            EXAMPLES
              sensorium sheet --output page.html queries.txt
              echo '"a red bicycle" -k 12' | sensorium sheet --output page.html -
            """)

    @Argument(
        help: ArgumentHelp("A text file with a query on each line; - reads the standard input.", valueName: "list"), completion: .file())
    var list: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The page.", valueName: "file"), completion: .file(extensions: ["html"]))
    var output: String

    @Option(name: .long, help: "The page's heading.")
    var title = "Sensorium"

    @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name; the library must be indexed with it.")
    var model: String?

    @OptionGroup var precision: PrecisionOption

    @Flag(name: .long, help: "Also print each query's hits as a table.")
    var table = false

    @Flag(name: .long, help: "No remarks.")
    var quiet = false

    @OptionGroup var libraryOptions: LibraryOptions

    private static let longestList = 1 << 20

    func run() throws {
        let library = try libraryOptions.open()
        let searcher = Searcher(library: library, model: model, precision: precision.precision)
        var sections: [SheetSection] = []
        var hasRemarked = false
        for (heading, line) in try queries() {
            let options = try parse(line)
            let query = try options.query()
            let answer = try searcher.search(query), hits = answer.hits
            if let text = answer.remark, !hasRemarked {
                hasRemarked = true
                remark(text)
            }
            let heading = heading ?? SearchDescription(options).text
            sections.append(SheetSection(title: heading, note: "sensorium search \(line)", query: query, hits: hits))
            if table { show(heading, line, hits) }
        }
        guard !sections.isEmpty else { throw Failure(.usage, "\(list) holds no query") }
        var sheet = ContactSheet(title: title, sections: sections)
        let status = try library.status()
        sheet.subtitle = "\(NumberText.grouped(status.pictures)) pictures, \(sections.count) queries"
        try sheet.write(to: output)
        remark("wrote \(output)")
    }

    private func remark(_ text: String) {
        if !quiet { Console.standard.error(text) }
    }

    private func show(_ heading: String, _ line: String, _ hits: [SearchHit]) {
        let console = Console.standard
        console.line(Style.bold.apply("\n\(heading)", console.colors))
        console.line(Style.dim.apply("$ sensorium search \(line)", console.colors))
        if hits.isEmpty { console.line("nothing found") }
        for row in HitOutput.table(hits).lines(width: console.isTerminal ? console.width : 140, colors: console.colors) where !hits.isEmpty
        { console.line(row) }
    }

    private func queries() throws -> [(heading: String?, line: String)] {
        var result: [(String?, String)] = []
        var heading: String?
        for line in try text().split(whereSeparator: \.isNewline).map({ $0.trimmingCharacters(in: .whitespaces) }) where !line.isEmpty {
            if line.hasPrefix("#") {
                heading = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces)
            } else {
                result.append((heading, line))
                heading = nil
            }
        }
        return result
    }

    private func text() throws -> String {
        if list == "-" { return String(decoding: try StandardInput.bytes(limit: Self.longestList), as: UTF8.self) }
        do throws(PictureError) { return String(decoding: try FilePath(list).contents(limit: Self.longestList), as: UTF8.self) } catch {
            throw Failure(.usage, "the list of queries can't be read: \(error)")
        }
    }

    private func parse(_ line: String) throws -> QueryOptions {
        do { return try QueryOptions.parse(ShellWords.split(line)) } catch let failure as Failure { throw failure } catch {
            throw Failure(.usage, "in the query \(line): \(QueryOptions.message(for: error))")
        }
    }
}
