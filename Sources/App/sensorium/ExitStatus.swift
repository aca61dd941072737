/// How the program ends, for scripts.
enum ExitStatus: Int32, CaseIterable {
    case ok = 0
    /// Some inputs failed, or nothing was found.
    case partial = 1
    case usage = 2
    /// A model or a library that can't be used.
    case unusable = 3
    /// A file that can't be written: disk full, no permission.
    case notWritten = 4
    case interrupted = 130

    var meaning: String {
        switch self {
        case .ok: "all went well"
        case .partial: "some inputs failed, or nothing was found"
        case .usage: "the command line is wrong"
        case .unusable: "the model or the library can't be used"
        case .notWritten: "something can't be written: disk full, no permission"
        case .interrupted: "interrupted by Ctrl-C; what was acknowledged is kept"
        }
    }

    /// The section of help and manual.
    static var help: String {
        "EXIT STATUS\n"
            + allCases.map { status in
                let number = String(status.rawValue)
                return "  " + number + String(repeating: " ", count: 5 - number.count) + status.meaning
            }.joined(separator: "\n")
    }
}
