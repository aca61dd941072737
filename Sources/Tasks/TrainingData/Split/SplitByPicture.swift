import Imaging
import Synchronization
import Tensors

/// A picture that is to be put on one side of a split.
public struct SplitItem: Sendable, Equatable {
    /// Of the sample.
    public var id: String
    /// Of the picture's file: decides the side, so that names and order don't.
    public var content: ContentHash
    /// nil where the picture couldn't be decoded.
    public var look: PerceptualHash?

    public init(id: String, content: ContentHash, look: PerceptualHash? = nil) {
        self.id = id
        self.content = content
        self.look = look
    }
}

/// The two sides: indices of items in increasing order.
public struct PictureSplit: Sendable, Equatable {
    public var train: [Int]
    public var test: [Int]
    /// Near-duplicates that were kept together, each group of at least two.
    public var groups: [[Int]]
}

/// Splits by picture: all captions of a picture lie on one side, and near-duplicates with it. A picture's side follows from its content,
/// so adding others moves none, unless they are near-duplicates of it.
public struct SplitByPicture: Sendable, Equatable {
    public let testShare: Double
    /// Another salt is another split.
    public let salt: String
    public let duplicates: NearDuplicates

    public init(testShare: Double, salt: String = "", duplicates: NearDuplicates = NearDuplicates()) throws(DataError) {
        guard (0...1).contains(testShare) else {
            throw DataError("split", field: "test share", "a number from 0 to 1 is expected, found \(testShare)")
        }
        self.testShare = testShare
        self.salt = salt
        self.duplicates = duplicates
    }

    /// - Parameters:
    ///   - embeddings: f32 `[items, width]`: near-duplicates are found by their cosine too.
    ///   - frozen: a test side that was written down. Then nothing else enters it but near-duplicates of what it holds, and nothing leaves.
    /// Throws when an identifier stands there twice, and when the numbers of items and embeddings differ.
    public func divide(_ items: [SplitItem], embeddings: Tensor? = nil, frozen: TestSide? = nil) throws(DataError) -> PictureSplit {
        var seen: [String: Int] = [:]
        for (index, item) in items.enumerated() where seen.updateValue(index, forKey: item.id) != nil {
            throw DataError("split", field: "identifier", "\"\(item.id.prefix(60))\" stands there twice")
        }
        if let embeddings, embeddings.shape.first != items.count {
            throw DataError("split", field: "embeddings", "\(embeddings.shape) for \(items.count) pictures")
        }
        var groups = duplicates.groups(items.map(\.look))
        var byContent: [ContentHash: Int] = [:]
        for (index, item) in items.enumerated() {
            groups.join(byContent[item.content, default: index], index)
            byContent[item.content] = index
        }
        if let embeddings {
            var others = try duplicates.groups(embeddings: embeddings)
            for group in others.members() { for index in group { groups.join(group[0], index) } }
        }
        var split = PictureSplit(train: [], test: [], groups: [])
        for group in groups.members() {
            let goesToTest =
                frozen.map { side in group.contains { side.ids.contains(items[$0].id) } } ?? isTest(group.map { items[$0].content })
            if goesToTest { split.test += group } else { split.train += group }
            if group.count > 1 { split.groups.append(group) }
        }
        split.train.sort()
        split.test.sort()
        return split
    }

    /// The member with the smallest hash speaks for its group: the share of groups on the test side is then that of pictures.
    private func isTest(_ contents: [ContentHash]) -> Bool {
        guard let first = contents.min(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) else { return false }
        let digest = ContentHash(of: Array(salt.utf8) + [0] + first.bytes)
        let place = digest.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(place >> 11) * 0x1p-53 < testShare
    }

    /// Reads every picture of a source and says what it looks like. A picture that can't be read is in the problems and not among the items;
    /// `indices` are the samples of the items.
    public static func items(
        of source: any IndexedSource, limits: DataLimits = DataLimits()
    ) -> (items: [SplitItem], indices: [Int], problems: DataProblems) {
        let results = Mutex([Result<SplitItem, DataError>?](repeating: nil, count: source.count))
        ThreadPool.parallelFor(source.count) { range in
            for index in range {
                let result = Result { () throws(DataError) in try item(source.sample(index), limits) }
                results.withLock { $0[index] = result }
            }
        }
        var items: [SplitItem] = [], indices: [Int] = [], problems = DataProblems()
        for (index, result) in results.withLock({ $0 }).enumerated() {
            switch result {
            case let .success(item):
                items.append(item)
                indices.append(index)
            case let .failure(error): problems.add(error)
            case nil: continue
            }
        }
        return (items, indices, problems)
    }

    private static func item(_ sample: Sample, _ limits: DataLimits) throws(DataError) -> SplitItem {
        let bytes = try sample.pictureBytes(limit: limits.picture.fileBytes)
        do throws(PictureError) {
            let picture = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: 64, limits: limits.picture)
            return SplitItem(id: sample.id, content: ContentHash(of: bytes), look: try PerceptualHash(picture))
        } catch {
            throw DataError(sample.place, error.reasonText)
        }
    }
}
