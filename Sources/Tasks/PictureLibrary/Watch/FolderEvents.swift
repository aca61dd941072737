import Foundation
import Imaging
import Synchronization

/// Tells in which folders beneath some roots anything has changed (Linux' inotify): files that may be pictures or captions, and
/// folders that come, go and move. Folders that come are watched too.
final class FolderEvents: Sendable {
    private static let interest = UInt32(
        IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
    /// Read with one call; the system keeps the rest.
    private static let bufferSize = 1 << 16

    private struct State {
        /// Watched folders by their number.
        var folders: [Int32: FilePath] = [:]
        /// Folders that the system's limit left out.
        var unwatched = 0
    }

    private let events: Int32
    /// A pipe whose other end `wake` writes to.
    private let alarm: Int32
    private let bell: Int32
    private let roots: [FilePath]
    private let excluded: [FilePath]
    private let options: FolderWalk.Options
    private let state = Mutex(State())

    /// - Throws: `LibraryError.watch` where the system gives no watch at all.
    init(_ roots: [FilePath], excluding excluded: [FilePath], options: FolderWalk.Options) throws(LibraryError) {
        (self.roots, self.excluded, self.options) = (roots, excluded, options)
        events = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        let code = errno
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        (alarm, bell) = (ends[0], ends[1])
        guard events >= 0, made == 0 else { throw .watch(reason: systemMessage(events < 0 ? code : errno)) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        watchAll()
    }

    deinit {
        if events >= 0 { close(events) }
        if alarm >= 0 { close(alarm) }
        if bell >= 0 { close(bell) }
    }

    var counts: (watched: Int, unwatched: Int) { state.withLock { ($0.folders.count, $0.unwatched) } }

    /// Watches what isn't watched yet: a root that has come back, folders beneath a limit that was raised.
    func watchAll() {
        state.withLock { state in
            state.unwatched = 0
            for root in roots { watch(root, &state) }
        }
    }

    /// Ends a wait. Safe from any thread.
    func wake() {
        var one: UInt8 = 1
        // A full pipe rings already.
        _ = write(bell, &one, 1)
    }

    /// Waits for a change.
    /// - Parameter seconds: at most; nil for as long as it takes.
    /// - Returns: Folders in which something changed, perhaps gone by now; none when the time passed or `wake` was called.
    func wait(atMost seconds: Double?) -> Set<FilePath> {
        var wanted = [pollfd(fd: events, events: Int16(POLLIN), revents: 0), pollfd(fd: alarm, events: Int16(POLLIN), revents: 0)]
        let limit = seconds.map { Int32(min(max(0, ($0 * 1_000).rounded(.up)), 1e9)) } ?? -1
        guard poll(&wanted, 2, limit) > 0 else { return [] }
        var rung: UInt64 = 0
        if wanted[1].revents != 0 { _ = read(alarm, &rung, 8) }
        return state.withLock { state in
            var changed: Set<FilePath> = []
            while takeEvents(&state, &changed) {}
            return changed
        }
    }

    /// - Returns: Whether there may be more.
    private func takeEvents(_ state: inout State, _ changed: inout Set<FilePath>) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: MemoryLayout<inotify_event>.alignment) { buffer in
            let count = read(events, buffer.baseAddress!, buffer.count), header = MemoryLayout<inotify_event>.size
            guard count > 0 else { return false }
            var place = 0
            while place + header <= count {
                let event = buffer.loadUnaligned(fromByteOffset: place, as: inotify_event.self)
                let name = buffer[(place + header)..<min(count, place + header + Int(event.len))].prefix { $0 != 0 }
                take(event, FilePath(bytes: name), &state, &changed)
                place += header + Int(event.len)
            }
            return true
        }
    }

    private func take(_ event: inotify_event, _ name: FilePath, _ state: inout State, _ changed: inout Set<FilePath>) {
        func has(_ flags: Int...) -> Bool { flags.contains { event.mask & UInt32($0) != 0 } }
        if has(Int(IN_Q_OVERFLOW)) {
            // Nobody knows what was lost.
            changed.formUnion(roots)
            for root in roots { watch(root, &state) }
            return
        }
        guard let folder = state.folders[event.wd] else { return }
        if has(Int(IN_IGNORED)) {
            state.folders[event.wd] = nil
            changed.insert(folder)
            return
        }
        if has(Int(IN_DELETE_SELF), Int(IN_MOVE_SELF), Int(IN_UNMOUNT)) {
            changed.insert(folder)
            return
        }
        guard !name.bytes.isEmpty, options.includesHidden || name.bytes.first != UInt8(ascii: ".") else { return }
        let path = folder.appending(name)
        guard !excluded.contains(where: { path.isInside($0) }) else { return }
        let wasFolder = has(Int(IN_ISDIR))
        if wasFolder, has(Int(IN_MOVED_FROM), Int(IN_DELETE)) { forget(path, &state) }
        // A link to a folder comes as a file.
        let isFolder = has(Int(IN_CREATE), Int(IN_MOVED_TO)) && path.isFolder
        if isFolder { watch(path, &state) }
        if wasFolder, has(Int(IN_ATTRIB)) { watch(path, &state) }
        guard wasFolder || isFolder || Self.mayMatter(name) else { return }
        changed.insert(isFolder ? path : folder)
    }

    /// By the name alone: the file may be gone.
    private static func mayMatter(_ name: FilePath) -> Bool {
        guard let known = name.pathExtension else { return true }
        return known == "txt" || !PictureFileKind.isKnownOther(known)
    }

    /// Watches a folder and those beneath it: first itself, then what it holds, so that nothing comes unseen in between.
    private func watch(_ top: FilePath, _ state: inout State) {
        var waiting = [top]
        while let folder = waiting.popLast() {
            guard !excluded.contains(where: { folder.isInside($0) }) else { continue }
            let flags = Self.interest | UInt32(IN_ONLYDIR) | UInt32(IN_EXCL_UNLINK)
            let number = folder.withCString { inotify_add_watch(events, $0, flags) }
            if number < 0 {
                if errno == ENOSPC { state.unwatched += 1 } else { continue }
            } else if let known = state.folders[number], known != folder, known.isFolder {
                continue  // reached by another way: a link, or a loop of them
            } else {
                state.folders[number] = folder
            }
            for name in (try? FolderWalk.names(in: folder).get()) ?? [] {
                guard options.includesHidden || name.bytes.first != UInt8(ascii: ".") else { continue }
                let path = folder.appending(name)
                var own = stat()
                guard path.withCString({ lstat($0, &own) }) == 0 else { continue }
                switch own.st_mode & S_IFMT {
                case S_IFDIR: waiting.append(path)
                case S_IFLNK: if options.followsLinks, number >= 0, path.isFolder { waiting.insert(path, at: 0) }
                default: continue
                }
            }
        }
    }

    /// What lay at a place that is another's now, or nobody's.
    private func forget(_ top: FilePath, _ state: inout State) {
        for (number, folder) in state.folders where folder.isInside(top) {
            inotify_rm_watch(events, number)
            state.folders[number] = nil
        }
    }
}
