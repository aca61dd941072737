import Checkpoints
import Foundation
import Imaging

/// What tells one model's vectors from another's: SHA-256 over the files that shape them.
///
/// Fetched models have pinned digests. Others are hashed once; the result is kept in the cache beside each file's size, time and
/// inode, so that a search needn't read hundreds of megabytes before it answers.
struct ModelDigest {
    let cache: ModelCache

    /// Files of a folder that shape its vectors. Tokenizers count too: the words' vectors lie in the same space.
    private static let extensions: Set<String> = ["safetensors", "bin", "pt", "pth", "npz", "npy", "onnx", "json", "txt", "model"]
    private static let mostFiles = 4_096

    func digest(of place: ModelPlace) throws -> String {
        let base = try digest(ofBase: place)
        guard let adapter = place.adapter else { return base }
        let own = try digest(ofFilesAt: adapter)
        return ContentHash(of: Array("\(base) \(own)".utf8)).hex
    }

    private func digest(ofBase place: ModelPlace) throws -> String {
        if let package = place.package {
            let note = (try? String(contentsOfFile: place.path + "/origin.json", encoding: .utf8)) ?? package.memberSHA256
            return ContentHash(of: Array(note.utf8)).hex
        }
        return try digest(ofFilesAt: place.path)
    }

    private func digest(ofFilesAt place: String) throws -> String {
        let path = FilePath(place)
        let files = try self.files(at: place)
        let stamp = try files.map { try Self.stamp($0) }.joined(separator: "\n")
        let kept = cache.root + "/digests/" + ContentHash(of: path.bytes).hex + ".txt"
        if let text = try? String(contentsOfFile: kept, encoding: .utf8), text.hasPrefix(stamp + "\n\n") {
            return String(text.dropFirst(stamp.count + 2).prefix(64))
        }
        var all: [UInt8] = []
        for file in files {
            all += Array(FilePath(file).name.bytes) + [0]
            all += try ContentHash(ofFile: FilePath(file)).bytes
        }
        let digest = ContentHash(of: all).hex
        keep(stamp + "\n\n" + digest + "\n", at: kept)
        return digest
    }

    private func files(at path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ModelPlaceError.unreadable(path: path, reason: "no such file or folder")
        }
        guard isFolder.boolValue else { return [path] }
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw ModelPlaceError.unreadable(path: path, reason: "the folder can't be read")
        }
        let chosen = names.filter { Self.extensions.contains(($0 as NSString).pathExtension.lowercased()) && $0 != "origin.json" }.sorted()
        guard chosen.count <= Self.mostFiles else {
            throw ModelPlaceError.unreadable(path: path, reason: "\(chosen.count) files; this is no model's folder")
        }
        return chosen.map { path + "/" + $0 }.filter { file in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: file, isDirectory: &isFolder) && !isFolder.boolValue
        }
    }

    private static func stamp(_ file: String) throws -> String {
        var status = stat()
        guard stat(file, &status) == 0 else { throw ModelPlaceError.unreadable(path: file, reason: String(cString: strerror(errno))) }
        return "\(JSONText.quoted(file)) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) \(status.st_ino)"
    }

    /// Without a cache that can be written the next start hashes again; that is no failure.
    private func keep(_ text: String, at path: String) {
        try? FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        guard let file = try? AtomicFile(path: path) else { return }
        guard (try? file.write(Array(text.utf8))) != nil else { return }
        try? file.commit()
    }
}
