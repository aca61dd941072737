#if canImport(Glibc)
    import Glibc
#endif

/// Parts of paths as bytes: `String` can't carry names that aren't UTF-8 without loss, so paths stay bytes until they are shown.
extension FilePath {
    package init(bytes: some Sequence<UInt8>) { self.init(bytes: Array(bytes)) }

    /// For people and for JSON: bytes that aren't UTF-8 show as U+FFFD.
    public var display: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether `display` names the same file.
    public var isUTF8: Bool { Array(display.utf8) == bytes }

    /// The last component.
    public var name: FilePath {
        guard let slash = bytes.lastIndex(of: Self.slash), bytes.count > 1 else { return self }
        return FilePath(bytes: bytes[(slash + 1)...])
    }

    /// All but the last component; `/` for what stands in the root, `.` for a bare name.
    public var folder: FilePath {
        guard let slash = bytes.lastIndex(of: Self.slash) else { return FilePath(".") }
        return slash == 0 ? FilePath("/") : FilePath(bytes: bytes[..<slash])
    }

    /// The extension in lower case, without its dot; nil for `name` and `.name`.
    public var pathExtension: String? {
        let name = self.name.bytes
        guard let dot = name.lastIndex(of: Self.dot), dot > 0, dot + 1 < name.count else { return nil }
        return String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased()
    }

    /// The name without its extension.
    public var stem: FilePath {
        let name = self.name.bytes
        guard let dot = name.lastIndex(of: Self.dot), dot > 0 else { return FilePath(bytes: name) }
        return FilePath(bytes: name[..<dot])
    }

    public func appending(_ component: FilePath) -> FilePath {
        bytes.last == Self.slash ? FilePath(bytes: bytes + component.bytes) : FilePath(bytes: bytes + [Self.slash] + component.bytes)
    }

    public func appending(_ component: String) -> FilePath { appending(FilePath(component)) }

    /// Whether this is `folder` itself or lies anywhere beneath it. Both must be absolute and tidy.
    public func isInside(_ folder: FilePath) -> Bool {
        if self == folder { return true }
        let prefix = folder.bytes.last == Self.slash ? folder.bytes : folder.bytes + [Self.slash]
        return bytes.starts(with: prefix)
    }

    /// Absolute, without `.`, empty components and trailing slash; `..` is taken off by name, links aren't followed.
    public func absolute(from current: FilePath = .current) -> FilePath {
        let whole = bytes.first == Self.slash ? self : current.appending(self)
        var parts: [ArraySlice<UInt8>] = []
        for part in whole.bytes.split(separator: Self.slash) where !(part.count == 1 && part.first == Self.dot) {
            if part.elementsEqual([Self.dot, Self.dot]) { _ = parts.popLast() } else { parts.append(part) }
        }
        return FilePath(bytes: [Self.slash] + parts.joined(separator: [Self.slash]))
    }

    /// The working directory; `/` where it was removed.
    public static var current: FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard getcwd(&buffer, buffer.count) != nil else { return FilePath("/") }
        return FilePath(bytes: buffer.lazy.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    /// Runs a system call with the NUL-terminated path.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try (bytes + [0]).withUnsafeBufferPointer { buffer in
            try buffer.withMemoryRebound(to: CChar.self) { try body($0.baseAddress!) }
        }
    }

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")
}

extension FilePath: Comparable {
    public static func < (left: FilePath, right: FilePath) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}
