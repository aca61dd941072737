import ArgumentParser
import Foundation
import PictureLibrary

struct ClustersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clusters",
        abstract: "Groups the library's pictures by what they show, and names the groups.",
        discussion: """
            Clusters come from the vectors alone (k-means; the same library gives the same clusters) and are named by the most telling \
            words of titles, tags and folders; where nothing is written and the model knows words, by those nearest to the pictures.

            Each line is "count<TAB>words<TAB>path of the picture nearest to the middle"; --json has the pictures of each.

            EXAMPLES
              sensorium clusters
              sensorium clusters --count 2 --json -k 5
            """)

    @Option(name: .long, help: ArgumentHelp("Clusters, 1 to \(Library.mostClusters) (default: as many as suit).", valueName: "n"))
    var count: Int?

    @Option(name: [.customShort("k"), .customLong("limit")], help: ArgumentHelp("Most pictures of each with --json.", valueName: "n"))
    var limit = 12

    @OptionGroup var libraryOptions: LibraryOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let count, !(1...Library.mostClusters).contains(count) {
            throw ValidationError("--count must be 1 to \(Library.mostClusters).")
        }
        guard (1...Query.largestLimit).contains(limit) else { throw ValidationError("-k must be 1 to \(Query.largestLimit).") }
    }

    func run() throws {
        let found = try Searcher(library: libraryOptions.open(), model: nil, precision: nil).clusters(count: count)
        for (place, cluster) in found.clusters.enumerated() {
            if output.json {
                Console.standard.line(JSONLine(cluster, number: place + 1, most: limit).text)
            } else {
                let start = "\(cluster.pictures.count)\t\(TextWidth.printable(cluster.words.joined(separator: ", ")))\t"
                Console.standard.line(bytes: Array(start.utf8) + (cluster.pictures.first?.path.bytes ?? []))
            }
        }
        if found.clustered < found.pictures { output.remark("\(found.clustered) of \(found.pictures) pictures, taken evenly") }
    }
}
