import Foundation

/// The user's folder of fetched models: `SENSORIUM_CACHE`, else `XDG_CACHE_HOME/sensorium`, else `~/.cache/sensorium`.
public struct ModelCache: Sendable {
    public let root: String

    public init(root: String) { self.root = root }

    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        // The XDG specification says to ignore a relative path.
        if let own = environment["SENSORIUM_CACHE"], !own.isEmpty {
            root = own
        } else if let shared = environment["XDG_CACHE_HOME"], shared.hasPrefix("/") {
            root = shared + "/sensorium"
        } else {
            root = (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/sensorium"
        }
    }

    public func path(of package: ModelPackage) -> String { root + "/" + package.place }

    /// Whether the package is there whole, made by this version of the converter. A folder appears under its name only when it is
    /// whole, so its note of origin is proof enough.
    public func has(_ package: ModelPackage) -> Bool {
        guard let text = try? String(contentsOfFile: notePath(of: package), encoding: .utf8) else { return false }
        return text == note(of: package) && FileManager.default.fileExists(atPath: path(of: package))
    }

    func notePath(of package: ModelPackage) -> String {
        switch package.conversion {
        case .text, .gzippedText: path(of: package) + ".origin.json"
        default: path(of: package) + "/origin.json"
        }
    }

    /// Raised when a converter's output changes, so that what an older one made is made again.
    private static let converterVersion = 1

    /// Where the weights come from, kept beside them.
    package func note(of package: ModelPackage) -> String {
        """
        {
          "name": "\(package.name)",
          "package": "\(package.requirement)",
          "file": "\(package.member)",
          "sha256": "\(package.memberSHA256)",
          "license": "\(package.license)",
          "converter": \(Self.converterVersion)\(package.edition > 0 ? ",\n  \"edition\": \(package.edition)" : "")
        }

        """
    }
}
