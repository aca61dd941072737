import Foundation
import Imaging

/// What the library tells of itself, as JSON objects: the command line and the service give the same.
extension JSONLine {
    public init(_ hit: SearchHit) {
        self.init()
        add("rank", hit.rank)
        add("id", Int(hit.id))
        add("score", hit.score)
        add("path", hit.path)
        add("title", hit.title)
        add("width", hit.width)
        add("height", hit.height)
        add("similarity", hit.similarity)
        add("vector_rank", place: hit.vectorRank)
        add("text_rank", place: hit.textRank)
        add("text_score", hit.textScore)
        add("read_rank", place: hit.readRank)
        add("read_line", hit.readLine)
        add("color_score", hit.colorScore)
        add("color_rank", place: hit.colorRank)
        if !hit.copies.isEmpty { add("copies", hit.copies.map(\.display)) }
        if !hit.shares.isEmpty { add("rankings", hit.shares.map { JSONLine($0) }) }
    }

    /// Where hits ended; `how` says which way the threshold came about.
    public init(_ report: CutoffReport) {
        self.init()
        add("how", report.threshold == nil ? "none" : report.calibration == nil ? "given" : "auto")
        add("threshold", report.threshold)
        add("because", report.reason)
        add("cut", report.cut)
        guard let calibration = report.calibration else { return }
        add("median", calibration.median)
        add("spread", calibration.spread)
        add("sample", calibration.sample)
        add("candidates", calibration.candidates)
        add("false_share", Background.falseShare)
    }

    private init(_ share: RankingShare) {
        self.init()
        add("by", share.ranking.rawValue)
        add("words", share.words)
        add("rank", place: share.rank)
        add("weight", share.weight)
        add("share", share.share)
    }

    /// A place that several share may lie between two.
    private mutating func add(_ name: String, place: Double?) {
        if let place, let whole = Int(exactly: place) { add(name, whole) } else { add(name, place) }
    }

    public init(_ status: LibraryStatus) {
        self.init()
        add("library", status.path)
        add("roots", status.roots.map(\.display))
        add("files", status.files)
        add("pictures", status.pictures)
        add("pictures_read", status.read)
        add("failed", status.failed)
        add("missing", status.missing)
        add("problems", status.problems)
        add("indexes", status.indexes.map { JSONLine($0) })
        add("catalogue_bytes", Int(status.catalogueBytes))
        add("last_run", status.lastRun?.outcome)
    }

    public init(_ facets: LibraryFacets) {
        self.init()
        func lines<Value>(_ counts: [LibraryFacets.Count<Value>], _ add: (inout JSONLine, Value) -> Void) -> [JSONLine] {
            counts.map { count in
                var line = JSONLine()
                add(&line, count.value)
                line.add("count", count.count)
                return line
            }
        }
        add("folders", lines(facets.folders) { $0.add("path", $1) })
        add("tags", lines(facets.tags) { $0.add("tag", $1) })
        add("formats", lines(facets.formats) { $0.add("format", $1) })
    }

    private init(_ index: LibraryStatus.Index) {
        self.init()
        add("model", index.identity.name)
        add("digest", index.identity.digest)
        add("dimension", index.identity.dimension)
        add("embeds_text", index.identity.embedsText)
        add("active", index.isActive)
        add("vectors", index.vectors)
        add("pending", index.pending)
        add("bytes", Int(index.bytes))
        add("address", index.address)
    }

    public init(_ entry: ProblemEntry) {
        self.init()
        add("path", entry.path)
        add("kind", entry.problem.kind.rawValue)
        add("reason", entry.problem.reason)
        add("time", entry.time.ISO8601Format())
        add("still_indexed", entry.isStillIndexed)
    }

    public init(_ info: PictureInfo) {
        self.init()
        add("id", Int(info.id))
        add("path", info.path)
        add("state", info.state)
        add("problem", info.problem?.kind.rawValue)
        add("reason", info.problem?.reason)
        add("size", Int(info.size))
        add("modified", info.modified.ISO8601Format())
        add("sha256", info.contentHash)
        add("format", info.format)
        add("width", info.width)
        add("height", info.height)
        add("taken", info.taken)
        add("make", info.make)
        add("model", info.model)
        add("latitude", info.latitude)
        add("longitude", info.longitude)
        add("title", info.title)
        add("description", info.description)
        add("tags", info.tags)
        add("colors", info.colors.map { JSONLine($0) })
        add("text_was_read", info.isRead)
        add("lines", info.lines.map { JSONLine($0) })
        add("embedders", info.embedders)
        add("copies", info.copies.map(\.display))
    }

    private init(_ line: ReadLine) {
        self.init()
        add("text", line.text)
        add("score", Double(line.score))
        add("corners", json: "[" + line.corners.map { "[\($0.x),\($0.y)]" }.joined(separator: ",") + "]")
    }

    private init(_ color: PictureInfo.DominantColor) {
        self.init()
        add("hex", color.hex)
        add("share", color.share)
    }

    /// Where an indexing run stands; `event` says what has just happened: `progress`, `done` or `cancelled`.
    public init(_ progress: IndexProgress, event: String = "progress") {
        self.init()
        add("event", event)
        add("found", progress.found)
        add("walking", progress.isWalking)
        add("embedded", progress.embedded)
        add("unchanged", progress.unchanged)
        add("duplicates", progress.duplicates)
        add("moved", progress.moved)
        add("failed", progress.failed)
        add("missing", progress.missing)
        add("unreachable", progress.unreachable)
        add("seconds", progress.elapsed)
        add("rate", progress.rate)
        add("remaining", progress.remaining)
    }

    public init(_ summary: IndexSummary) {
        self.init(summary.progress, event: summary.isCancelled ? "cancelled" : "done")
        add("active", summary.isActive)
        add("pending", summary.pending)
    }

    /// Where reading stands; `event` says what has just happened: `reading`, `read` or `reading_cancelled`.
    public init(_ progress: ReadingProgress, event: String = "reading") {
        self.init()
        add("event", event)
        add("read", progress.read)
        add("lines", progress.lines)
        add("failed", progress.failed)
        add("pending", progress.pending)
        add("seconds", progress.elapsed)
    }

    /// A file or folder that an indexing run couldn't take.
    public init(_ problem: FileProblem, of path: FilePath) {
        self.init()
        add("event", "problem")
        add("path", path)
        add("kind", problem.kind.rawValue)
        add("reason", problem.reason)
    }

    /// How far an export, an import or a move has come.
    public init(_ progress: TransferProgress) {
        self.init()
        add("event", "progress")
        add("done", progress.done)
        add("total", progress.total)
        add("seconds", progress.elapsed)
    }

    public init(_ summary: ImportSummary) {
        self.init()
        add("event", "done")
        add("rows", summary.rows)
        add("added", summary.added)
        add("replaced", summary.replaced)
        add("known", summary.known)
        add("found", summary.found)
        add("changed", summary.changed)
        add("active", summary.isActive)
        add("pending", summary.pending)
    }
}
