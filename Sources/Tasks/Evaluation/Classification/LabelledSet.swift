import Foundation

/// Pictures and the class of each.
public struct LabelledSet: Sendable, Equatable {
    /// Paths of pictures; numbers of rows where the set labels an array.
    public let items: [String]
    /// A class for each item.
    public let labels: [Int]
    public let classes: [String]

    /// Throws for an empty set and for a label that is no class.
    public init(items: [String], labels: [Int], classes: [String]) throws(EvaluationError) {
        guard items.count == labels.count else { throw .unusable("\(items.count) pictures, but \(labels.count) labels") }
        guard !items.isEmpty else { throw .unusable("the data set holds no pictures") }
        if let bad = labels.first(where: { !classes.indices.contains($0) }) {
            throw .unusable("class \(bad) of \(classes.count)")
        }
        (self.items, self.labels, self.classes) = (items, labels, classes)
    }

    private static let extensions: Set<String> = [
        "jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp", "gif", "svg", "avif", "heic", "heif",
    ]

    /// Pictures of a folder and those beneath it, by name; what is hidden is left out.
    public static func pictures(in folder: String) -> [String] {
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: folder) else { return [] }
        return names.filter { name in
            let parts = name.split(separator: "/")
            guard let last = parts.last, !parts.contains(where: { $0.hasPrefix(".") }) else { return false }
            let pieces = last.split(separator: ".")
            return pieces.count > 1 && extensions.contains(pieces[pieces.count - 1].lowercased())
        }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.map { folder + "/" + $0 }
    }

    /// A folder for each class, named by it, in the order of their names (torchvision's ImageFolder).
    public init(folder: String) throws(EvaluationError) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw .data(file: folder, line: nil, problem: "no such folder; a folder with one folder for each class is expected")
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { name in
            var isFolder: ObjCBool = false
            return !name.hasPrefix(".") && FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder)
                && isFolder.boolValue
        }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        var items: [String] = [], labels: [Int] = []
        for (label, name) in names.enumerated() {
            let found = Self.pictures(in: folder + "/" + name)
            guard !found.isEmpty else { throw .data(file: folder + "/" + name, line: nil, problem: "the class has no pictures") }
            items += found
            labels += [Int](repeating: label, count: found.count)
        }
        guard !names.isEmpty else {
            throw .data(file: folder, line: nil, problem: "there are no folders in it; one for each class, named by it, is expected")
        }
        try self.init(items: items, labels: labels, classes: names)
    }

    /// Lines of text: `picture<TAB>class`, or for the rows of an array (`rows`) a class alone. Classes are ordered by name, whole
    /// numbers by value, unless `classes` gives them.
    public init(
        lines bytes: [UInt8], file: String, rows: Bool, classes known: [String]? = nil
    ) throws(EvaluationError) {
        var items: [String] = [], names: [String] = []
        for (number, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            if text.isEmpty { continue }
            let parts = text.split(separator: "\t", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            guard rows || parts.count == 2 else {
                throw .data(file: file, line: number + 1, problem: "expected a picture, a tab and its class")
            }
            items.append(rows ? String(items.count) : parts[0])
            names.append(rows ? text : parts[1])
        }
        guard !items.isEmpty else { throw .data(file: file, line: nil, problem: "there are no labels") }
        let classes = known ?? Self.ordered(Set(names))
        let places = Dictionary(zip(classes, classes.indices)) { first, _ in first }
        var labels: [Int] = []
        for (place, name) in names.enumerated() {
            guard let label = places[name] else {
                throw .data(
                    file: file, line: nil, problem: "label \(place + 1) is \"\(name)\", which is none of the \(classes.count) classes")
            }
            labels.append(label)
        }
        try self.init(items: items, labels: labels, classes: classes)
    }

    private static func ordered(_ names: Set<String>) -> [String] {
        let numbers = names.compactMap { name in Int(name).map { ($0, name) } }
        if numbers.count == names.count { return numbers.sorted { $0 < $1 }.map(\.1) }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// The same with the classes of another set; throws where that has no such class.
    public func relabelled(_ classes: [String], as reference: String) throws(EvaluationError) -> LabelledSet {
        if classes == self.classes { return self }
        let places = Dictionary(zip(classes, classes.indices)) { first, _ in first }
        var map: [Int] = []
        for name in self.classes {
            guard let place = places[name] else { throw .unusable("the class \"\(name)\" isn't among those of \(reference)") }
            map.append(place)
        }
        return try LabelledSet(items: items, labels: labels.map { map[$0] }, classes: classes)
    }

    /// Some of the items.
    public func part(_ rows: [Int]) throws(EvaluationError) -> LabelledSet {
        try LabelledSet(items: rows.map { items[$0] }, labels: rows.map { labels[$0] }, classes: classes)
    }

    /// Rows split in two, each class in the given share (at least one of a class with two or more goes to the second part).
    public func split(share: Double, seed: UInt64) -> (first: [Int], second: [Int]) {
        var generator = SplitMix(seed: seed), first: [Int] = [], second: [Int] = []
        for label in classes.indices {
            var own = labels.indices.filter { labels[$0] == label }
            generator.shuffle(&own)
            let count = own.count < 2 ? 0 : min(own.count - 1, max(1, Int((Double(own.count) * share).rounded())))
            second += own.prefix(count)
            first += own.dropFirst(count)
        }
        return (first.sorted(), second.sorted())
    }
}
