/// The normalisers of `tokenizer.json`; each rewrites a text and keeps its alignment.
indirect enum Normalizer: Sendable {
    case unicode(UnicodeNormalization.Form)
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case bert(cleanText: Bool, chineseChars: Bool, stripAccents: Bool, lowercase: Bool)
    case replace(RegexProgram, content: [UInt8])
    case prepend([UInt32])
    case charsmap(Charsmap)
    case nmt
    case byteLevel
    case sequence([Normalizer])

    func apply(to text: inout AlignedText) {
        switch self {
        case .unicode(let form):
            guard !text.withBytes(UTF8Text.isASCII) else { return }
            text.transform(UnicodeNormalization.apply(form, to: text.scalars()))
        case .lowercase: Self.lowercase(&text)
        case .strip(let left, let right): Self.strip(&text, left, right)
        case .stripAccents:
            guard !text.withBytes(UTF8Text.isASCII) else { return }
            text.filter { !UnicodeProperties.has($0, UnicodeProperties.combiningMark) }
        case .bert(let cleanText, let chineseChars, let stripAccents, let lowercase):
            if cleanText { Self.clean(&text) }
            if chineseChars { Self.spaceChinese(&text) }
            if stripAccents, !text.withBytes(UTF8Text.isASCII) {
                text.transform(UnicodeNormalization.apply(.nfd, to: text.scalars()))
                text.filter { !UnicodeProperties.has($0, UnicodeProperties.nonspacingMark) }
            }
            if lowercase { Self.lowercase(&text) }
        case .replace(let program, let content):
            let matches = text.withBytes { RegexMatcher.matches(program, in: $0) }
            text.replace(matches, by: content)
        case .prepend(let scalars): text.prepend(scalars)
        case .charsmap(let map): map.apply(to: &text)
        case .nmt: Self.nmt(&text)
        case .byteLevel:
            guard !text.isEmpty else { return }
            text.isByteLevel = true
            text.spellByteLevel()
        case .sequence(let steps): for step in steps { step.apply(to: &text) }
        }
    }

    private static func lowercase(_ text: inout AlignedText) {
        if text.lowercaseASCII() { return }
        var changes: [ScalarChange] = []
        changes.reserveCapacity(text.count)
        for scalar in text.scalars() { LowercaseMapping.append(scalar, to: &changes) }
        text.transform(changes)
    }

    private static func strip(_ text: inout AlignedText, _ left: Bool, _ right: Bool) {
        let scalars = text.scalars()
        let leading = left ? scalars.prefix(while: UnicodeProperties.isWhitespace).count : 0
        let trailing = right ? scalars.reversed().prefix(while: UnicodeProperties.isWhitespace).count : 0
        guard leading + trailing > 0 else { return }
        let kept = leading < scalars.count - trailing ? scalars[leading..<scalars.count - trailing] : []
        text.transform(kept.map { ScalarChange(scalar: $0, change: 0) }, dropped: leading)
    }

    private static func clean(_ text: inout AlignedText) {
        let isPlain = text.withBytes { bytes in bytes.allSatisfy { $0 >= 32 && $0 < 127 } }
        if isPlain { return }
        text.filter { $0 != 0 && $0 != 0xFFFD && !UnicodeProperties.has($0, UnicodeProperties.bertRemoved) }
        text.map { UnicodeProperties.isWhitespace($0) ? 32 : $0 }
    }

    /// CJK ideographs as BERT's tokenizer bounds them.
    private static func isChinese(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF,
            0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    private static func spaceChinese(_ text: inout AlignedText) {
        let scalars = text.scalars()
        guard scalars.contains(where: isChinese) else { return }
        var changes: [ScalarChange] = []
        changes.reserveCapacity(scalars.count * 3)
        for scalar in scalars {
            if isChinese(scalar) {
                changes.append(.init(scalar: 32, change: 0))
                changes.append(.init(scalar: scalar, change: 1))
                changes.append(.init(scalar: 32, change: 1))
            } else {
                changes.append(.init(scalar: scalar, change: 0))
            }
        }
        text.transform(changes)
    }

    private static func nmt(_ text: inout AlignedText) {
        text.filter {
            switch $0 {
            case 1...8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: false
            default: true
            }
        }
        text.map {
            switch $0 {
            case 9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: 32
            default: $0
            }
        }
    }
}
