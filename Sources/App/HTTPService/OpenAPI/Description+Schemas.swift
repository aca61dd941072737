/// Forms that several routes share.
extension Description {
    static let schemas: [(String, Schema)] = [("Error", error), ("Hit", hit), ("Hits", hits), ("Picture", picture), ("Job", job)]

    private static let error = Schema.object([
        .init(
            "error",
            .object([
                .init("message", .string("For people: what is wrong and what to do."), required: true),
                .init("type", .string("The kind of error."), required: true),
                .init("param", .any("The field that is wrong, or null.")),
                .init("code", .string("For programs."), required: true),
            ]), required: true)
    ])

    private static let hit = Schema.object(
        [
            .init("rank", .integer("From 1."), required: true), .init("id", .integer("Of the picture's file."), required: true),
            .init("score", .number("What hits are ordered by."), required: true), .init("path", .string(), required: true),
            .init("title", .string()), .init("width", .integer(), required: true), .init("height", .integer(), required: true),
            .init("similarity", .number("Cosine of the picture's vector and the query's.")),
            .init("vector_rank", .integer("Place in the ranking by look.")), .init("text_rank", .integer("Place in the ranking by words.")),
            .init("text_score", .number("bm25; more is better.")),
            .init("color_score", .number("Share of the colour in the picture, by nearness.")),
            .init("read_rank", .integer("Place among the pictures in which these words can be read.")),
            .init("read_line", .string("The line of text in the picture that fits best.")),
            .init("color_rank", .integer("Place in the ranking by colour, among what other rankings found.")),
            .init("copies", .array(.string(), "Other files with the same bytes.")),
        ], "One picture found; what doesn't apply is left out.")

    private static let hits = Schema.object([
        .init("hits", .array(.named("Hit")), required: true), .init("count", .integer(), required: true),
        .init("model", .string("Whose vectors answered.")),
        .init("words_as_text_because", .string("Why words were only looked up in titles, tags and names.")),
        .init("seconds", .number(), required: true),
    ])

    private static let picture = Schema.object([
        .init("id", .integer(), required: true), .init("path", .string(), required: true),
        .init("state", .string(among: ["indexed", "failed", "missing"])), .init("size", .integer("Bytes.")), .init("modified", .string()),
        .init("sha256", .string()), .init("format", .string()), .init("width", .integer()), .init("height", .integer()),
        .init("taken", .string("By the camera's clock.")), .init("make", .string()), .init("model", .string()),
        .init("latitude", .number()), .init("longitude", .number()), .init("title", .string()), .init("description", .string()),
        .init("tags", .array(.string())),
        .init("colors", .array(.object([.init("hex", .string()), .init("share", .number())]))),
        .init("text_was_read", .boolean("Whether it was read for text.")),
        .init("lines", .array(line, "The text in it, from top to bottom.")), .init("embedders", .array(.string())),
        .init("copies", .array(.string())),
    ])

    private static let line = Schema.object([
        .init("text", .string(), required: true), .init("score", .number("Mean probability of its characters."), required: true),
        .init(
            "corners",
            .array(.array(.number()), "Four points x, y as parts of the picture's sides, 0 to 1, clockwise from the text's top left."),
            required: true),
    ])

    private static let job = Schema.object([
        .init("id", .integer(), required: true), .init("model", .string("What the request named.")),
        .init("outcome", .string(among: ["running", "done", "cancelled", "failed"]), required: true),
        .init("started", .string(), required: true), .init("ended", .string()),
        .init("progress", .object([], "Counts of files, as `sensorium index --json` prints them."), required: true),
        .init("reading", .object([], "Counts of pictures whose text was read, as `sensorium index --read-text --json` prints them.")),
        .init("error", .string()), .init("problem_count", .integer(), required: true),
        .init("problems", .array(.object([])), required: true),
    ])
}
