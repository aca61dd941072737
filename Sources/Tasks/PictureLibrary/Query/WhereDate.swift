import Foundation

/// A date as far as it is given: `2020`, `2020-05`, `2020-05-17`, `2020-05-17T12:30`, `2020-05-17 12:30:05`.
/// It stands for the whole span, so `taken = 2020-05` means any moment of that May and `taken > 2020-05` means from June on.
struct WhereDate: Equatable {
    /// First moment, and the first moment after, as `YYYY-MM-DDTHH:MM:SS`.
    var start: String
    var end: String
    /// The same in nanoseconds since 1970.
    var startInstant: Int64
    var endInstant: Int64

    /// Nil when the text is no date.
    init?(_ text: String, timeZone: TimeZone) {
        let pieces = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == "t" || $0 == " " }
        guard let day = pieces.first, let date = Self.numbers(day, separator: "-", widths: [4, 2, 2]), !date.isEmpty else { return nil }
        var time: [Int] = []
        if pieces.count == 2 {
            guard date.count == 3, let parsed = Self.numbers(pieces[1], separator: ":", widths: [2, 2, 2]), !parsed.isEmpty else {
                return nil
            }
            time = parsed
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let all = date + time
        let units: [Calendar.Component] = [.year, .month, .day, .hour, .minute, .second]
        var components = DateComponents()
        let values = all + [1, 1, 1, 0, 0, 0][all.count...]
        guard values[0] >= 1, (1...12).contains(values[1]), (1...31).contains(values[2]), values[3] < 24, values[4] < 60, values[5] < 60
        else { return nil }
        for (unit, value) in zip(units, values) { components.setValue(value, for: unit) }
        guard let first = calendar.date(from: components), calendar.component(.day, from: first) == values[2],
            let next = calendar.date(byAdding: units[all.count - 1], value: 1, to: first)
        else { return nil }
        start = Self.local(first, calendar)
        end = Self.local(next, calendar)
        startInstant = Int64(first.timeIntervalSince1970) &* 1_000_000_000
        endInstant = Int64(next.timeIntervalSince1970) &* 1_000_000_000
    }

    private static func numbers(_ text: Substring, separator: Character, widths: [Int]) -> [Int]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.count <= widths.count else { return nil }
        var values: [Int] = []
        for (part, width) in zip(parts, widths) {
            guard part.count == width, part.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(part) else { return nil }
            values.append(value)
        }
        return values
    }

    private static func local(_ date: Date, _ calendar: Calendar) -> String {
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func pad(_ value: Int?, _ width: Int) -> String {
            let digits = String(value ?? 0)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return
            "\(pad(parts.year, 4))-\(pad(parts.month, 2))-\(pad(parts.day, 2))T\(pad(parts.hour, 2)):\(pad(parts.minute, 2)):\(pad(parts.second, 2))"
    }
}
