import Checkpoints

/// Which columns (of csv and tsv) or keys (of jsonl) hold what. What is nil is looked for under the usual names.
public struct TableColumns: Sendable, Equatable {
    /// Path of the picture, relative to the table's folder.
    public var picture: String?
    /// Texts. `caption_zh` beside `caption` is taken for Chinese.
    public var captions: [String]?
    /// Language of the row's texts.
    public var language: String?
    /// Class: a whole number, or a name.
    public var label: String?
    public var id: String?

    public init(
        picture: String? = nil, captions: [String]? = nil, language: String? = nil, label: String? = nil, id: String? = nil
    ) {
        self.picture = picture
        self.captions = captions
        self.language = language
        self.label = label
        self.id = id
    }

    static let pictureNames = [
        "image", "filepath", "file_path", "image_path", "img_path", "picture", "file_name", "filename", "file", "path",
    ]
    static let captionNames = ["caption", "captions", "text", "texts", "title", "sentences", "description"]
    static let languageNames = ["lang", "language"]
    static let labelNames = ["label", "class", "category"]
    static let idNames = ["id", "image_id", "key"]
}

/// The columns of one table, or the keys of one JSON object, by what they hold.
struct ColumnRoles: Equatable {
    var picture: Int
    /// Index and language of its name's ending.
    var captions: [(index: Int, language: String?)]
    var language: Int?
    var label: Int?
    var id: Int?

    static func == (left: ColumnRoles, right: ColumnRoles) -> Bool {
        left.picture == right.picture && left.language == right.language && left.label == right.label && left.id == right.id
            && left.captions.elementsEqual(right.captions) { $0.index == $1.index && $0.language == $1.language }
    }

    struct Problem: Error {
        let text: String
    }

    /// Throws when a named column or any picture column isn't there.
    init(_ columns: TableColumns, among names: [String]) throws(Problem) {
        let lowered = names.map { $0.lowercased() }
        func find(_ wanted: String?, _ usual: [String], _ what: String) throws(Problem) -> Int? {
            if let wanted {
                guard let index = names.firstIndex(of: wanted) else { throw Self.absent(wanted, what, names) }
                return index
            }
            return usual.lazy.compactMap { usual in lowered.firstIndex(of: usual) }.first
        }
        guard let picture = try find(columns.picture, TableColumns.pictureNames, "picture") else {
            throw Self.absent(nil, "picture", names)
        }
        self.picture = picture
        language = try find(columns.language, TableColumns.languageNames, "language")
        label = try find(columns.label, TableColumns.labelNames, "label")
        id = try find(columns.id, TableColumns.idNames, "identifier")
        captions = []
        if let wanted = columns.captions {
            for name in wanted {
                guard let index = names.firstIndex(of: name) else { throw Self.absent(name, "caption", names) }
                captions.append((index, Self.ending(name).language))
            }
        } else {
            for (index, name) in lowered.enumerated() where index != picture {
                let (stem, language) = Self.ending(name)
                if TableColumns.captionNames.contains(stem) { captions.append((index, language)) }
            }
        }
    }

    /// `caption_zh` is `caption` in Chinese.
    private static func ending(_ name: String) -> (stem: String, language: String?) {
        guard let mark = name.lastIndex(where: { $0 == "_" || $0 == "." }),
            let language = languageSuffix(name[name.index(after: mark)...])
        else { return (name, nil) }
        return (String(name[..<mark]), language)
    }

    private static func absent(_ wanted: String?, _ what: String, _ names: [String]) -> Problem {
        let found = names.prefix(20).map { "\"\($0.prefix(40))\"" }.joined(separator: ", ")
        guard let wanted else {
            return Problem(text: "no column for the \(what): found \(found); name it, or call it \"\(TableColumns.pictureNames[0])\"")
        }
        let near = EditDistance.nearest(to: wanted, among: names)
        return Problem(
            text: "no column \"\(wanted)\" for the \(what): found \(found)"
                + (near.isEmpty ? "" : "; did you mean \(near.prefix(2).joined(separator: " or "))?"))
    }
}
