import Checkpoints
import Imaging
import PictureLibrary

/// What to look for, as a request says it.
struct SearchRequest: Sendable {
    enum Subject: Sendable {
        case words(String)
        /// Text that can be read in pictures.
        case readText(String)
        /// A picture of the library.
        case picture(Int64)
        /// Bytes of a picture's file.
        case file([UInt8])
        case vector([Float])
    }

    struct Term: Sendable {
        var subject: Subject
        var weight = 1.0
        var region: Region?

        var isPicture: Bool {
            switch subject {
            case .words, .readText, .vector: false
            case .picture, .file: true
            }
        }
    }

    var terms: [Term] = []
    var filter: String?
    var color: String?
    var folder: String?
    var limit = 20
    var minScore: Double?
    var weights = RankingWeights()
    var cutoff = Cutoff.off

    /// What the text tower is to read: nothing where meaning doesn't count.
    var words: [String] {
        weights[.meaning] > 0 ? terms.compactMap { if case .words(let words) = $0.subject { words } else { nil } } : []
    }

    static let parameters: [Route.Parameter] = [
        .init(
            "q",
            .string(
                "Words, weighted as in `2: sunset`, added with ` + ` and taken away with ` - `; `text: exit` only looks for text in pictures."
            )),
        .init("picture", .array(.integer("A picture of the library to look for, by its id; may be given several times."))),
        .init("region", .string("The part of the only picture to look for: x,y,width,height as parts of it, 0 to 1.")),
        .init("where", .string("A filter: `width >= 1000 and format = jpeg and taken > 2020`.")),
        .init("color", .string("#rrggbb, #rgb or a name.")), .init("in", .string("Only pictures in this folder or beneath it.")),
        .init("limit", .integer("Most hits.")), .init("min_score", .number("Leave out hits below this similarity.")),
        .init(
            "weights",
            .string("How much each ranking counts, as `meaning=1,words=0.5,text=2,color=1`; 1 where it isn't named, 0 leaves it out.")),
        .init("text_weight", .number("The weights of words and text in one.")), .init("cutoff", .string(cutoffText)),
    ]
    private static let cutoffText =
        "`auto` ends the hits where pictures are no more similar to the query than chance has it, a number below that similarity; `off`, "
        + "which it is where it isn't given, at the limit alone. What holds every word in its metadata or text stays."
    static var parameterNames: [String] { parameters.map(\.name) }

    static let termSchema = Schema.object([
        .init("text", .string()), .init("read", .string("Text that can be read in pictures, and nothing else that is known of them.")),
        .init("picture", .integer("Of the library.")),
        .init("image", .string("A picture's file: base64, or an address (data:, https: or file: as far as the settings allow).")),
        .init("vector", .array(.number())), .init("weight", .number("Below 0 takes away.")), .init("region", .array(.number())),
    ])
    static let schema = Schema.object([
        .init("q", .string("As the parameter q.")), .init("terms", .array(termSchema, "One subject each.")), .init("where", .string()),
        .init("color", .string()), .init("in", .string()), .init("limit", .integer()), .init("min_score", .number()),
        .init("weights", .object(Ranking.allCases.map { .init($0.rawValue, .number()) }, "How much each ranking counts; 0 leaves it out.")),
        .init("text_weight", .number("The weights of words and text in one.")),
        .init("cutoff", .oneOf([.string("auto or off", among: ["auto", "off"]), .number()], cutoffText)),
    ])

    init() {}

    /// From the address, or the fields of a form.
    /// - Parameter files: pictures that came with it.
    init(_ parameters: QueryParameters, files: [[UInt8]] = []) throws {
        if let words = try parameters.text("q") { try add(expression: words) }
        for text in parameters.all("picture") where !text.isEmpty {
            guard let id = Int64(text) else {
                throw APIError.invalid("picture", "the id of a picture is expected, found \"\(text.prefix(40))\"")
            }
            terms.append(Term(subject: .picture(id)))
        }
        terms += files.map { Term(subject: .file($0)) }
        if let region = try parameters.region("region") {
            let places = terms.indices.filter { terms[$0].isPicture }
            guard places.count == 1 else { throw APIError.invalid("region", "it belongs to one picture, and there are \(places.count)") }
            terms[places[0]].region = region
        }
        (filter, color, folder) = (try parameters.text("where"), try parameters.text("color"), try parameters.text("in"))
        if let number = try parameters.int("limit", in: 1...Query.largestLimit) { limit = number }
        minScore = try parameters.number("min_score")
        if let number = try parameters.number("text_weight") { try setTextWeight(number) }
        if let text = try parameters.text("cutoff") { try setCutoff(text) }
        if let text = try parameters.text("weights") { try weigh { weights throws(LibraryError) in weights = try RankingWeights(text) } }
    }

    /// From a JSON body, whose pictures may lie elsewhere.
    init(_ reader: ConfigReader, _ settings: ServiceSettings, _ fetcher: PictureFetcher) async throws {
        try JSONBody.check(reader, Self.schema.fieldNames)
        if reader.has("q") { try add(expression: reading { try reader.string("q") }) }
        for part in try reading({ reader.has("terms") ? try reader.sections("terms") : [] }) {
            guard terms.count < QueryExpression.mostTerms else { throw APIError.invalid("terms", "at most \(QueryExpression.mostTerms)") }
            terms.append(try await Self.term(part, fetcher))
        }
        try reading {
            filter = reader.has("where") ? try reader.string("where") : nil
            color = reader.has("color") ? try reader.string("color") : nil
            folder = reader.has("in") ? try reader.string("in") : nil
            limit = try reader.int("limit", default: limit, in: 1...Query.largestLimit)
            minScore = reader.has("min_score") ? try reader.double("min_score") : nil
            if reader.has("text_weight") { try setTextWeight(reader.double("text_weight")) }
        }
        if let text = reader.raw("cutoff")?.string {
            try setCutoff(text)
        } else if reader.has("cutoff") {
            cutoff = .similarity(try reading { try reader.double("cutoff") })
        }
        guard reader.has("weights") else { return }
        let section = try reading { try reader.section("weights") }
        try JSONBody.check(section, Ranking.allCases.map(\.rawValue))
        for ranking in Ranking.allCases where section.has(ranking.rawValue) {
            let weight = try reading { try section.double(ranking.rawValue) }
            try weigh { weights throws(LibraryError) in try weights.set(ranking.rawValue, weight) }
        }
    }

