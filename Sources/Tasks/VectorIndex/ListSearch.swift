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
    /// Lists that are looked at in their order: some before there is a score to compare bounds with, and some more.
    private static let stages = [8, 56]
    /// Rows whose 8-bit codes are fetched from memory together.
    private static let together = 16
    /// Vectors that are fetched ahead of the one that is scored.
    private static let ahead = 4

    private let search: ListSearch
    private var query: ListQuery
    private var rows: CandidateRows
    private var places: [Int32]
    private var uppers: [Float]
    private var visited: [Bool]
    /// A list was not what its checksum says.
    private var damaged = false

    init(_ search: ListSearch) {
        self.search = search
        query = ListQuery(search.lists)
        rows = CandidateRows(search, capacity: ListWork.together)
        let longest = (search.lists.longest + 31) / 32 * 32, count = search.lists.header.listCount
        places = [Int32](repeating: 0, count: max(longest, count))
        uppers = [Float](repeating: 0, count: longest)
        visited = [Bool](repeating: false, count: count)
    }

    mutating func answer(_ number: Int) throws(IndexError) -> TopK? {
        let queries = search.scan.queries, header = search.lists.header, settings = search.settings
        let scale = ListQuery.scale(header, squaredLength: queries.squaredLengths[number])
        queries.withQuery(number) { query.prepare($0, scale: scale) }
        query.arrange(reach: settings.ordering)
        rows.begin(query, number, scale: scale, k: settings.k, pool: settings.pool)
        try visitLists()
        try tail()
        if damaged { return nil }
        var answer = TopK(settings.k)
        let pool = rows.pool.items, snapshot = search.scan.snapshot
        for (place, candidate) in pool.enumerated() {
            // Vectors lie anywhere: memory is asked for those to come.
            for next in (place == 0 ? 0 : place + ListWork.ahead)..<(place + ListWork.ahead + 1) where next < pool.count {
                sn_fetch(snapshot.pointer(pool[next].row), snapshot.settings.rowBytes)
            }
            try snapshot.checkRow(candidate.row)
            answer.offer(search.scan.scored(number, candidate))
        }
        return answer
    }

    /// Looks at lists, as far as their bounds reach the threshold: at the first ones in their order, because they hold most of the
    /// answer, then at the others as they lie, each with the reach that goes with about its place in the order.
    private mutating func visitLists() throws(IndexError) {
        let settings = search.settings, kernels = sn_vectors().pointee, count = query.order.count
        for list in visited.indices { visited[list] = false }
        var seen = 0
        for together in ListWork.stages {
            var limit = max(rows.threshold, -.greatestFiniteMagnitude)
            if rows.threshold > -.infinity { query.bound(reach: settings.reach(after: seen)) }
            let bounds = rows.threshold > -.infinity ? query.bounds : query.order
            let found = kernels.at_least(bounds, &limit, 0, count, &places), some = next(together, of: found)
            for (place, list) in some.enumerated() {
                visited[list] = true
                if query.bound(list, reach: settings.reach(after: seen)) < rows.threshold { continue }
                try visit(list, next: place + 1 < some.count ? some[place + 1] : nil)
                seen += 1
            }
            try rows.flush()
        }
        try visitRest(after: seen)
    }

    private mutating func visitRest(after seen: Int) throws(IndexError) {
        let settings = search.settings, kernels = sn_vectors().pointee
        var limit = max(rows.threshold, -.greatestFiniteMagnitude)
        query.bound(reach: settings.reach(after: seen))
        let found = kernels.at_least(query.bounds, &limit, 0, query.bounds.count, &places)
        let ranks = ListRanks(query.order, settings)
        var rest: [Int] = []
        for place in 0..<found {
            let list = Int(places[place])
            if !visited[list], query.bound(list, reach: ranks.reach(query.order[list])) >= limit { rest.append(list) }
        }
        for (place, list) in rest.enumerated() {
            if query.bound(list, reach: ranks.reach(query.order[list])) < rows.threshold { continue }
            try visit(list, next: place + 1 < rest.count ? rest[place + 1] : nil)
        }
        try rows.flush()
    }

    /// Of lists that were found, those that come first and haven't been looked at.
    private func next(_ wanted: Int, of found: Int) -> [Int] {
        if wanted >= found { return (0..<found).compactMap { visited[Int(places[$0])] ? nil : Int(places[$0]) } }
        var best = TopK(wanted)
        for place in 0..<found {
            let list = Int(places[place])
            if query.order[list] >= best.threshold, !visited[list] {
                best.offer(Candidate(score: query.order[list], id: Int64(list), row: list))
            }
        }
        return best.sorted.map(\.row)
    }

    private mutating func visit(_ list: Int, next: Int?) throws(IndexError) {
        let lists = search.lists, count = lists.entries[list].count
        if let kept = search.kept {
            for place in kept.places(list) { try rows.add(Int(kept.item(place))) }
            return
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
                spread: search.settings.errors * query.distance(list), threshold: rows.threshold,
                next: next.map { lists.start($0).assumingMemoryBound(to: UInt8.self) },
                next_bytes: next.map { (lists.entries[$0].count + 31) / 32 * lists.header.blockBytes } ?? 0)
            return kernels.bit_scan(&job, &places, &uppers)
        }
        for index in 0..<found where uppers[index] >= rows.threshold { try rows.add(lists.row(blocks, Int(places[index]))) }
    }

    /// Rows that came after the lists were made: from a whole block of rows on, so from a whole word of the mask.
    private mutating func tail() throws(IndexError) {
        let mask = search.scan.mask
        for word in search.lists.header.rows / 64..<mask.words.count {
            var bits = mask.words[word]
            while bits != 0 {
                try rows.add(word * 64 + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
        }
        try rows.flush()
    }
}

/// The reach that goes with a list's place in the order.
struct ListRanks {
    private let low: Float
    private let scale: Float
    private let reaches: [Float]

    init(_ order: [Float], _ settings: ListSettings) {
        var lowest = Float.infinity, highest = -Float.infinity
        for value in order where value > -.infinity {
            lowest = min(lowest, value)
            highest = max(highest, value)
        }
        low = lowest.isFinite ? lowest : 0
        scale = highest > lowest ? Float(SN_RANK_STEPS) / (highest - lowest) : 0
        var ranks = [UInt32](repeating: 0, count: Int(SN_RANK_STEPS))
        sn_list_ranks(order, order.count, low, scale, &ranks)
        reaches = ranks.map { settings.reach(after: Int($0)) }
    }

    func reach(_ order: Float) -> Float { reaches[sn_rank_step(order, low, scale)] }
}
