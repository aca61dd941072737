import Checkpoints
import Foundation
import Tensors

/// Pictures by what a frozen tower gave for them, with texts in several languages: a few hundred megabytes that training reads again and
/// again instead of the pictures.
public struct FeatureSet: Sendable {
    /// `[pictures, ...]`, mapped: what the tower gave for the pictures, and for other views of them (mirrored, cropped), of which one is
    /// drawn each time.
    public let views: [Tensor]
    /// For each picture its texts by language.
    public let captions: [[String: [String]]]
    /// How often a picture is drawn beside those of other sets.
    public let weight: Float
    public let name: String
    /// A teacher's vectors, `[pictures, width]`: none, one for all views, or one for each.
    public let teachers: [Tensor]

    public var count: Int { captions.count }

    /// - Parameters:
    ///   - name: in scores and messages; that of the file where nil.
    ///   - features: `.npy` files of one shape, a file for each view, whose row i belongs to line i of `captions`.
    ///   - teachers: `.npy` files of as many rows: none, one, or one for each view.
    ///   - captions: a `.jsonl` file: `{"file": ..., "captions": {"en": [...], "zh": [...]}}`, or `"captions": [...]`, whose language is
    ///     then `language`.
    ///   - isKept: which lines belong to this set, by the file named in them.
    public init(
        name: String?, features paths: [String], teachers: [String] = [], captions file: String, language: String, weight: Float,
        isKept: (String) -> Bool
    ) throws {
        guard let data = FileManager.default.contents(atPath: file), data.count <= 1 << 30 else {
            throw TrainingError.data("\(file): it can't be read")
        }
        var kept: [Int64] = [], captions: [[String: [String]]] = [], line = 0
        for text in data.split(separator: UInt8(ascii: "\n")) {
            let value = try JSONValue.parse(String(decoding: text, as: UTF8.self), file: "\(file) line \(line + 1)")
            defer { line += 1 }
            guard isKept(value["file"]?.string ?? value["image"]?.string ?? "") else { continue }
            var byLanguage: [String: [String]] = [:]
            if let list = value["captions"]?.array { byLanguage[language] = list.compactMap(\.string) }
            for (key, list) in value["captions"]?.object ?? [:] { byLanguage[key] = (list.array ?? []).compactMap(\.string) }
            byLanguage = byLanguage.filter { !$0.value.isEmpty }
            guard !byLanguage.isEmpty else { continue }
            kept.append(Int64(line))
            captions.append(byLanguage)
        }
        guard !captions.isEmpty else { throw TrainingError.data("\(file): no line of it has a caption and is kept") }
        guard !paths.isEmpty, teachers.count <= 1 || teachers.count == paths.count else {
            throw TrainingError.data(
                "\(file): \(paths.count) files of features and \(teachers.count) of a teacher; none, one, or one each is expected")
        }
        self.captions = captions
        self.weight = weight
        let rows = try Tensor(kept, [kept.count])
        func read(_ paths: [String], _ isFit: (Tensor) -> Bool) throws -> [Tensor] {
            var arrays: [Tensor] = []
            for path in paths {
                let array = try NumpyFile(path: path).tensor()
                guard isFit(array), array.dim(0) == line, array.shape == arrays.first?.shape ?? array.shape else {
                    throw TrainingError.data("\(path): shape \(array.shape), a row for each of the \(line) lines of \(file) is expected")
                }
                arrays.append(array)
            }
            return kept.count == line ? arrays : try arrays.map { try $0.gathered(rows) }
        }
        views = try read(paths) { $0.rank >= 2 }
        self.teachers = try read(teachers) { $0.rank == 2 }
        self.name = name ?? ((file as NSString).lastPathComponent as NSString).deletingPathExtension
    }

    private init(_ other: FeatureSet, captions: [[String: [String]]]) {
        (views, teachers, weight, name) = (other.views, other.teachers, other.weight, other.name)
        self.captions = captions
    }

    /// This set with more texts for the same pictures, from another file of captions.
    public func adding(captions other: FeatureSet) throws -> FeatureSet {
        guard other.count == count else {
            throw TrainingError.data("\(other.name): \(other.count) pictures, \(name) has \(count)")
        }
        return FeatureSet(self, captions: zip(captions, other.captions).map { $0.merging($1) { $0 + $1 } })
    }
}

