import PictureLibrary

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
            .init("vector_rank", .number("Place in the ranking by meaning; equal scores share the mean of their places.")),
            .init("text_rank", .number("Place in the ranking by words.")),
            .init("text_score", .number("bm25; more is better.")),
            .init("color_score", .number("Share of the colour in the picture, by nearness.")),
            .init("read_rank", .number("Place among the pictures in which these words can be read.")),
            .init("read_line", .string("The line of text in the picture that fits best.")),
            .init("color_rank", .number("Place in the ranking by colour, among what other rankings found.")),
            .init("rankings", .array(share, "Each ranking that knows the picture.")),
            .init("copies", .array(.string(), "Other files with the same bytes.")),
        ], "One picture found; what doesn't apply is left out.")

    private static let share = Schema.object([
        .init("by", .string(among: Ranking.allCases.map(\.rawValue)), required: true),
        .init("words", .string("What was looked up, where words were.")), .init("rank", .number(), required: true),
        .init("weight", .number("That of the ranking times that of the terms behind it."), required: true),
        .init("share", .number("What it adds to the score: weight / (60 + rank), or all of it where it is the only one."), required: true),
    ])

    private static let cutoff = Schema.object(
        [
            .init("how", .string(among: ["auto", "given", "none"]), required: true),
            .init("threshold", .number("Pictures with less similarity are left out, but where every word stands in them.")),
            .init("because", .string("Why there is no threshold.")),
            .init("cut", .integer("Hits that were left out, among as many as were asked for."), required: true),
            .init("median", .number("Similarity of the query to a picture in the middle of the library.")),
            .init("spread", .number("Standard deviation of similarities of unrelated queries.")),
            .init("sample", .integer("Pictures that both were worked out from.")),
            .init("candidates", .integer("Pictures that could have been found.")),
            .init("false_share", .number("Most of the hits that would be as similar by chance.")),
        ], "Where hits ended before the limit; absent where no cut-off was asked for, and where no vectors answered.")

    private static let hits = Schema.object([
        .init("hits", .array(.named("Hit")), required: true), .init("count", .integer(), required: true),
        .init("model", .string("Whose vectors answered.")),
        .init("words_as_text_because", .string("Why words were only looked up in titles, tags and names.")),
        .init("cutoff", cutoff),
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
