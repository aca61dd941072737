import Imaging
import Tensors

/// A text that belongs to a picture.
public struct Caption: Sendable, Hashable, Codable {
    public var text: String
    /// A BCP 47 tag (`en`, `zh`), nil where the data doesn't say.
    public var language: String?

    public init(_ text: String, language: String? = nil) {
        self.text = text
        self.language = language
    }
}

/// What stands for the picture of a sample.
public enum SamplePicture: Sendable {
    /// A file, read when the sample is used.
    case file(FilePath)
    /// The bytes of a picture file; `name` says in messages where they lie.
    case bytes([UInt8], name: String)
    /// What a frozen encoder made of it: a view over a mapped `.npy`, of any shape and of a floating-point type.
    case features(Tensor)
}

/// A picture with what is known of it.
public struct Sample: Sendable {
    /// Unique within its source: the path beside the table or folder, an archive's key, or the data set's own identifier.
    public var id: String
    public var picture: SamplePicture
    public var captions: [Caption]
    /// Index of the class, where the data has classes.
    public var label: Int?

    public init(id: String, picture: SamplePicture, captions: [Caption] = [], label: Int? = nil) {
        self.id = id
        self.picture = picture
        self.captions = captions
        self.label = label
    }
}
