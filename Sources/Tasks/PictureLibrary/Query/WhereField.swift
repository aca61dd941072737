/// The fields that a filter can name, and the SQL that stands for each (`f` is the file, `c` its content).
enum WhereField: String, CaseIterable {
    case width, height, pixels, size, format, taken, modified, camera, make, model, lat, lon
    case title, description, tag, path, name, folder, orientation, aspect, text

    enum Kind { case number, bytes, text, tags, format, localDate, instant, orientation, readText }

    var kind: Kind {
        switch self {
        case .width, .height, .pixels, .lat, .lon, .aspect: .number
        case .size: .bytes
        case .format: .format
        case .taken: .localDate
        case .modified: .instant
        case .tag: .tags
        case .orientation: .orientation
        case .text: .readText
        case .camera, .make, .model, .title, .description, .path, .name, .folder: .text
        }
    }

    var column: String {
        switch self {
        case .width: "c.width"
        case .height: "c.height"
        case .pixels: "(c.width * c.height)"
        case .aspect: "(c.width * 1.0 / max(c.height, 1))"
        case .size: "f.size"
        case .format: "c.format"
        case .taken: "c.taken"
        case .modified: "f.modified"
        case .camera: "nullif(trim(coalesce(c.make, '') || ' ' || coalesce(c.model, '')), '')"
        case .make: "c.make"
        case .model: "c.model"
        case .lat: "c.latitude"
        case .lon: "c.longitude"
        case .title: "f.title"
        case .description: "f.description"
        case .tag: "f.tags"
        case .path: "f.display"
        case .name: "f.name"
        // Folders are bytes; as text they serve for comparing, the exact test is the query's `folder`.
        case .folder: "CAST(f.folder AS TEXT)"
        case .text: "l.folded"
        case .orientation: "CASE WHEN c.width > c.height THEN 'landscape' WHEN c.width < c.height THEN 'portrait' ELSE 'square' END"
        }
    }

    /// Names that people try for a field.
    private static let aliases: [String: WhereField] = [
        "latitude": .lat, "longitude": .lon, "tags": .tag, "filename": .name, "date": .taken, "filesize": .size, "ratio": .aspect,
        "type": .format, "mtime": .modified, "keyword": .tag, "caption": .description, "words": .text, "ocr": .text,
    ]

    init?(name: String) {
        let lower = name.lowercased()
        guard let field = WhereField(rawValue: lower) ?? Self.aliases[lower] else { return nil }
        self = field
    }

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
