import Tensors

/// Which captions of a picture an epoch shows.
public enum CaptionChoice: Sendable, Equatable {
    /// One of them, each as likely as the other.
    case one
    /// One of them: first a language in proportion to its weight among those that the picture has, then a caption in it. A language
    /// without a weight here has the weight 0, unless the picture has no other; `""` stands for captions without a tag.
    case balanced([String: Double])
    /// One for each of these languages, in their order; a language that the picture lacks is left out.
    case each([String])
    /// The first.
    case first
    case all

    /// Throws for weights that aren't finite and positive, and for lists without a language.
    func check() throws(DataError) {
        switch self {
        case let .balanced(weights):
            guard weights.values.allSatisfy({ $0.isFinite && $0 >= 0 }), weights.values.contains(where: { $0 > 0 }) else {
                throw DataError(
                    "plan", field: "language weights", "numbers of at least 0, one of them positive, are expected, found \(weights)")
            }
        case let .each(languages):
            guard !languages.isEmpty, Set(languages).count == languages.count else {
                throw DataError("plan", field: "languages", "languages, each once, are expected, found \(languages)")
            }
        case .one, .first, .all: break
        }
    }

    func choose(_ captions: [Caption], _ generator: inout RandomGenerator) -> [Caption] {
        guard !captions.isEmpty else { return [] }
        switch self {
        case .all: return captions
        case .first: return [captions[0]]
        case .one: return [captions[generator.below(captions.count)]]
        case let .balanced(weights):
            let languages = Self.languages(captions)
            let shares = languages.map { weights[$0] ?? 0 }
            let total = shares.reduce(0, +)
            guard total > 0 else { return [captions[generator.below(captions.count)]] }
            var rest = Double(generator.uniform()) * total
            var chosen = shares.lastIndex { $0 > 0 } ?? 0
            for (index, share) in shares.enumerated() where share > 0 {
                if rest < share {
                    chosen = index
                    break
                }
                rest -= share
            }
            return Self.pick(captions, languages[chosen], &generator)
        case let .each(languages): return languages.flatMap { Self.pick(captions, $0, &generator) }
        }
    }

    /// Tags in the order of their first caption.
    private static func languages(_ captions: [Caption]) -> [String] {
        var found: [String] = []
        for caption in captions where !found.contains(caption.language ?? "") { found.append(caption.language ?? "") }
        return found
    }

    private static func pick(_ captions: [Caption], _ language: String, _ generator: inout RandomGenerator) -> [Caption] {
        let candidates = captions.filter { ($0.language ?? "") == language }
        return candidates.isEmpty ? [] : [candidates[generator.below(candidates.count)]]
    }
}
