import Foundation

/// The words that tell one group of pictures from the others: class-based TF-IDF (Grootendorst, "BERTopic", 2022), each word counted once
/// for a picture.
struct ClusterNames {
    /// Words of a name.
    static let most = 3
    /// A word of fewer pictures of a cluster says little of the rest: this part of them, and never one alone.
    private static let leastPart = 0.08
    /// How much more frequent a word must be than among all pictures, or it tells nothing.
    private static let leastLift = 1.2
    private static let longestWord = 24

    /// - Parameter texts: of each cluster's pictures.
    static func words(_ texts: [[String]]) -> [[String]] {
        var counts: [[String: Int]] = [], all: [String: Int] = [:], total = 0
        for cluster in texts {
            var found: [String: Int] = [:]
            for text in cluster { for word in words(of: text) { found[word, default: 0] += 1 } }
            for (word, count) in found { all[word, default: 0] += count }
            total += found.values.reduce(0, +)
            counts.append(found)
        }
        let mean = Double(total) / Double(max(1, texts.count)), pictures = max(1, texts.reduce(0) { $0 + $1.count })
        return zip(texts, counts).map { cluster, found in
            let least = max(2, Int(Double(cluster.count) * leastPart))
            let size = Double(max(1, found.values.reduce(0, +)))
            func tells(_ word: String, _ count: Int) -> Bool {
                let lift = Double(count) / Double(max(1, cluster.count)) * Double(pictures) / Double(all[word] ?? 1)
                return count >= least && (texts.count == 1 || lift >= leastLift)
            }
            let scored = found.filter { tells($0.key, $0.value) }.map { word, count in
                (word: word, score: Double(count) / size * log(1 + mean / Double(all[word] ?? 1)))
            }
            return distinct(scored.sorted { ($1.score, $0.word) < ($0.score, $1.word) }.map(\.word))
        }
    }

    /// The first few, without those that are another with an ending or a part of it.
    private static func distinct(_ words: [String]) -> [String] {
        var kept: [String] = []
        for word in words where !kept.contains(where: { $0.hasPrefix(word) || word.hasPrefix($0) }) {
            kept.append(word)
            if kept.count == most { break }
        }
        return kept
    }

    /// Each once: words of letters in lower case without numbers, of Chinese runs of up to four characters, or pairs of longer ones.
    static func words(of text: String) -> Set<String> {
        var words: Set<String> = []
        for unit in WordSplitting.units(text) {
            switch unit {
            case .word(let word):
                let word = word.lowercased()
                if (2...longestWord).contains(word.count), word.contains(where: \.isLetter), !word.contains(where: \.isNumber) {
                    words.insert(word)
                }
            case .ideographs(let run) where run.count <= 4: words.insert(run.map(String.init).joined())
            case .ideographs(let run): for (a, b) in zip(run, run.dropFirst()) { words.insert(String(a) + String(b)) }
            }
        }
        return words
    }

    /// Of what a picture shows, for clusters of which nothing is written: found by vectors of these words.
    static let subjects = [
        "dog", "cat", "bird", "horse", "fish", "insect", "wild animal", "person", "child", "baby", "crowd", "portrait", "sport", "football",
        "swimming", "bicycle", "car", "train", "airplane", "boat", "street", "city", "building", "house", "room", "kitchen", "food",
        "fruit",
        "drink", "flower", "tree", "forest", "mountain", "beach", "sea", "river", "snow", "sky", "night", "sunset", "desert", "garden",
        "drawing", "painting", "cartoon", "icon", "logo", "map", "diagram", "screenshot", "document", "text", "book", "computer", "tool",
        "machine", "furniture", "clothes", "toy", "music", "flag", "face", "pattern", "space",
    ]
}
