import CKernels
import Synchronization
import Tensors

/// A search through lists, for many queries: each is answered by one thread, on its own.
struct ListSearch: Sendable {
    let scan: Scan
    let lists: Lists
    let codes: CodeMaps?
    let settings: ListSettings
    /// The rows that pass a narrow filter, by list; nil where codes are scanned and rows left out afterwards.
    let kept: Groups?

    /// The best `k` for each query; nil where a list turns out to be damaged.
    func answers() throws(IndexError) -> [TopK]? {
        let results = Mutex([TopK?](repeating: nil, count: scan.queries.count)), failure = Failure()
        ThreadPool.parallelFor(scan.queries.count) { range in
            var work = ListWork(self)
            for number in range {
                do throws(IndexError) {
                    guard let answer = try work.answer(number) else { break }
                    results.withLock { $0[number] = answer }
                } catch { failure.keep(error) }
            }
        }
        try failure.rethrow()
        let all = results.withLock { $0 }.compactMap { $0 }
        return all.count == scan.queries.count ? all : nil
    }
}

/// One thread's search: memory that it uses again for each query.
struct ListWork: ~Copyable {
    /// Lists that are looked at before there is a score to compare their bounds with.
    private static let first = 8
    /// Rows whose 8-bit codes are fetched from memory together.
    private static let together = 32

    private let search: ListSearch
    private var query: ListQuery
    private var rows: CandidateRows
    private var places: [Int32]
    private var uppers: [Float]
    private var order: [UInt64] = []
    private var visited: [Bool]
    /// A list was not what its checksum says.
    private var damaged = false

    init(_ search: ListSearch) {
        self.search = search
        query = ListQuery(search.lists)
        rows = CandidateRows(search, capacity: ListWork.together)
        let longest = ((search.lists.entries.map(\.count).max() ?? 0) + 31) / 32 * 32, count = search.lists.header.listCount
        places = [Int32](repeating: 0, count: max(longest, count))
        uppers = [Float](repeating: 0, count: longest)
        visited = [Bool](repeating: false, count: count)
    }

    mutating func answer(_ number: Int) throws(IndexError) -> TopK? {
        let queries = search.scan.queries, header = search.lists.header, settings = search.settings
        let scale = ListQuery.scale(header, squaredLength: queries.squaredLengths[number])
        queries.withQuery(number) { query.prepare($0, scale: scale) }
        query.bound(reach: settings.ordering)
        rows.begin(query, number, scale: scale, k: settings.k, pool: settings.pool)
        for list in nearest() { try visit(list) }
        try visitRest()
        try tail()
        if damaged { return nil }
        var answer = TopK(settings.k)
        for candidate in rows.pool.items {
            try search.scan.snapshot.checkRow(candidate.row)
            answer.offer(search.scan.scored(number, candidate))
        }
        return answer
    }

    /// The first lists in their order.
    private mutating func nearest() -> [Int] {
        for list in visited.indices { visited[list] = false }
        var best = TopK(ListWork.first)
        let bounds = query.bounds
        for list in bounds.indices where bounds[list] > best.threshold || !best.isFull {
            best.offer(Candidate(score: bounds[list], id: Int64(list), row: list))
        }
        let lists = best.sorted.filter { $0.score > -.infinity }.map(\.row)
        for list in lists { visited[list] = true }
        return lists
    }

    /// The others, as far as their bounds reach the threshold.
    private mutating func visitRest() throws(IndexError) {
        let settings = search.settings, kernels = sn_vectors().pointee
        var limit = max(rows.threshold, -.greatestFiniteMagnitude), seen = ListWork.first, reach = settings.reach(after: seen)
        query.bound(reach: reach)
        let found = kernels.at_least(query.bounds, &limit, 0, query.bounds.count, &places)
        var lists: [UInt64] = []
        for place in 0..<found where !visited[Int(places[place])] {
            lists.append(ListWork.key(query.bound(Int(places[place]), reach: settings.ordering), UInt32(places[place])))
        }
        lists.sort(by: >)
        for key in lists {
            let list = Int(UInt32(truncatingIfNeeded: key))
            if query.bound(list, reach: reach) < rows.threshold { continue }
            try visit(list)
            seen += 1
            reach = settings.reach(after: seen)
        }
    }

    /// Orders first by score, as whole numbers compare.
    private static func key(_ score: Float, _ place: UInt32) -> UInt64 {
        let bits = score.bitPattern
        return UInt64(bits >> 31 == 1 ? ~bits : bits | 0x8000_0000) << 32 | UInt64(place)
    }

    private mutating func visit(_ list: Int) throws(IndexError) {
        let lists = search.lists, count = lists.entries[list].count
        if let kept = search.kept {
            for row in kept[list] { try rows.add(Int(row)) }
            return try rows.flush()
        }
        guard let blocks = lists.blocks(list) else {
            damaged = true
            return
        }
        let kernels = sn_vectors().pointee
        let found = query.tables.withUnsafeBufferPointer { tables in
            var job = sn_bit_scan(
                blocks: blocks.assumingMemoryBound(to: UInt8.self), count: count, groups: lists.rotation.groups,
                tables: tables.baseAddress!, step: query.step, bias: query.bias, base: query.base(list),
                spread: search.settings.errors * query.distance(list), threshold: rows.threshold)
            return kernels.bit_scan(&job, &places, &uppers)
        }
        if found <= ListWork.together {
            for index in 0..<found { try rows.add(lists.row(blocks, Int(places[index]))) }
            return try rows.flush()
        }
        // Many: the best first, because they raise the threshold for the others.
        order.removeAll(keepingCapacity: true)
        for index in 0..<found { order.append(ListWork.key(uppers[index], UInt32(index))) }
        order.sort(by: >)
        for key in order {
            let index = Int(UInt32(truncatingIfNeeded: key))
            if uppers[index] < rows.threshold { break }
            try rows.add(lists.row(blocks, Int(places[index])))
        }
        try rows.flush()
    }

    /// Rows that came after the lists were made.
    private mutating func tail() throws(IndexError) {
        for row in search.lists.header.rows..<max(search.lists.header.rows, search.scan.snapshot.commit.rows) { try rows.add(row) }
        try rows.flush()
    }
}
