import Foundation

/// A colour in OKLab (Ottosson 2020), where distances are about as eyes see them: l 0 to 1, a and b about -0.4 to 0.4.
public struct OKLabPoint: Sendable, Equatable {
    public var l: Double
    public var a: Double
    public var b: Double

    public init(l: Double, a: Double, b: Double) {
        self.l = l
        self.a = a
        self.b = b
    }
}

/// Pictures that hold a colour: by the share of each dominant colour times its nearness.
public struct ColorQuery: Sendable, Equatable {
    /// OKLab distance from which on a colour counts as another.
    public static let reach = 0.2

    public var point: OKLabPoint
    /// Pictures with a smaller score are left out; 0.05 is for example 5% of exactly this colour.
    public var threshold: Double

    public init(_ point: OKLabPoint, threshold: Double = 0.05) {
        self.point = point
        self.threshold = threshold
    }

    /// `#c02020`, `c02020`, `#c22` or one of CSS's basic names.
    public init(_ text: String, threshold: Double = 0.05) throws(LibraryError) {
        let lower = text.lowercased()
        var digits = Self.names[lower] ?? (lower.hasPrefix("#") ? String(lower.dropFirst()) : lower)
        if digits.count == 3 { digits = digits.map { "\($0)\($0)" }.joined() }
        guard digits.count == 6, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }), let rgb = Int(digits, radix: 16) else {
            let known = Self.names.keys.sorted().joined(separator: ", ")
            throw .badQuery(reason: "\"\(text.prefix(40))\" is no colour; write #rrggbb, #rgb or one of \(known)")
        }
        self.init(Self.oklab(rgb: rgb), threshold: threshold)
    }

    /// sRGB `0xRRGGBB` to OKLab (https://bottosson.github.io/posts/oklab).
    static func oklab(rgb: Int) -> OKLabPoint {
        func linear(_ shift: Int) -> Double {
            let value = Double((rgb >> shift) & 0xFF) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        let (r, g, b) = (linear(16), linear(8), linear(0))
        let long = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
        let medium = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        let short = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        return OKLabPoint(
            l: 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            a: 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
            b: 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short)
    }

    private static let names = [
        "black": "000000", "white": "ffffff", "gray": "808080", "grey": "808080", "red": "ff0000", "green": "008000", "lime": "00ff00",
        "blue": "0000ff", "navy": "000080", "yellow": "ffff00", "orange": "ffa500", "purple": "800080", "pink": "ffc0cb", "brown": "a52a2a",
        "teal": "008080", "cyan": "00ffff", "magenta": "ff00ff", "maroon": "800000", "olive": "808000", "silver": "c0c0c0",
    ]

    /// Score of each content that reaches the threshold, as rows of (`content_id`, `score`). The square saves SQLite a root.
    var condition: SQLCondition {
        let distance = "((l - ?) * (l - ?) + (a - ?) * (a - ?) + (b - ?) * (b - ?))"
        return SQLCondition(
            sql: """
                SELECT content_id, SUM(share * max(0.0, 1.0 - \(distance) / ?)) AS score FROM color GROUP BY content_id HAVING score >= ?
                """,
            arguments: [point.l, point.l, point.a, point.a, point.b, point.b, Self.reach * Self.reach, threshold])
    }
}
