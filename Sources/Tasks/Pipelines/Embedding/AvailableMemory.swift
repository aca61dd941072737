import Foundation

/// What the system would still give this process.
package enum AvailableMemory {
    /// Bytes: the kernel's estimate of what programs may use without swapping, or what the control group leaves where that is less.
    /// Where neither can be read, all that could ever be addressed.
    package static func bytes() -> Int {
        let system = text("/proc/meminfo").flatMap(Self.system), group = group()
        return min(system ?? .max, group ?? .max)
    }

    /// `MemAvailable` of /proc/meminfo, which counts in KiB.
    package static func system(_ text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }) else { return nil }
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }

    /// Of control groups version 2, as a container has them at its root.
    private static func group() -> Int? {
        guard let limit = text("/sys/fs/cgroup/memory.max").flatMap(number),
            let used = text("/sys/fs/cgroup/memory.current").flatMap(number)
        else { return nil }
        return max(0, limit - used)
    }

    private static func number(_ text: String) -> Int? { Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) }
    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
