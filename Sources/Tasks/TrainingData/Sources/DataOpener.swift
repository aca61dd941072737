import Imaging

/// How a data set of any known format is opened.
public struct DataOptions: Sendable, Equatable {
    public var columns = TableColumns()
    /// Of texts that carry no tag of their own.
    public var language: String?
    /// Folder that relative paths of pictures begin in; nil is that of the file.
    public var root: String?
    /// Of a folder of pictures.
    public var layout: FolderSource.Layout?
    /// Of COCO documents in Karpathy's form.
    public var split: String?
    public var limits = DataLimits()

    public init() {}
}

/// Opens data sets by what they look like.
public enum DataOpener {
    /// - Parameter path: a folder (of pictures, of `.tar` or `.parquet` shards, or with one `*_imgs.tsv`), a csv, tsv or jsonl table,
    ///   several tables with a comma between them, a COCO `.json`, a `.npy`, a `.tar`, a `.parquet` or names of shards with braces.
    public static func open(_ path: String, _ options: DataOptions = DataOptions()) throws(DataError) -> any SampleSource {
        guard !path.isEmpty else { throw DataError("data", "the name of a file or folder is expected, found nothing") }
        if FolderListing.isFolder(path) { return try folder(path, options) }
        let name = path.lowercased()
        if WebDatasetSource.isShard(name) || name.contains("::") && !ParquetSource.isShard(name) {
            return try WebDatasetSource(path: path, limits: options.limits)
        }
        if name.hasSuffix("_imgs.tsv") {
            return try ChineseCLIPSource(pictures: path, language: options.language ?? "zh", limits: options.limits)
        }
        if name.hasSuffix(".json") {
            return try COCOSource(
                path: path, pictures: options.root, split: options.split, language: options.language ?? "en", limits: options.limits)
        }
        if name.hasSuffix(".npy") { return try FeatureSource(path: path, limits: options.limits) }
        if ParquetSource.isShard(name) { return try parquet(path, options) }
        return try table(path, options)
    }

    private static func folder(_ path: String, _ options: DataOptions) throws(DataError) -> any SampleSource {
        let names = try FolderListing.list(FilePath(path)).files.map { String(decoding: $0, as: UTF8.self) }
        if names.contains(where: WebDatasetSource.isShard) { return try WebDatasetSource(path: path, limits: options.limits) }
        let pictures = names.filter { $0.hasSuffix("_imgs.tsv") }
        if pictures.count == 1 {
            let file = FileName.resolve(pictures[0], in: path).description
            return try ChineseCLIPSource(pictures: file, language: options.language ?? "zh", limits: options.limits)
        }
        guard pictures.isEmpty else {
            throw DataError(path, "\(pictures.count) files end with _imgs.tsv: name the one to take, such as \(pictures[0])")
        }
        if names.contains(where: ParquetSource.isShard) { return try parquet(path, options) }
        return try FolderSource(path: path, layout: options.layout, limits: options.limits)
    }

    private static func table(_ path: String, _ options: DataOptions) throws(DataError) -> any SampleSource {
        let tables = path.split(separator: ",").map { TableSource.Table($0.trimmingSpace, language: options.language) }
        for table in tables {
            guard TableFormat(suffix: FileName.split(Array(table.path.utf8)).suffix) != nil else {
                throw DataError(
                    table.path,
                    "no such folder, and no format by this name: csv, tsv, jsonl, json (COCO), tar, tar.gz, parquet and npy are read")
            }
        }
        return try TableSource(tables, columns: options.columns, root: options.root, limits: options.limits)
    }

    private static func parquet(_ path: String, _ options: DataOptions) throws(DataError) -> ParquetSource {
        try ParquetSource(
            path: path, columns: options.columns, root: options.root, language: options.language, limits: options.limits)
    }
}
