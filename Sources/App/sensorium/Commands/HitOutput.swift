import Foundation
import Imaging
import PictureLibrary

/// Hits, as a table on a terminal, as `score<TAB>path` lines elsewhere, or as JSON lines.
struct HitOutput {
    let output: OutputOptions
    let console = Console.standard

    func show(_ hits: [SearchHit]) {
        if output.json {
            for hit in hits { console.line(JSONLine(hit).text) }
        } else if console.isTerminal {
            for line in Self.table(hits).lines(width: console.width, colors: console.colors) { console.line(line) }
        } else {
            for hit in hits { console.line(bytes: Array((NumberText.fixed(hit.score, 4) + "\t").utf8) + hit.path.bytes) }
        }
    }

    /// Status 1 for no hits, as grep has it.
    func finish(_ hits: [SearchHit]) throws {
        guard hits.isEmpty else { return }
        output.remark("nothing found")
        throw Failure(.partial)
    }

    static func table(_ hits: [SearchHit]) -> Table {
        var table = Table([
            Table.Column(title: "#", alignment: .right), Table.Column(title: "score", alignment: .right), Table.Column(title: "by"),
            Table.Column(title: "size", alignment: .right), Table.Column(title: "title", gives: .end),
            Table.Column(title: "path", gives: .front),
        ])
        for hit in hits {
            table.add([
                String(hit.rank), NumberText.fixed(hit.score, 4), reason(hit), "\(hit.width)x\(hit.height)", hit.title ?? "",
                near(hit.path),
            ])
        }
        return table
    }

    /// Paths beneath the working directory without it; only in tables, other programs get whole paths.
    private static func near(_ path: FilePath) -> String {
        let here = FilePath.current
        guard path != here, path.isInside(here), here.bytes.count > 1 else { return path.display }
        return FilePath(bytes: Array(path.bytes[(here.bytes.count + 1)...])).display
    }

    /// What brought a hit up.
    static func reason(_ hit: SearchHit) -> String {
        var parts: [String] = []
        if let similarity = hit.similarity, hit.vectorRank != nil { parts.append("look " + NumberText.fixed(similarity, 2)) }
        if hit.textRank != nil { parts.append("text") }
        if hit.readRank != nil { parts.append("read") }
        if hit.colorScore != nil { parts.append("colour") }
        return parts.joined(separator: " + ")
    }
}
