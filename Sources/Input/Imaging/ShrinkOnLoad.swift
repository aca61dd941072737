/// How far a decoder may shrink a picture while it decodes.
enum ShrinkOnLoad {
    /// The shorter side of what is decoded stays at least this many times the shortest useful side.
    static let margin = 2

    /// The largest of libjpeg's factors 8, 4, 2 and 1 that keeps the margin.
    static func jpeg(width: Int, height: Int, useful: Int?) -> Double {
        guard let useful else { return 1 }
        let short = Double(min(width, height))
        return [8.0, 4, 2].first { short / $0 >= Double(margin * useful) } ?? 1
    }
}
