import Foundation
import Imaging
import Synchronization

/// Who a request comes from.
struct Caller: Sendable {
    /// The key's name; nil without one.
    var name: String?
    var scopes: Set<Scope>

    static let anyone = Caller(scopes: Set(Scope.allCases))
}

/// The keys that open the service now. A file that changed is read again, so that a key taken away is worth nothing at once; while it
/// can't be understood nobody gets in.
final class KeyRing: Sendable {
    private struct State {
        var stamp: [Int]?
        var file: KeyFile?
        var problem: SettingsError?
    }

    private let path: FilePath
    private let state = Mutex(State())

    init(_ path: FilePath) throws(SettingsError) {
        self.path = path
        let (stamp, file) = (Self.stamp(path), try KeyFile(path))
        state.withLock { $0 = State(stamp: stamp, file: file) }
    }

    /// Whether there are keys; without any, all may come in.
    var isLocked: Bool { current { $0.problem != nil || $0.file?.entries.isEmpty == false } }

    /// The key's owner; nil for a key that isn't known.
    func caller(_ key: String) -> Caller? {
        let hash = Array(KeyFile.hash(key).utf8)
        return current { state in
            guard state.problem == nil, let file = state.file else { return nil }
            // All are compared, and all of each: how long it takes says nothing of how near a guess was.
            var found: KeyFile.Entry?
            for entry in file.entries where zip(entry.hash.utf8, hash).reduce(0, { $0 | ($1.0 ^ $1.1) }) == 0 { found = entry }
            return found.map { Caller(name: $0.name, scopes: Set($0.scopes)) }
        }
    }

    private func current<Value: Sendable>(_ body: (State) -> Value) -> Value {
        let stamp = Self.stamp(path)
        return state.withLock { state in
            if state.stamp != stamp {
                do throws(SettingsError) { state = State(stamp: stamp, file: try KeyFile(path)) } catch {
                    state = State(stamp: stamp, problem: error)
                }
            }
            return body(state)
        }
    }

    private static func stamp(_ path: FilePath) -> [Int]? {
        var status = stat()
        guard stat(path.display, &status) == 0 else { return nil }
        return [Int(status.st_ino), Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec), Int(status.st_size)]
    }
}
