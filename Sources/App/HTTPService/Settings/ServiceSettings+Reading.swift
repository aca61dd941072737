import Foundation
import Imaging
import PictureLibrary
import Training

extension ServiceSettings {
    /// Names of all settings, as the file nests them: `limits.body` is `body` beneath `limits`.
    public static let names = [
        "host", "port", "library", "model", "models", "language_model", "keys", "allow_strangers", "names", "origins", "index_folders",
        "fetch.hosts", "fetch.folders", "limits.body", "limits.bodies", "limits.pixels", "limits.items", "limits.tokens",
        "limits.requests_per_second",
        "limits.burst", "limits.connections", "limits.body_seconds", "limits.idle_seconds", "limits.waiting", "limits.shutdown_seconds",
        "limits.fetch",
    ]

    /// The variable of the environment for a setting: `SENSORIUM_LIMITS_BODY` for `limits.body`.
    public static func variable(_ name: String) -> String {
        "SENSORIUM_" + name.uppercased().replacing(".", with: "_")
    }

    /// Reads the settings: what the command line says counts before the environment, that before the file, that before the defaults.
    /// - Parameters:
    ///   - file: A YAML file; nil takes the one that `SENSORIUM_CONFIG` names, if any.
    ///   - given: Settings of the command line by their names.
    /// - Throws: `SettingsError` naming the field and the nearest name for one that isn't known.
    public static func read(file: String?, given: [String: String], environment: [String: String]) throws(SettingsError) -> ServiceSettings
    {
        var changes: [String: String] = [:]
        for name in names { if let value = environment[variable(name)], !value.isEmpty { changes[name] = value } }
        changes.merge(given) { $1 }
        let named = file ?? environment["SENSORIUM_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        do {
            let text = try named.map(RecipeReader.text) ?? "{}"
            let place = named.map { FilePath($0).absolute().folder } ?? .current
            let reader = try RecipeReader.parse(isBlank(text) ? "{}" : text, file: named ?? "settings", changes: changes)
            var settings = ServiceSettings(library: Library.defaultPath(environment: environment), keys: defaultKeys(environment))
            try settings.read(reader, folder: place, isChanged: { changes[$0] != nil })
            try reader.finish()
            return settings
        } catch let error as SettingsError {
            throw error
        } catch {
            throw SettingsError("\(error)")
        }
    }

    /// Comments alone make an empty document.
    private static func isBlank(_ text: String) -> Bool {
        text.split(whereSeparator: \.isNewline).allSatisfy { line in
            let start = line.drop { $0 == " " || $0 == "\t" }
            return start.isEmpty || start.hasPrefix("#")
        }
    }

    /// `sensorium/keys` in the user's folder of settings by the XDG base directory specification.
    public static func defaultKeys(_ environment: [String: String]) -> FilePath {
        if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") { return FilePath(folder).appending("sensorium/keys") }
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        return FilePath(home).appending(".config/sensorium/keys")
    }

    private mutating func read(_ reader: RecipeReader, folder: FilePath, isChanged: (String) -> Bool) throws {
        // Paths of the file are meant from where it lies, those of the command line from where the user is.
        func path(_ text: String, _ name: String) -> FilePath {
            FilePath(Self.home(text)).absolute(from: isChanged(name) ? .current : folder)
        }
        func paths(_ reader: RecipeReader, _ name: String, _ full: String) throws -> [FilePath]? {
            try Self.list(reader, name, isChanged(full))?.map { path($0, full) }
        }
        if let text = try reader.string("host") { host = text }
        if let number = try reader.int("port", in: 0...65_535) { port = number }
        if let text = try reader.string("library") { library = path(text, "library") }
        if let text = try reader.string("model") { model = text }
        if let list = try Self.list(reader, "models", isChanged("models")) { models = list }
        if let text = try reader.string("language_model") { languageModel = text.isEmpty || text == "none" ? nil : text }
        if let text = try reader.string("keys") { keys = path(text, "keys") }
        if let flag = try reader.flag("allow_strangers") { allowsStrangers = flag }
        if let list = try Self.list(reader, "names", isChanged("names")) { names = list.map { $0.lowercased() } }
        if let list = try Self.list(reader, "origins", isChanged("origins")) { origins = try list.map { try Self.origin($0, reader) } }
        if let list = try paths(reader, "index_folders", "index_folders") { indexFolders = list }
        if let fetch = try reader.section("fetch") {
            if let list = try Self.list(fetch, "hosts", isChanged("fetch.hosts")) { fetchHosts = list.map { $0.lowercased() } }
            if let list = try paths(fetch, "folders", "fetch.folders") { fetchFolders = list }
        }
        if let section = try reader.section("limits") { try limits.read(section) }
        guard !host.isEmpty else { throw reader.fail("host", "it is empty; 127.0.0.1 is this machine alone") }
    }

