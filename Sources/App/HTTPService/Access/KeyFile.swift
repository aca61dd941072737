import Checkpoints
import Foundation
import Imaging

/// The file of keys: a line for each with its name, its scopes and the SHA-256 of the key, separated by tabs. A key is 32 random bytes,
/// so that nothing is gained by trying; the key itself is shown once and stored nowhere.
public struct KeyFile: Sendable {
    public struct Entry: Sendable, Equatable {
        public var name: String
        public var scopes: [Scope]
        var hash: String
    }

    public private(set) var entries: [Entry] = []
    private let path: FilePath
    private static let largest = 1 << 20
    static let prefix = "sk-sensorium-"

    /// Reads the file; one that isn't there holds no keys.
    /// - Throws: `SettingsError` naming the line that is wrong: nobody is let in by a file that is half understood.
    public init(_ path: FilePath) throws(SettingsError) {
        self.path = path
        let bytes: [UInt8]
        do throws(PictureError) { bytes = try path.contents(limit: Self.largest) } catch {
            switch error.reason {
            case .notFound, .empty: return
            default: throw SettingsError("the file of keys can't be read: \(error)")
            }
        }
        for (place, line) in String(decoding: bytes, as: UTF8.self).split(separator: "\n").enumerated() where !line.hasPrefix("#") {
            entries.append(try Self.entry(line, place + 1, path))
        }
    }

    private static func entry(_ line: Substring, _ number: Int, _ path: FilePath) throws(SettingsError) -> Entry {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        let scopes = parts.count == 3 ? parts[1].split(separator: ",").map { Scope(rawValue: String($0)) } : []
        let isHash = parts.count == 3 && parts[2].utf8.count == 64 && parts[2].allSatisfy(\.isHexDigit)
        guard isHash, !parts[0].isEmpty, !scopes.isEmpty, !scopes.contains(nil) else {
            throw SettingsError(
                "the file of keys \(path.display), line \(number): a name, scopes and a SHA-256 are expected, separated by tabs; "
                    + "`sensorium keys make` writes such lines")
        }
        return Entry(name: parts[0], scopes: scopes.compactMap { $0 }, hash: parts[2].lowercased())
    }

    static func hash(_ key: String) -> String { ContentHash(of: Array(key.utf8)).hex }

    /// Makes a key and stores its hash. Returns the key.
    /// - Parameter random: 32 bytes that nobody can guess.
    public mutating func make(
        _ name: String, scopes: [Scope], random: () -> [UInt8] = KeyFile.randomBytes
    ) throws(SettingsError) -> String {
        guard !name.isEmpty, name.count <= 80, name.allSatisfy({ !$0.isNewline && $0 != "\t" }), !name.hasPrefix("#") else {
            throw SettingsError("\"\(name)\" can't name a key: 1 to 80 characters, without tabs and line ends, not beginning with #")
        }
        guard !entries.contains(where: { $0.name == name }) else {
            throw SettingsError("there is a key named \(name) already: `sensorium keys remove \(name)` takes it away")
        }
        let text = Data(random()).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        let key = Self.prefix + text
        entries.append(Entry(name: name, scopes: scopes, hash: Self.hash(key)))
        try write()
        return key
    }

    public mutating func remove(_ name: String) throws(SettingsError) {
        guard let place = entries.firstIndex(where: { $0.name == name }) else {
            let known = entries.isEmpty ? "there is none" : "there are " + entries.map(\.name).joined(separator: ", ")
            throw SettingsError("there is no key named \(name); \(known)")
        }
        entries.remove(at: place)
        try write()
    }

    public static func randomBytes() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } }
    }

    private func write() throws(SettingsError) {
        let lines = entries.map { "\($0.name)\t\($0.scopes.map(\.rawValue).joined(separator: ","))\t\($0.hash)\n" }
        do {
            try FileManager.default.createDirectory(atPath: path.folder.display, withIntermediateDirectories: true)
            let file = try AtomicFile(path: path.display)
            try file.write(Array(lines.joined().utf8))
            try file.commit()
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path.display)
        } catch {
            throw SettingsError("the file of keys \(path.display) can't be written: \(error)")
        }
    }
}
