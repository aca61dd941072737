#if canImport(Glibc)
    import Glibc
#endif

/// An sRGB colour of 8 bits a channel.
public struct Color: Sendable, Hashable, Codable, CustomStringConvertible {
    public var red: UInt8
    public var green: UInt8
    public var blue: UInt8

    public init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// `#c02020`, `c02020`, `#c22`, a CSS basic colour or a few more by English or Chinese name (`red`, `红`, `红色`). nil for anything else.
    public init?(_ text: String) {
        let name = text.lowercased().filter { !$0.isWhitespace }
        if let value = Color.names[name] ?? (name.hasSuffix("色") ? Color.names[String(name.dropLast())] : nil) {
            self.init(rgb: value)
            return
        }
        let digits = Array(name.hasPrefix("#") ? name.dropFirst() : name[...])
        guard digits.count == 3 || digits.count == 6, digits.allSatisfy(\.isASCII), let value = UInt32(String(digits), radix: 16),
            digits.first != "+"
        else { return nil }
        self.init(rgb: digits.count == 6 ? value : (value & 0xF00) * 0x1100 | (value & 0xF0) * 0x110 | (value & 0xF) * 0x11)
    }

    private init(rgb: UInt32) {
        self.init(red: UInt8(rgb >> 16 & 255), green: UInt8(rgb >> 8 & 255), blue: UInt8(rgb & 255))
    }

    /// `#rrggbb`.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return "#" + String([red, green, blue].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// Distance in OKLab: 0 for equal colours, about 0.02 for a difference that is just seen side by side, 1 from black to white.
    public func distance(to other: Color) -> Double { OKLab(self).distance(to: OKLab(other)) }

    private static let names: [String: UInt32] = [
        "black": 0x000000, "silver": 0xC0C0C0, "gray": 0x808080, "grey": 0x808080, "white": 0xFFFFFF, "maroon": 0x800000, "red": 0xFF0000,
        "purple": 0x800080, "fuchsia": 0xFF00FF, "magenta": 0xFF00FF, "green": 0x008000, "lime": 0x00FF00, "olive": 0x808000,
        "yellow": 0xFFFF00,
        "navy": 0x000080, "blue": 0x0000FF, "teal": 0x008080, "aqua": 0x00FFFF, "cyan": 0x00FFFF, "orange": 0xFFA500, "brown": 0xA52A2A,
        "pink": 0xFFC0CB, "gold": 0xFFD700, "beige": 0xF5F5DC, "violet": 0xEE82EE, "indigo": 0x4B0082, "turquoise": 0x40E0D0,
        "coral": 0xFF7F50,
        "黑": 0x000000, "银": 0xC0C0C0, "灰": 0x808080, "白": 0xFFFFFF, "栗": 0x800000, "红": 0xFF0000, "紅": 0xFF0000, "紫": 0x800080,
        "品红": 0xFF00FF, "洋红": 0xFF00FF, "绿": 0x008000, "綠": 0x008000, "橄榄": 0x808000, "黄": 0xFFFF00, "黃": 0xFFFF00, "藏青": 0x000080,
        "深蓝": 0x000080, "蓝": 0x0000FF, "藍": 0x0000FF, "青": 0x00FFFF, "橙": 0xFFA500, "橘": 0xFFA500, "棕": 0xA52A2A, "褐": 0xA52A2A,
        "粉": 0xFFC0CB, "粉红": 0xFFC0CB, "金": 0xFFD700, "米": 0xF5F5DC, "靛": 0x4B0082, "天蓝": 0x87CEEB, "浅蓝": 0xADD8E6, "浅绿": 0x90EE90,
    ]
}

/// Björn Ottosson's OKLab (2020): equal distances look about equally different.
package struct OKLab: Sendable, Equatable {
    package var lightness: Double
    package var a: Double
    package var b: Double

    package init(lightness: Double, a: Double, b: Double) {
        self.lightness = lightness
        self.a = a
        self.b = b
    }

    package init(_ color: Color) {
        let r = OKLab.linear[Int(color.red)], g = OKLab.linear[Int(color.green)], b = OKLab.linear[Int(color.blue)]
        let l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
        let m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        let s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        self.init(
            lightness: 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            a: 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s, b: 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s)
    }

    /// The nearest colour that sRGB can show.
    var color: Color {
        let l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
        let m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
        let s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
        return Color(
            red: OKLab.byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            green: OKLab.byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            blue: OKLab.byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s))
    }

    func distance(to other: OKLab) -> Double { squaredDistance(to: other).squareRoot() }

    @inline(__always) func squaredDistance(to other: OKLab) -> Double {
        let dl = lightness - other.lightness, da = a - other.a, db = b - other.b
        return dl * dl + da * da + db * db
    }

    private func cube(_ value: Double) -> Double { value * value * value }

    private static func byte(_ linear: Double) -> UInt8 {
        let value = linear <= 0.0031308 ? linear * 12.92 : 1.055 * pow(linear, 1 / 2.4) - 0.055
        return UInt8((min(max(value, 0), 1) * 255).rounded())
    }

    private static let linear: [Double] = (0..<256).map {
        let value = Double($0) / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
}
