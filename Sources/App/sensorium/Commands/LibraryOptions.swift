import ArgumentParser
import Foundation
import Imaging
import PictureLibrary

struct LibraryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The library's folder (default: SENSORIUM_LIBRARY, else ~/.local/share/sensorium/library).", valueName: "dir"),
        completion: .directory)
    var library: String?

    var path: FilePath { library.map { FilePath($0).absolute() } ?? Library.defaultPath() }

    func open(create: Bool = false) throws -> Library {
        if let library, library.isEmpty { throw Failure(.usage, "--library is empty: name a folder") }
        return try Library(at: path, create: create)
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON object per line.")
    var json = false

    @Flag(name: .long, help: "No progress and no remarks, only results and errors.")
    var quiet = false

    /// A remark on the error output that `--quiet` leaves out.
    func remark(_ text: String) {
        if !quiet { Console.standard.error(text) }
    }
}