/// Batches out of several sets, the first walked in epochs, the others drawn beside it; one text a language for each picture. Which
/// pictures and texts a step sees follows from the seed and the step alone, so that a restart needs nothing but the step.
public final class FeaturePairSupply: PairSupply {
    private let sets: [FeatureSet]
    private let batchSize, parts, textsPerLanguage: Int
    private let others: Float
    private let seed: UInt64
    private var order: (epoch: Int, places: [Int]) = (-1, [])

    /// - Parameters:
    ///   - others: the share of a batch that comes from the sets behind the first.
    ///   - texts: of one language that a picture shows at a time.
    public init(_ sets: [FeatureSet], batchSize: Int, parts: Int, others: Float, texts: Int, seed: UInt64) throws {
        guard let first = sets.first, first.count > 1 else { throw TrainingError.data("there are no pictures to train on") }
        guard Set(sets.map(\.teachers.isEmpty)).count == 1 else {
            throw TrainingError.data("a teacher is given for some sets of pictures and not for others")
        }
        (self.sets, self.batchSize, self.parts, self.others, textsPerLanguage) = (sets, batchSize, parts, others, texts)
        self.seed = seed
    }

    public var texts: [String]? { sets.flatMap { $0.captions.flatMap { $0.values.joined() } } }
    public var state: [String: Tensor] { [:] }
    public func restore(_ state: [String: Tensor]) throws {}

    public func batch(step: Int, part: Int) throws -> PairBatch {
        let beside = sets.count > 1 ? Int(Float(batchSize) * others) : 0
        let own = min(batchSize - beside, sets[0].count), index = step * parts + part
        let perEpoch = max(1, sets[0].count / own), epoch = index / perEpoch, place = index % perEpoch
        if order.epoch != epoch {
            var generator = RandomGenerator(seed: seed &* 0x9E37_79B9 &+ UInt64(epoch))
            order = (epoch, (0..<sets[0].count).shuffled(using: &generator))
        }
        var generator = RandomGenerator(seed: seed &* 0x85EB_CA6B &+ UInt64(index) &+ 1 << 40)
        var chosen = order.places[place * own..<min(place * own + own, sets[0].count)].map { (set: 0, row: $0) }
        chosen += drawn(beside, &generator)
        return try batch(of: chosen, name: "epoch \(epoch + 1), batch \(place + 1) of \(perEpoch)", &generator)
    }

    /// Different pictures of the sets behind the first, each set by its size times its weight.
    private func drawn(_ count: Int, _ generator: inout RandomGenerator) -> [(set: Int, row: Int)] {
        guard count > 0 else { return [] }
        let shares = sets.dropFirst().map { Float($0.count) * $0.weight }, total = shares.reduce(0, +)
        var seen: Set<[Int]> = [], found: [(set: Int, row: Int)] = []
        for _ in 0..<count {
            var rest = generator.uniform() * total, set = 1
            while set < sets.count - 1, rest >= shares[set - 1] {
                rest -= shares[set - 1]
                set += 1
            }
            let row = Int(generator.next() % UInt64(sets[set].count))
            if seen.insert([set, row]).inserted { found.append((set, row)) }
        }
        return found
    }

    private func batch(of chosen: [(set: Int, row: Int)], name: String, _ generator: inout RandomGenerator) throws -> PairBatch {
        var owners: [Int] = [], texts: [String] = [], rows: [Tensor] = [], taught: [Tensor] = [], identities: [Int] = []
        let starts = sets.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        for (place, one) in chosen.enumerated() {
            let set = sets[one.set], view = set.views.count > 1 ? Int(generator.next() % UInt64(set.views.count)) : 0
            rows.append(try set.views[view].selected(0, one.row))
            if !set.teachers.isEmpty { taught.append(try set.teachers[min(view, set.teachers.count - 1)].selected(0, one.row)) }
            identities.append(starts[one.set] + one.row)
            for (_, list) in set.captions[one.row].sorted(by: { $0.key < $1.key }) {
                for text in list.shuffled(using: &generator).prefix(textsPerLanguage) {
                    texts.append(text)
                    owners.append(place)
                }
            }
        }
        return PairBatch(
            pictures: .features(try Tensor.stacked(rows).asType(.f32)), owners: owners, texts: texts, identities: identities,
            taught: taught.isEmpty ? nil : Taught(pictures: try Tensor.stacked(taught).asType(.f32)), name: name)
    }
}
