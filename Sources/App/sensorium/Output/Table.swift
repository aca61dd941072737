/// Columns for people.
struct Table {
    enum Alignment { case left, right }

    struct Column {
        var title: String
        var alignment = Alignment.left
        /// The column that gives way when the table is wider than the terminal: cut at its front or its end.
        var gives: Giving = .never
        enum Giving { case never, front, end }
    }

    var columns: [Column]
    var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ row: [String]) { rows.append(row.map(TextWidth.printable)) }

    /// - Parameter width: columns of the terminal; nil for no limit.
    func lines(width: Int?, colors: Bool) -> [String] {
        let widths = fitted(to: width)
        let header = line(columns.map(\.title), widths)
        return [Style.dim.apply(header, colors)] + rows.map { line($0, widths) }
    }

    private func fitted(to width: Int?) -> [Int] {
        var widths = columns.indices.map { place in
            (rows.map { TextWidth.of($0[place]) } + [TextWidth.of(columns[place].title)]).max() ?? 0
        }
        guard let width else { return widths }
        var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
        while excess > 0,
            let place = columns.indices.filter({ columns[$0].gives != .never && widths[$0] > 12 }).max(by: { widths[$0] < widths[$1] })
        {
            let cut = min(excess, max(1, (widths[place] - 12) / 2))
            widths[place] -= cut
            excess -= cut
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let parts = zip(columns, zip(cells, widths)).map { column, cell in
            let text = column.gives == .front ? TextWidth.cutFront(cell.0, to: cell.1) : TextWidth.cut(cell.0, to: cell.1)
            return column.alignment == .left ? TextWidth.padded(text, to: cell.1) : TextWidth.paddedFront(text, to: cell.1)
        }
        var line = parts.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }
}
