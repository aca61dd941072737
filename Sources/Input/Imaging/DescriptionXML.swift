/// Titles, descriptions and keywords out of XMP packets and SVG files: both keep them as RDF with Dublin Core; SVG has its own elements too.
struct DescriptionXML {
    private(set) var title: String?
    private(set) var description: String?
    private(set) var keywords: [String] = []
    /// EXIF's and XMP's times, `2019-07-04T12:30:05+02:00`.
    private(set) var taken: String?
    private(set) var make: String?
    private(set) var model: String?

    private var path: [String] = []
    private var language: String?
    private var content = ""
    private var ranks: [String: Int] = [:]

    init(_ bytes: [UInt8]) {
        var scanner = XMLScanner(bytes)
        while let event = scanner.next() {
            switch event {
            case let .start(name, attributes): open(name, attributes)
            case let .text(text): if content.utf8.count < MetadataText.longest * 4 { content += text }
            case .end: close()
            }
        }
    }

    /// The part behind the prefix; prefixes are free to choose, and the few names wanted are told apart by where they stand.
    private static func local(_ name: String) -> String {
        String(name[(name.lastIndex(of: ":").map(name.index(after:)) ?? name.startIndex)...])
    }

    private mutating func open(_ name: String, _ attributes: [(name: String, value: String)]) {
        let local = DescriptionXML.local(name)
        path.append(local)
        content = ""
        language = attributes.first { $0.name == "xml:lang" }?.value
        guard local == "Description" || local == "Work" else { return }
        for attribute in attributes { property(DescriptionXML.local(attribute.name), attribute.value, rank: 1) }
    }

    private mutating func close() {
        defer {
            if !path.isEmpty { path.removeLast() }
            content = ""
        }
        guard let name = path.last else { return }
        let above = path.dropLast()
        if name == "li", above.count >= 2 {
            let property = above[above.count - 2]
            if ["subject", "TagsList"].contains(property), isOwner(above.dropLast(2).last) {
                MetadataText.add([content], to: &keywords)
            } else {
                let rank = language == nil || language == "x-default" ? 0 : 1
                if isOwner(above.dropLast(2).last) { self.property(property, content, rank: rank) }
            }
        } else if isOwner(above.last) || (above == ["svg"] && (name == "title" || name == "desc")) {
            property(name == "desc" ? "description" : name, content, rank: above == ["svg"] ? 2 : 1)
        }
    }

    /// Titles also stand in the persons and licences that RDF names; only those of the picture's own node count.
    private func isOwner(_ name: String?) -> Bool { name == "Description" || name == "Work" }

    private mutating func property(_ name: String, _ value: String, rank: Int) {
        guard let text = MetadataText.clean(value) else { return }
        switch name {
        case "title": if better(name, rank) { title = text }
        case "description": if better(name, rank) { description = text }
        case "subject", "keywords": MetadataText.add(text.split { ",;".contains($0) }.map(String.init), to: &keywords)
        case "DateTimeOriginal": if better("taken", 0) { taken = text }
        case "DateCreated", "CreateDate": if better("taken", 1) { taken = text }
        case "Make": make = make ?? text
        case "Model": model = model ?? text
        default: break
        }
    }

    /// Whether a value of this rank (0 is best) replaces the one that is there.
    private mutating func better(_ name: String, _ rank: Int) -> Bool {
        guard rank < ranks[name] ?? .max else { return false }
        ranks[name] = rank
        return true
    }
}
