import Synchronization
import Tensors

/// Named intermediate outputs of a forward pass, for parity tests: `Taps.recording { try model(x) }`.
/// Where nobody records, a tap costs one task-local read.
public enum Taps {
    @TaskLocal private static var recorder: Recorder?

    private final class Recorder: Sendable {
        let tensors = Mutex<[String: Tensor]>([:])
    }

    public static func record(_ name: @autoclosure () -> String, _ value: Tensor) {
        if let recorder {
            let key = name()
            recorder.tensors.withLock { $0[key] = value }
        }
    }

    /// Whether intermediate outputs are wanted: then a model computes all of them.
    public static var areRecorded: Bool { recorder != nil }

    /// The result of `body` and every tensor tapped meanwhile.
    public static func recording<Result>(_ body: () throws -> Result) rethrows -> (Result, [String: Tensor]) {
        let recorder = Recorder()
        let result = try $recorder.withValue(recorder) { try body() }
        return (result, recorder.tensors.withLock { $0 })
    }
}
