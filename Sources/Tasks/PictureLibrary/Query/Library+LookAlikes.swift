import GRDB
import Imaging
import Tensors
import VectorIndex

extension Library {
    /// Rows that are compared with all others at once.
    private static let comparedTogether = 256
    /// More would take minutes: the work grows with the square.
    public static let mostCompared = 20_000

    /// Pictures that look like an earlier one of the list: of each group of pictures connected by cosines of at least `threshold`, all
    /// but the first. Pictures without a vector in the active index have no group.
    /// - Parameter ids: Of files, best first; at most `mostCompared`.
    public func lookAlikes(among ids: [Int64], threshold: Float) throws(LibraryError) -> Set<Int64> {
        guard ids.count <= Self.mostCompared else { throw .badQuery(reason: "at most \(Self.mostCompared) pictures are compared") }
        guard let active = try database.read({ try $0.activeIdentity() }) else { return [] }
        let contents = try contents(of: ids)
        let index = try indexes.open(active)
        do {
            let stored = try index.vectors(ids: Set(contents.values).sorted())
            let rows = Dictionary(uniqueKeysWithValues: stored.ids.enumerated().map { ($1, $0) })
            let order = ids.compactMap { id in contents[id].flatMap { rows[$0] }.map { (id, $0) } }
            let leaders = try Self.leaders(stored.vectors, order.map(\.1), threshold)
            return Set(order.indices.filter { leaders[$0] != $0 }.map { order[$0].0 })
        } catch let error as IndexError {
            throw LibraryError(vectors: error, identity: active.identity, path: indexes.path(active))
        } catch {
            throw LibraryError(error, at: path.display)
        }
    }

    private func contents(of ids: [Int64]) throws(LibraryError) -> [Int64: Int64] {
        var found: [Int64: Int64] = [:]
        // SQLite takes a bounded number of values in a statement.
        for start in stride(from: 0, to: ids.count, by: 500) {
            let part = Array(ids[start..<min(start + 500, ids.count)])
            let sql =
                "SELECT id, content_id FROM file WHERE content_id IS NOT NULL AND id IN (\(part.map { _ in "?" }.joined(separator: ", ")))"
            for row in try database.read({
                try Row.fetchAll($0, sql: sql, arguments: StatementArguments(part)).map { ($0["id"] as Int64, $0["content_id"] as Int64) }
            }) {
                found[row.0] = row.1
            }
        }
        return found
    }

    /// For each place of `order` the first place of its group. `vectors` are unit vectors `[n, dimension]`.
    static func leaders(_ vectors: Tensor, _ order: [Int], _ threshold: Float) throws -> [Int] {
        let count = order.count
        var leader = Array(0..<count)
        func root(_ place: Int) -> Int {
            var place = place
            while leader[place] != place {
                leader[place] = leader[leader[place]]
                place = leader[place]
            }
            return place
        }
        guard count > 1 else { return leader }
        let sorted = try Tensor.stacked(order.map { try vectors.sliced(0, $0..<$0 + 1).reshaped([vectors.dim(1)]) })  // [count, dimension]
        for start in stride(from: 0, to: count, by: comparedTogether) {
            let rows = min(count - start, comparedTogether), width = count - start
            // With themselves and with what follows: each pair is looked at once.
            let later = try sorted.sliced(0, start..<count).transposed()
            let cosines = try sorted.sliced(0, start..<start + rows).matmul(later)  // [rows, width]
            cosines.withElements(Float.self) { cosines in
                for row in 0..<rows {
                    visit(cosines, row * width + row + 1..<(row + 1) * width, atLeast: threshold) { place in
                        let (a, b) = (root(start + row), root(start + place - row * width))
                        leader[max(a, b)] = min(a, b)
                    }
                }
            }
        }
        return (0..<count).map(root)
    }

    /// Tells the places in `range` whose values reach `least`. Almost none does, so a stretch is looked at as a whole first.
    private static func visit(
        _ values: UnsafeBufferPointer<Float>, _ range: Range<Int>, atLeast least: Float, _ body: (Int) -> Void
    ) {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 256) {
            let stretch = start..<min(start + 256, range.upperBound)
            var hits: Int32 = 0
            for place in stretch { hits &+= values[place] >= least ? 1 : 0 }
            guard hits > 0 else { continue }
            for place in stretch where values[place] >= least { body(place) }
        }
    }
}
