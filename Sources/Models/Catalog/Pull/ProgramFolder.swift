import Foundation

/// Where the files lie that come with the program.
public enum ProgramFolder {
    /// Places to look in, the first first: under `SENSORIUM_SHARE`; beside the program as it is built (`bundle`, a path beside it); under
    /// `share/sensorium` as it is installed.
    public static func places(share: String, bundle: String) -> [String] {
        let program = (CommandLine.arguments.first ?? "") as NSString
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map { $0 as NSString } ?? program
        let beside = own.deletingLastPathComponent
        return [
            ProcessInfo.processInfo.environment["SENSORIUM_SHARE"].map { $0 + "/" + share }, beside + "/" + bundle,
            (beside as NSString).deletingLastPathComponent + "/share/sensorium/" + share,
        ].compactMap { $0 }
    }
}
