import Foundation
import Imaging

/// Words about a picture, from its metadata and from a text file beside it.
struct PictureWords: Sendable, Equatable {
    var title: String?
    var description: String?
    var tags: [String] = []

    /// Both, the sidecar's title first; what only one says is kept in the description.
    static func merged(sidecar: PictureWords, metadata: PictureWords) -> PictureWords {
        let title = sidecar.title ?? metadata.title
        var lines: [String] = []
        for text in [sidecar.description, metadata.title, metadata.description].compactMap({ $0 })
        where text != title && !lines.contains(text) {
            lines.append(text)
        }
        var tags: [String] = []
        var known: Set<String> = []
        for tag in sidecar.tags + metadata.tags where known.insert(tag.lowercased()).inserted { tags.append(tag) }
        return PictureWords(title: title, description: lines.isEmpty ? nil : lines.joined(separator: "\n"), tags: tags)
    }

    /// As the column holds tags: a line each, with a line end on both sides; empty without tags.
    static func tagColumn(_ tags: [String]) -> String {
        let clean = tags.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ").trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty
        }
        return clean.isEmpty ? "" : "\n" + clean.joined(separator: "\n") + "\n"
    }

    static func tags(column: String) -> [String] { column.split(separator: "\n").map(String.init) }
}

/// Caption files: `name.txt` beside `name.jpg`, as img2dataset and WebDataset write them, and as Tux Paint's stamps have them
/// (an English line, then `zh_CN.utf8=…` for each language).
enum Sidecar {
    static let longest = 65_536
    /// A first line up to this many characters is a title; longer text is a description.
    static let longestTitle = 200

    /// Names that a sidecar may have, the likelier first.
    static func names(for picture: FilePath) -> [FilePath] {
        [FilePath(bytes: picture.stem.bytes + Array(".txt".utf8)), FilePath(bytes: picture.bytes + Array(".txt".utf8))]
    }

    /// An unreadable sidecar is no reason to leave out the picture: it counts as absent.
    static func read(_ path: FilePath) -> PictureWords {
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return PictureWords() }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: longest)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, longest - filled) }
            guard count > 0 else { break }
            filled += count
        }
        return parse(bytes[..<filled])
    }

    static func parse(_ bytes: some Collection<UInt8>) -> PictureWords {
        // Binary data isn't a caption.
        guard !bytes.contains(0) else { return PictureWords() }
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        if lines.first?.unicodeScalars.first == "\u{FEFF}" { lines[0] = String(lines[0].unicodeScalars.dropFirst()) }
        let translated = lines.dropFirst().compactMap(translation)
        if !translated.isEmpty {
            let chinese = translated.filter { $0.language.hasPrefix("zh") }.map(\.text)
            var distinct: [String] = []
            for caption in chinese where !distinct.contains(caption) { distinct.append(caption) }
            return PictureWords(title: lines.first, description: distinct.isEmpty ? nil : distinct.joined(separator: "\n"))
        }
        guard let first = lines.first else { return PictureWords() }
        if first.count > longestTitle { return PictureWords(description: lines.joined(separator: "\n")) }
        let rest = lines.dropFirst()
        return PictureWords(title: first, description: rest.isEmpty ? nil : rest.joined(separator: "\n"))
    }

    /// `zh_CN.utf8=海豚` is (`zh_CN`, `海豚`).
    private static func translation(_ line: String) -> (language: String, text: String)? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        let head = line[..<equals].lowercased()
        guard head.hasSuffix(".utf8") || head.hasSuffix(".utf-8"), let dot = head.firstIndex(of: ".") else { return nil }
        let language = String(head[..<dot])
        guard (2...12).contains(language.count), language.allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "_" || $0 == "@") }) else {
            return nil
        }
        let text = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        return text.isEmpty ? nil : (language, text)
    }
}
