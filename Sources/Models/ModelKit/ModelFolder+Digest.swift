import Checkpoints
import Tensors

extension ModelFolder {
    /// Tells models apart without reading all their bytes: the configuration, the table of tensors, and bytes from the start, the
    /// middle and the end of each. Two checkpoints that differ in training differ in all of them.
    public func digest() throws -> String {
        var text = config?.value.canonicalText ?? ""
        text += openCLIPConfig?.value.canonicalText ?? ""
        for entry in source.entries {
            text += "|\(entry.name) \(entry.shape) \(entry.type)"
            guard entry.byteCount > 0, let tensor = try? source.tensor(entry.name), tensor.isContiguous else { continue }
            text += tensor.withBytes { bytes in
                [0, bytes.count / 2, max(bytes.count - 16, 0)].map { start in
                    bytes[start..<min(start + 16, bytes.count)].map { String($0, radix: 16) }.joined()
                }.joined(separator: ",")
            }
        }
        return StableDigest.hex(text)
    }
}

extension JSONValue {
    /// The same text for equal values, whatever the order of members.
    fileprivate var canonicalText: String {
        switch self {
        case let .object(members):
            "{" + members.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.canonicalText)" }.joined(separator: ",") + "}"
        case let .array(elements): "[" + elements.map(\.canonicalText).joined(separator: ",") + "]"
        default: "\(self)"
        }
    }
}

/// FNV-1a over two 64-bit lanes: names things stably; not for security.
public enum StableDigest {
    public static func hex(_ text: String) -> String {
        var low: UInt64 = 0xcbf2_9ce4_8422_2325, high: UInt64 = 0x8422_2325_cbf2_9ce4
        for byte in text.utf8 {
            low = (low ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
            high = (high ^ UInt64(byte) ^ (low >> 32)) &* 0x0000_0100_0000_01b3
        }
        func digits(_ value: UInt64) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits(low) + digits(high)
    }
}