    private static func home(_ text: String) -> String {
        text == "~" || text.hasPrefix("~/") ? NSHomeDirectory() + text.dropFirst() : text
    }

    /// A list; from the command line and the environment with commas between its parts.
    private static func list(_ reader: RecipeReader, _ name: String, _ isChanged: Bool) throws -> [String]? {
        guard let values = try reader.strings(name) else { return nil }
        guard isChanged else { return values }
        return values.flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func origin(_ text: String, _ reader: RecipeReader) throws -> String {
        guard let address = URL(string: text), let scheme = address.scheme, ["http", "https"].contains(scheme), address.host != nil,
            address.path.isEmpty, address.query == nil
        else {
            throw reader.fail("origins", "\"\(text)\" is no origin; write for example https://photos.example, without a path")
        }
        return text.lowercased()
    }
}

extension ServiceSettings.Limits {
    fileprivate mutating func read(_ reader: RecipeReader) throws {
        if let size = try Self.bytes(reader, "body", 1 << 10, 4 << 30) { body = size }
        if let size = try Self.bytes(reader, "bodies", 1 << 10, 64 << 30) { bodies = size }
        if let number = try reader.int("pixels", in: 1...1 << 28) { pixels = number }
        if let number = try reader.int("items", in: 1...100_000) { items = number }
        if let number = try reader.int("tokens", in: 1...1 << 20) { tokens = number }
        if let number = try reader.float("requests_per_second", in: 0...1e6) { requestsPerSecond = Double(number) }
        if let number = try reader.int("burst", in: 1...1_000_000) { burst = number }
        if let number = try reader.int("connections", in: 1...65_536) { connections = number }
        if let number = try reader.float("body_seconds", in: 0.01...86_400) { bodySeconds = Double(number) }
        if let number = try reader.float("idle_seconds", in: 0.01...86_400) { idleSeconds = Double(number) }
        if let number = try reader.int("waiting", in: 1...1_000_000) { waiting = number }
        if let number = try reader.float("shutdown_seconds", in: 0...3_600) { shutdownSeconds = Double(number) }
        if let size = try Self.bytes(reader, "fetch", 1 << 10, 1 << 30) { fetch = size }
    }

    private static let units: [(String, Int)] = [("KB", 10), ("MB", 20), ("GB", 30)]

    /// `33554432`, `32MB`.
    private static func bytes(_ reader: RecipeReader, _ name: String, _ least: Int, _ most: Int) throws -> Int? {
        guard let text = try reader.string(name) else { return nil }
        let shift = units.first { text.uppercased().hasSuffix($0.0) }
        let digits = (shift == nil ? text : String(text.dropLast(2))).trimmingCharacters(in: .whitespaces)
        guard let number = Int(digits), number >= 0, number <= most >> (shift?.1 ?? 0), number << (shift?.1 ?? 0) >= least else {
            throw reader.fail(name, "a size from \(least >> 10)KB to \(most >> 20)MB is expected, as 32MB; found \"\(text)\"")
        }
        return number << (shift?.1 ?? 0)
    }
}
