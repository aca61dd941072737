/// How `tokenizer.json` cuts long inputs. Overflowing parts are not kept, so its stride has no effect.
struct Truncation: Sendable {
    enum Strategy: String, Sendable { case longestFirst = "LongestFirst", onlyFirst = "OnlyFirst", onlySecond = "OnlySecond" }

    var maximum: Int
    var strategy = Strategy.longestFirst
    var fromLeft = false

    /// Cuts to `maximum - added` tokens together. Where the strategy allows no such cut, both stay whole.
    func apply(to first: inout Encoding, _ second: inout Encoding?, added: Int) {
        let room = max(0, maximum - added)
        let total = first.count + (second?.count ?? 0)
        guard total > room else { return }
        switch strategy {
        case .longestFirst:
            guard var pair = second, room > 0 else {
                cut(&first, room)
                if var pair = second {
                    cut(&pair, room)
                    second = pair
                }
                return
            }
            var lengths = [first.count, pair.count]
            let swapped = lengths[0] > lengths[1]
            if swapped { lengths.reverse() }
            lengths[1] = lengths[0] > room ? lengths[0] : max(lengths[0], room - lengths[0])
            if lengths[0] + lengths[1] > room { lengths = [room / 2, room / 2 + room % 2] }
            if swapped { lengths.reverse() }
            cut(&first, lengths[0])
            cut(&pair, lengths[1])
            second = pair
        case .onlyFirst:
            if room == 0 || first.count > total - room { cut(&first, max(0, first.count - (total - room))) }
        case .onlySecond:
            guard var pair = second, room == 0 || pair.count > total - room else { return }
            cut(&pair, max(0, pair.count - (total - room)))
            second = pair
        }
    }

    private func cut(_ encoding: inout Encoding, _ length: Int) {
        guard length < encoding.count else { return }
        encoding.keep(fromLeft ? encoding.count - length..<encoding.count : 0..<length)
    }
}

/// How `tokenizer.json` fills short inputs.
struct Padding: Sendable {
    /// Nil fills to the longest of a batch.
    var fixed: Int?
    var fromLeft = false
    var multiple = 0
    var id: Int32 = 0
    var type: Int32 = 0
    var token = "[PAD]"

    func apply(to encodings: inout [Encoding]) {
        var length = fixed ?? encodings.map(\.count).max() ?? 0
        if multiple > 0, length % multiple > 0 { length += multiple - length % multiple }
        for index in encodings.indices { pad(&encodings[index], to: min(length, Limits.sequenceLength)) }
    }

    private func pad(_ encoding: inout Encoding, to length: Int) {
        guard encoding.count < length else { return }
        let missing = length - encoding.count
        var filler = Encoding()
        filler.ids = Array(repeating: id, count: missing)
        filler.tokens = Array(repeating: token, count: missing)
        filler.offsets = Array(repeating: 0..<0, count: missing)
        filler.typeIDs = Array(repeating: type, count: missing)
        filler.specialTokensMask = Array(repeating: 1, count: missing)
        filler.attentionMask = Array(repeating: 0, count: missing)
        if fromLeft {
            filler.append(encoding)
            encoding = filler
        } else {
            encoding.append(filler)
        }
    }
}
