import Foundation
import Imaging
import Testing

@testable import HTTPService

@Suite struct SettingsTests {
    private func read(_ text: String?, given: [String: String] = [:], environment: [String: String] = [:]) throws -> ServiceSettings {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("serve-\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        if let text { try Data(text.utf8).write(to: URL(fileURLWithPath: file)) }
        return try ServiceSettings.read(file: text == nil ? nil : file, given: given, environment: environment)
    }

    @Test func theCommandLineCountsBeforeTheEnvironmentBeforeTheFile() throws {
        let text = "port: 1\nhost: a\nlimits: {body: 1MB, burst: 7}\n"
        let settings = try read(text, given: ["port": "3"], environment: ["SENSORIUM_PORT": "2", "SENSORIUM_LIMITS_BODY": "2MB"])
        #expect(settings.port == 3 && settings.host == "a")
        #expect(settings.limits.body == 2 << 20 && settings.limits.burst == 7)
        #expect(try read(nil).port == 8421)
    }

    @Test func everySettingIsReadByItsName() throws {
        let values = [
            "host": "::1", "port": "9", "library": "/l", "model": "m", "models": "a, b", "language_model": "c", "keys": "/k",
            "allow_strangers": "true",
            "names": "x.example", "origins": "https://y.example", "index_folders": "/p,/q", "fetch.hosts": "z.example",
            "fetch.folders": "/f",
            "limits.body": "5MB", "limits.bodies": "50MB", "limits.pixels": "6", "limits.items": "7", "limits.tokens": "8",
            "limits.requests_per_second": "0.5",
            "limits.burst": "9", "limits.connections": "10", "limits.body_seconds": "11", "limits.idle_seconds": "12",
            "limits.waiting": "13",
            "limits.shutdown_seconds": "14", "limits.fetch": "15KB",
        ]
        #expect(Set(values.keys) == Set(ServiceSettings.names))
        let environment = Dictionary(uniqueKeysWithValues: values.map { (ServiceSettings.variable($0), $1) })
        for settings in [try read(nil, given: values), try read(nil, environment: environment)] {
            #expect(settings.models == ["a", "b"] && settings.indexFolders == [FilePath("/p"), FilePath("/q")])
            #expect(settings.allowsStrangers && settings.isLoopback && settings.fetchHosts == ["z.example"])
            #expect(
                settings.limits.bodies == 50 << 20 && settings.limits.fetch == 15 << 10 && settings.limits.shutdownSeconds == 14
                    && settings.limits.requestsPerSecond == 0.5)
        }
    }

    @Test(arguments: [
        ("prot: 1", "did you mean `port`?"), ("limits: {boddy: 1MB}", "did you mean `body`?"), ("port: 70000", "0...65535"),
        ("limits: {body: 12}", "32MB"), ("limits: {body: 9999999999GB}", "32MB"), ("origins: [photos.example]", "https://photos.example"),
        ("- a", "mapping"), ("port: [1]", "a text is expected"), ("a: b: c", "YAML"),
    ])
    func mistakesAreNamed(_ text: String, _ expected: String) throws {
        let error = try #require(throws: SettingsError.self) { try read(text) }
        #expect(error.description.contains(expected), "\(error)")
    }

    @Test func unknownSettingsOfTheCommandLineAreRefused() throws {
        #expect(throws: SettingsError.self) { try read(nil, given: ["limits.bodies": "1"]) }
    }

    @Test func listsOfTheFileAreTakenAsTheyAreAndPathsFromWhereItLies() throws {
        let settings = try read("names: ['a,b']\nindex_folders: [pictures]\n")
        #expect(settings.names == ["a,b"])
        let folder = FilePath(FileManager.default.temporaryDirectory.path).absolute()
        #expect(settings.indexFolders == [folder.appending("pictures")])
    }
}
