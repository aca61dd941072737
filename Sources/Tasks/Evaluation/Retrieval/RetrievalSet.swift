/// Pictures, captions and which belong together: what retrieval is measured on.
public struct RetrievalSet: Sendable, Equatable {
    public struct Caption: Sendable, Hashable {
        public var text: String
        /// As the data names it (`en`, `zh`); nil where it doesn't.
        public var language: String?
        /// The pictures that it belongs to, at least one.
        public var pictures: [Int]

        public init(text: String, language: String? = nil, pictures: [Int]) {
            (self.text, self.language, self.pictures) = (text, language, pictures)
        }
    }

    /// Names of files as the data gives them, or ids. Pictures without captions are candidates all the same.
    public let pictures: [String]
    public let captions: [Caption]

    /// Throws for an empty set and for a caption that belongs to no picture of the set.
    public init(pictures: [String], captions: [Caption]) throws(EvaluationError) {
        guard !pictures.isEmpty else { throw .unusable("the data set holds no pictures") }
        guard !captions.isEmpty else { throw .unusable("the data set holds no captions") }
        for (place, caption) in captions.enumerated() {
            guard !caption.pictures.isEmpty else { throw .unusable("caption \(place) (\"\(caption.text)\") belongs to no picture") }
            if let bad = caption.pictures.first(where: { !pictures.indices.contains($0) }) {
                throw .unusable("caption \(place) names picture \(bad) of \(pictures.count)")
            }
        }
        (self.pictures, self.captions) = (pictures, captions)
    }

    /// The languages that captions name, sorted.
    public var languages: [String] { Set(captions.compactMap(\.language)).sorted() }

    /// The captions of each picture.
    var captionsOfPictures: [[Int]] {
        var result = [[Int]](repeating: [], count: pictures.count)
        for (place, caption) in captions.enumerated() {
            for picture in caption.pictures where result[picture].last != place { result[picture].append(place) }
        }
        return result
    }

    /// A part of a set, and which rows of the whole it is.
    public struct Part: Sendable {
        public var set: RetrievalSet
        public var pictures: [Int]
        public var captions: [Int]
    }

    /// The captions of one language and the pictures that have one: the set as it were without the others.
    public func part(inLanguage language: String) throws(EvaluationError) -> Part {
        try part { $0.language == language }
    }

    /// Without pictures that couldn't be read, and without captions that have lost all of theirs.
    public func part(without lost: Set<Int>) throws(EvaluationError) -> Part {
        try part(pictures: pictures.indices.filter { !lost.contains($0) }) { _ in true }
    }

    private func part(pictures wanted: [Int]? = nil, where keeps: (Caption) -> Bool) throws(EvaluationError) -> Part {
        let kept = wanted ?? Set(captions.lazy.filter(keeps).flatMap(\.pictures)).sorted()
        let places = Dictionary(uniqueKeysWithValues: zip(kept, kept.indices))
        var rows: [Int] = [], left: [Caption] = []
        for (row, caption) in captions.enumerated() where keeps(caption) {
            let own = caption.pictures.compactMap { places[$0] }
            guard !own.isEmpty else { continue }
            rows.append(row)
            left.append(Caption(text: caption.text, language: caption.language, pictures: own))
        }
        return Part(set: try RetrievalSet(pictures: kept.map { pictures[$0] }, captions: left), pictures: kept, captions: rows)
    }
}
