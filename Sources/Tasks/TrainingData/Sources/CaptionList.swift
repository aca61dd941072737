/// The captions of one sample as they are gathered: trimmed, without empty ones and repetitions, bounded.
struct CaptionList {
    private(set) var captions: [Caption] = []
    private let limits: DataLimits

    init(_ limits: DataLimits) { self.limits = limits }

    /// - Parameter place: makes the error for a text that is too long, or one too many.
    mutating func add(_ text: some StringProtocol, language: String?, _ place: (String) -> DataError) throws(DataError) {
        guard text.utf8.count <= limits.captionBytes else {
            throw place("a caption of \(text.utf8.count) bytes is over the limit of \(limits.captionBytes)")
        }
        let caption = Caption(text.trimmingSpace, language: language)
        guard !caption.text.isEmpty, !captions.contains(caption) else { return }
        guard captions.count < limits.captions else { throw place("more than \(limits.captions) captions for one picture") }
        captions.append(caption)
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmingSpace: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }) else { return "" }
        let last = scalars.lastIndex { !$0.properties.isWhitespace } ?? first
        return String(String.UnicodeScalarView(scalars[first...last]))
    }
}

/// A language tag in the form that the rest compares: lower case, `-` between its parts. nil for what is no tag.
func languageTag(_ text: some StringProtocol) -> String? {
    let tag = text.trimmingSpace.lowercased().replacing("_", with: "-")
    let parts = tag.split(separator: "-", omittingEmptySubsequences: false)
    guard let first = parts.first, (2...3).contains(first.utf8.count), first.utf8.allSatisfy({ (0x61...0x7A).contains($0) }),
        parts.dropFirst().allSatisfy({ (1...8).contains($0.utf8.count) && $0.utf8.allSatisfy(isTagByte) })
    else { return nil }
    return tag
}

/// The language that a part of a file name stands for: two letters with or without a region, since three are as likely to be a word.
func languageSuffix(_ part: some StringProtocol) -> String? {
    guard let tag = languageTag(part), tag.prefix(while: { $0 != "-" }).utf8.count == 2 else { return nil }
    return tag
}

private func isTagByte(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
