import Tensors

/// Finds where text lies.
public protocol TextDetector: Sendable {
    /// Both sides of a picture it takes are multiples of this.
    var sideMultiple: Int { get }
    /// How likely each pixel is one of text, `[n, 1, h, w]`, from pixels `[n, 3, h, w]`: -1 to 1, blue first.
    func probabilities(pixels: Tensor) throws -> Tensor
}

/// Reads one line of text, step by step from its left end (connectionist temporal classification, Graves et al. 2006).
public protocol TextRecognizer: Sendable {
    /// Height of a line that it takes, in pixels.
    var lineHeight: Int { get }
    /// What each class stands for; class 0 is the blank between characters.
    var characters: [String] { get }
    /// What the lines look like, `[n, steps, width]`, from pixels `[n, 3, lineHeight, w]`: -1 to 1, blue first, 0 right of a line's end.
    func features(pixels: Tensor) throws -> Tensor
    /// Scores of the classes `[..., classes]` from features `[..., width]`, before the softmax.
    func logits(features: Tensor) throws -> Tensor
}

/// Tells lines that stand on their heads.
public protocol TextDirectionClassifier: Sendable {
    var lineHeight: Int { get }
    var lineWidth: Int { get }
    /// Scores `[n, 2]` for upright and turned by half, before the softmax, from pixels `[n, 3, lineHeight, lineWidth]` as a recogniser's.
    func logits(pixels: Tensor) throws -> Tensor
}

/// The networks that read text together.
public struct ReadingNetworks: Sendable {
    public var detector: any TextDetector
    public var recognizer: any TextRecognizer
    /// Nil: all lines are taken to stand upright.
    public var direction: (any TextDirectionClassifier)?

    public init(detector: any TextDetector, recognizer: any TextRecognizer, direction: (any TextDirectionClassifier)? = nil) {
        (self.detector, self.recognizer, self.direction) = (detector, recognizer, direction)
    }
}
