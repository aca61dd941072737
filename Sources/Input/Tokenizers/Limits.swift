/// Bounds on what a file may ask for; real vocabularies stay far below all of them.
enum Limits {
    static let fileBytes = 512 << 20
    static let jsonDepth = 96
    static let jsonNodes = 1 << 26
    static let vocabularyEntries = 1 << 22
    /// Tables from id to token are dense, so the largest id decides their size.
    static let largestID = 1 << 24
    static let components = 256
    static let regexInstructions = 4096
    static let sequenceLength = 1 << 24
    /// Offsets are kept in 32 bits; longer texts are cut here.
    static let textBytes = Int(Int32.max)
}
