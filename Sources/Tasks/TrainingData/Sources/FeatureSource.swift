import Checkpoints
import Imaging
import Tensors

/// What a frozen encoder made of pictures, a row of a `.npy` for each: mapped, so the file may be larger than memory.
public struct FeatureSource: IndexedSource {
    public let path: String
    public let base: (any IndexedSource)?
    /// Shape of one sample's features.
    public let rowShape: [Int]
    private let features: Tensor
    private let labels: [Int]?
    /// Row of the sample, where rows are known by identifier.
    private let rowByID: [String: Int]?

    /// - Parameters:
    ///   - path: an array `[samples, ...]` of f32, f16 or f64.
    ///   - base: gives identifiers, captions and labels; its pictures aren't read. nil leaves samples with a number for a name.
    ///   - ids: a text file with the identifier of each row on a line; rows then belong to the samples with these identifiers. nil: row i
    ///     belongs to sample i.
    ///   - labels: a `.npy` of whole numbers `[samples]`, where there is no base.
    /// Throws when numbers of rows and samples differ, or a sample has no row.
    public init(
        path: String, base: (any IndexedSource)? = nil, ids: String? = nil, labels: String? = nil, limits: DataLimits = DataLimits()
    ) throws(DataError) {
        self.path = path
        self.base = base
        let features = try Self.array(path)
        guard features.rank >= 2, features.dtype.isFloatingPoint, features.shape.allSatisfy({ $0 > 0 }) else {
            throw DataError(
                path, "features [samples, ...] of a floating-point type are expected, found \(features.dtype) \(features.shape)")
        }
        self.features = features
        rowShape = Array(features.shape.dropFirst())
        rowByID = try ids.map { (file) throws(DataError) in try Self.rows(file, features.shape[0], path, limits) }
        self.labels = try labels.map { (file) throws(DataError) in
            let values = try Self.array(file)
            guard values.shape == [features.shape[0]], !values.dtype.isFloatingPoint, values.ints().allSatisfy({ $0 >= 0 }) else {
                throw DataError(file, "labels of shape [\(features.shape[0])], whole and not negative, are expected")
            }
            return values.ints()
        }
        var digest = Fingerprint()
        for size in features.shape { digest.add(size) }
        // Reading all of a large file to see whether it is the same would take longer than it is worth: the ends tell versions apart.
        for row in [0, features.shape[0] - 1] { (try? features.selected(0, row))?.withBytes { digest.add($0) } }
        fingerprint = "features-\(digest.text)" + (base.map { "-" + $0.fingerprint } ?? "")
        if ids == nil, let base, base.count != features.shape[0] {
            throw DataError(
                path,
                "\(features.shape[0]) rows for the \(base.count) samples of \(base.path): make one row for each, or say whose they are")
        }
    }

    private static func array(_ path: String) throws(DataError) -> Tensor {
        try reading(path) { () throws(CheckpointError) in try NumpyFile(path: path).tensor() }
    }

    private static func rows(_ file: String, _ count: Int, _ path: String, _ limits: DataLimits) throws(DataError) -> [String: Int] {
        let text = try InputFile.text(FilePath(file), limit: limits.documentBytes)
        let names = text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline)
        guard names.count == count else { throw DataError(file, "\(names.count) identifiers for the \(count) rows of \(path)") }
        var rows: [String: Int] = [:]
        for (row, name) in names.enumerated() where rows.updateValue(row, forKey: String(name)) != nil {
            throw DataError(file, line: row + 1, "\"\(name.prefix(60))\" stands there twice")
        }
        return rows
    }

    public var count: Int { base?.count ?? features.shape[0] }
    public var classNames: [String] { base?.classNames ?? [] }
    public var problems: DataProblems { base?.problems ?? DataProblems() }

    public let fingerprint: String

    public func id(_ index: Int) throws(DataError) -> String { try base?.id(index) ?? String(index) }

    public func sample(_ index: Int) throws(DataError) -> Sample {
        var sample = try base?.sample(index) ?? Sample(id: String(index), picture: .bytes([], name: path))
        var row = index
        if let rowByID {
            guard let found = rowByID[sample.id] else { throw DataError(path, "no row for sample \"\(sample.id.prefix(60))\"") }
            row = found
        }
        do throws(TensorError) {
            sample.picture = .features(try features.selected(0, row))
        } catch {
            throw DataError(path, "\(error)")
        }
        if let labels { sample.label = labels[row] }
        return sample
    }
}
