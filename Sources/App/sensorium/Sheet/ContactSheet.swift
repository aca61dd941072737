import Checkpoints
import Foundation
import Imaging
import PictureLibrary

/// One query and what it found.
struct SheetSection {
    var title: String
    /// The command line behind it.
    var note: String?
    var query: Query
    var hits: [SearchHit]
}

/// A page that holds its pictures itself: it can be moved, mailed and opened without a server.
struct ContactSheet {
    let title: String
    let sections: [SheetSection]
    /// A line under the title.
    var subtitle: String?

    func write(to path: String) throws(CheckpointError) {
        let file = try AtomicFile(path: path)
        try file.write(Array(html().utf8))
        try file.commit()
    }

    func html() -> String {
        var thumbnails = Thumbnails()
        let body = sections.enumerated().map { section($0.element, number: $0.offset + 1, &thumbnails) }.joined(separator: "\n")
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Self.escaped(title))</title>
            <style>
            \(SheetStyle.css)
            </style>
            </head>
            <body>
            <header>
            <h1>\(Self.escaped(title))</h1>
            \(subtitle.map { "<p>\(Self.escaped($0))</p>" } ?? "")
            \(contents)
            </header>
            <main>
            \(body)
            </main>
            </body>
            </html>

            """
    }

    private var contents: String {
        guard sections.count > 1 else { return "" }
        let items = sections.enumerated().map { "<li><a href=\"#q\($0.offset + 1)\">\(Self.escaped($0.element.title))</a></li>" }
        return "<nav aria-label=\"Queries\"><ol>\(items.joined())</ol></nav>"
    }

    private func section(_ section: SheetSection, number: Int, _ thumbnails: inout Thumbnails) -> String {
        let asked = section.query.terms.compactMap { term -> String? in
            guard case .picture(let path) = term.subject else { return nil }
            let sign = term.weight < 0 ? "without" : "like"
            return
                "<figure class=\"asked\">\(thumbnails.image(path))<figcaption>\(sign) \(Self.escaped(path.name.display))</figcaption></figure>"
        }
        let hits = section.hits.map { hit($0, &thumbnails) }.joined(separator: "\n")
        let found = section.hits.isEmpty ? "<p class=\"none\">Nothing found.</p>" : "<ol class=\"hits\">\n\(hits)\n</ol>"
        return """
            <section id="q\(number)">
            <h2>\(Self.escaped(section.title))</h2>
            \(section.note.map { "<p class=\"command\"><code>\(Self.escaped($0))</code></p>" } ?? "")
            \(asked.isEmpty ? "" : "<div class=\"query\">\(asked.joined())</div>")
            \(found)
            </section>
            """
    }

    private func hit(_ hit: SearchHit, _ thumbnails: inout Thumbnails) -> String {
        let name = hit.title ?? hit.path.name.display
        let reason = HitOutput.reason(hit)
        return """
            <li><a href="\(Self.escaped(Self.link(hit.path)))" title="\(Self.escaped(hit.path.display))">\(thumbnails.image(hit.path, alternative: name))</a>
            <p class="name">\(Self.escaped(name))</p>
            <p class="facts"><span class="rank">\(hit.rank)</span> \(NumberText.fixed(hit.score, 3))\(reason.isEmpty ? "" : " · " + Self.escaped(reason))</p></li>
            """
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in TextWidth.printable(text).unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A `file:` address with every byte that isn't plain percent-encoded (RFC 8089).
    static func link(_ path: FilePath) -> String {
        "file://"
            + path.absolute().bytes.map { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
                    return String(UnicodeScalar(byte))
                default: return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                }
            }.joined()
    }
}
