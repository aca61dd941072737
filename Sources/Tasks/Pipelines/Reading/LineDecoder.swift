import Foundation
import Tensors

/// The best path through a recogniser's scores: at each step the likeliest class, repetitions and blanks left out.
struct LineDecoder: Sendable {
    let characters: [String]

    /// - Parameter logits: `[steps, classes]`, f32.
    func decode(_ logits: Tensor) -> (text: String, score: Float) {
        let steps = logits.dim(0), classes = logits.dim(1)
        var text = "", probabilities: [Float] = []
        logits.withElements(Float.self) { values in
            var before = 0
            for step in 0..<steps {
                let row = UnsafeBufferPointer(rebasing: values[step * classes..<(step + 1) * classes])
                let best = Self.largest(row)
                defer { before = best }
                if best == 0 || (step > 0 && best == before) { continue }
                // Only characters' probabilities are wanted, so only their steps need the sum over all classes.
                let top = row[best]
                let sum = row.reduce(Float(0)) { $0 + exp($1 - top) }
                probabilities.append(Self.rounded(1 / sum))
                text += best < characters.count ? characters[best] : ""
            }
        }
        let mean = probabilities.isEmpty ? 0 : probabilities.reduce(0.0) { $0 + Double($1) } / Double(probabilities.count)
        return (text, Self.rounded(Float(mean)))
    }

    private static func largest(_ row: UnsafeBufferPointer<Float>) -> Int {
        var place = 0, best = row[0]
        for index in 1..<row.count where row[index] > best { (place, best) = (index, row[index]) }
        return place
    }

    /// To five decimals, as the reference keeps them.
    private static func rounded(_ value: Float) -> Float { Float((Double(value) * 1e5).rounded(.toNearestOrEven) / 1e5) }
}
