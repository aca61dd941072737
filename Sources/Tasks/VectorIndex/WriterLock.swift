import Foundation

/// The right to change a folder: `flock` on the file `lock`, given back by the system when the process dies.
struct WriterLock {
    private let file: File
    /// A single change takes milliseconds; a compaction of millions of vectors some seconds.
    static let patience = 120

    private init(_ file: File) { self.file = file }

    static func acquire(_ folder: Folder, creating: Bool = false) throws(IndexError) -> WriterLock {
        if creating {
            do {
                try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
            } catch {
                throw .io(file: folder.path, operation: "create", reason: error.localizedDescription)
            }
        }
        let file = try File.open(folder.lockPath, flags: O_RDWR | O_CREAT)
        let start = DispatchTime.now().uptimeNanoseconds
        var pause: UInt32 = 200
        while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw file.failure("lock") }
            let waited = Int((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000_000)
            guard waited < patience else { throw .locked(file: folder.lockPath, seconds: waited) }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
        return WriterLock(file)
    }

    func release() { flock(file.descriptor, LOCK_UN) }
}
