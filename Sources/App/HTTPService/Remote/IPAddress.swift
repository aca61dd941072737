import Foundation

/// An address of the Internet Protocol.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four bytes, or sixteen.
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// `127.0.0.1`, `::1`, `[::1]`; four decimal numbers only, none of the other spellings that some programs take.
    init?(_ text: String) {
        var text = text
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        var four = in_addr(), six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            bytes = withUnsafeBytes(of: &six) { Array($0) }
        } else {
            return nil
        }
    }

    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.withUnsafeBytes({ inet_ntop(family, $0.baseAddress!, &text, socklen_t(text.count)) }) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1] }

    /// Whether it is of the public Internet: what IANA's registries of special addresses list isn't.
    var isPublic: Bool { bytes.count == 4 ? isPublicFour : isPublicSix }

    private static let specialFour: [(UInt32, Int)] = [
        (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16), (0xAC10_0000, 12),
        (0xC000_0000, 24), (0xC000_0200, 24), (0xC058_6300, 24), (0xC0A8_0000, 16), (0xC612_0000, 15), (0xC633_6400, 24),
        (0xCB00_7100, 24), (0xE000_0000, 4), (0xF000_0000, 4),
    ]

    private var isPublicFour: Bool {
        let value = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return !Self.specialFour.contains { range in (value ^ range.0) >> UInt32(32 - range.1) == 0 }
    }

    /// Only 2000::/3 is given out. Within it, documentation, protocol assignments (Teredo among them) and 6to4, which carries addresses
    /// of the old kind, are left out. Mapped and translated addresses lie outside.
    private var isPublicSix: Bool {
        guard bytes[0] & 0xE0 == 0x20 else { return false }
        let first = UInt16(bytes[0]) << 8 | UInt16(bytes[1]), second = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        if first == 0x2001, second < 0x0200 || second == 0x0DB8 { return false }
        return first != 0x2002 && !(first == 0x3FFF && second < 0x1000)
    }
}
