import Imaging

/// A line of text that was read in a picture.
public struct TextLine: Sendable, Hashable {
    public var text: String
    /// Mean probability of its characters, 0 to 1.
    public var score: Float
    /// Corners in pixels of the picture, clockwise from the text's top left.
    public var corners: [PicturePoint]

    public init(text: String, score: Float, corners: [PicturePoint]) {
        (self.text, self.score, self.corners) = (text, score, corners)
    }
}