    private mutating func setCutoff(_ text: String) throws(APIError) {
        do { cutoff = try Cutoff(text) } catch { throw .invalid("cutoff", "\(error)") }
    }

    private mutating func setTextWeight(_ weight: Double) throws(APIError) {
        for ranking in [Ranking.words, .text] {
            try weigh("text_weight") { weights throws(LibraryError) in try weights.set(ranking.rawValue, weight) }
        }
    }

    private mutating func weigh(
        _ field: String = "weights", _ change: (inout RankingWeights) throws(LibraryError) -> Void
    ) throws(APIError) {
        do { try change(&weights) } catch { throw .invalid(field, "\(error)") }
    }

    /// Words as the command line takes them, but no word is ever a file's name.
    private mutating func add(expression: String) throws {
        for term in try QueryExpression.parse([expression], isPicture: { _ in false }) {
            switch term.subject {
            case .words(let words): terms.append(Term(subject: .words(words), weight: term.weight))
            case .readText(let text): terms.append(Term(subject: .readText(text), weight: term.weight))
            default: break
            }
        }
    }

    private static func term(_ reader: ConfigReader, _ fetcher: PictureFetcher) async throws -> Term {
        try JSONBody.check(reader, termSchema.fieldNames)
        let subjects = ["text", "read", "picture", "image", "vector"].filter(reader.has)
        guard subjects.count == 1 else {
            throw APIError.invalid(reader.path, "exactly one of text, read, picture, image and vector is expected")
        }
        var term: Term
        switch subjects[0] {
        case "text": term = Term(subject: .words(try reading { try reader.string("text") }))
        case "read": term = Term(subject: .readText(try reading { try reader.string("read") }))
        case "picture": term = Term(subject: .picture(Int64(try reading { try reader.int("picture", in: 1...Int.max) })))
        case "vector": term = Term(subject: .vector(try reading { try reader.floats("vector") }))
        default:
            term = Term(
                subject: .file(try await fetcher.picture(try reading { try reader.string("image") }, field: reader.path + ".image")))
        }
        let weight = try reading { try reader.double("weight", default: 1) }
        guard abs(weight) <= QueryExpression.largestWeight, weight != 0 else {
            throw APIError.invalid(
                reader.path + ".weight",
                "a number from -\(Int(QueryExpression.largestWeight)) to \(Int(QueryExpression.largestWeight)) other than 0 is expected")
        }
        term.weight = weight
        if reader.has("region") {
            let numbers = try reading { try reader.floats("region") }
            term.region = try Region(numbers.map { Double($0) }, field: reader.path + ".region")
            if case .file = term.subject { return term }
            guard case .picture = term.subject else { throw APIError.invalid(reader.path + ".region", "only pictures have regions") }
        }
        return term
    }

    /// The query. Reads and decodes pictures, so it belongs on a working thread.
    func query(_ library: Library, _ pictures: RequestPictures) throws -> Query {
        var query = Query(limit: limit, minScore: minScore, weights: weights, cutoff: cutoff)
        query.terms = try terms.map { QueryTerm(try Self.subject($0, library, pictures), weight: $0.weight) }
        guard terms.isEmpty || terms.contains(where: { $0.weight > 0 }) else {
            throw APIError.invalid("terms", "every term is taken away; at least one must be asked for")
        }
        query.filter = try filter.map { expression throws(WhereError) in try WhereFilter(expression) }
        query.color = try color.map { text throws(LibraryError) in try ColorQuery(text) }
        query.folder = folder.map { FilePath($0) }
        return query
    }

    /// No model here looks at more pixels than twice this, so larger pictures needn't be decoded whole.
    private static let usefulSide = 512

    private static func subject(_ term: Term, _ library: Library, _ pictures: RequestPictures) throws -> QueryTerm.Subject {
        switch term.subject {
        case .words(let words): return .words(words)
        case .readText(let text): return .readText(text)
        case .vector(let vector): return .vector(vector)
        case .file(let bytes):
            return .pixels(try cropped(pictures.decode(bytes, shortestUsefulSide: term.region == nil ? usefulSide : nil), term.region))
        case .picture(let id):
            if term.region == nil, let vector = try library.vector(ofPicture: id) { return .vector(vector) }
            let opened = try library.openPicture(id)
            return .pixels(try cropped(PictureDecoder.decode(bytes: opened.bytes(limit: DecodeLimits().fileBytes)), term.region))
        }
    }

    private static func cropped(_ picture: Picture, _ region: Region?) throws(PictureError) -> Picture {
        if let region { try region.crop(picture) } else { picture }
    }
}

extension PictureFetcher {
    /// A picture's file from an address, or from base64 alone.
    func picture(_ text: String, field: String) async throws -> [UInt8] {
        // No base64 has a colon among its first characters, and every address has.
        if text.prefix(12).contains(":") { return try await bytes(text, field: field) }
        guard let bytes = Self.base64(text), !bytes.isEmpty else { throw APIError.invalid(field, "base64 or an address is expected") }
        return bytes
    }
}
