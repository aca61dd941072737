import ArgumentParser
import Foundation
import PictureLibrary

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Finds pictures by words, pictures, colour and filters.",
        discussion: """
            Words match titles, descriptions, tags and names of files, in English, Chinese and other languages, and the text in \
            pictures once `sensorium index --read-text` has read it ("text: exit" looks for that alone). With a dual \
            encoder (CLIP, Chinese-CLIP, SigLIP) they are also compared with the pictures themselves. Pictures are compared by \
            their vectors. Several rankings are fused by their ranks, each with its weight (--weights): meaning (what pictures show), \
            words (titles, descriptions, tags, names), text (read in pictures) and color. --json tells what each gave to a hit.

            --cutoff auto ends the hits where pictures are no more similar to the query than ones that have nothing to do with it \
            would be by chance, worked out from the library itself (from 50 pictures on); what holds every word in its \
            titles, tags or text stays.

            On a terminal hits are a table; elsewhere each is a line "score<TAB>path". Status 1 means that nothing was found.

            FILTERS (--where) compare \(WhereFilter.fields.joined(separator: ", ")) with = != < <= > >=, contains, \
            like "a%b_" and in (a, b), joined by and, or, not and brackets; "and" binds closer than "or".

            EXAMPLES
              sensorium search "a red bicycle"
              sensorium search "红色的自行车"
              sensorium search --image bike.jpg
              sensorium search "2: sunset" + beach.jpg - people
              sensorium search dog --where "width >= 1000 and format = jpeg and taken > 2020-01-01"
              sensorium search --where "text contains 'exit'"
              sensorium search "text: exit" - "text: emergency"
              sensorium search --color "#c02020" --in ~/Pictures/2024
              sensorium search "a red bicycle" --weights meaning=2,words=0.5,text=0
              sensorium search flower -k 100 | cut -f 2
              sensorium search "a red bicycle" -k 1000 --cutoff auto
              sensorium search flower --html flowers.html
            """)

    @OptionGroup var queryOptions: QueryOptions
    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .long, help: "A model's folder, a checkpoint file or a catalogue name; the library must be indexed with it.")
    var model: String?

    @OptionGroup var precision: PrecisionOption

    @Option(name: .long, help: ArgumentHelp("Write a page with the hits' pictures, too.", valueName: "file"), completion: .file())
    var html: String?

    func run() throws {
        let query = try queryOptions.query()
        let answer = try Searcher(library: libraryOptions.open(), model: model, precision: precision.precision).search(query)
        let hits = answer.hits
        answer.remark.map(output.remark)
        HitOutput(output: output).show(hits)
        answer.cutoff.map { output.remark($0.remark) }
        if let html {
            let title = SearchDescription(queryOptions).text
            try ContactSheet(title: "Sensorium: \(title)", sections: [SheetSection(title: title, note: nil, query: query, hits: hits)])
                .write(to: html)
            output.remark("wrote \(html)")
        }
        try HitOutput(output: output).finish(hits)
    }
}

/// A query in words, for headings.
struct SearchDescription {
    let text: String

    init(_ options: QueryOptions) {
        var parts: [String] = []
        if !options.terms.isEmpty { parts.append(options.terms.joined(separator: " ")) }
        parts += options.image.map { "like \($0)" }
        if let color = options.color { parts.append("colour \(color)") }
        if let filter = options.filter { parts.append("where \(filter)") }
        if let folder = options.folder { parts.append("in \(folder)") }
        text = parts.joined(separator: " · ")
    }
}
