import Evaluation
import Foundation
import Imaging
import Tensors
import VectorIndex

/// Files that the measuring commands read.
enum EvaluationFile {
    private static let largest = 1 << 30

    static func bytes(_ path: String) throws(Failure) -> [UInt8] {
        do throws(PictureError) { return try FilePath(path).contents(limit: largest) } catch {
            throw Failure(.usage, "\(error)")
        }
    }

    /// Lines of text without the space around them; empty ones are left out.
    static func lines(_ path: String) throws(Failure) -> [String] {
        let text = String(decoding: try bytes(path), as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        guard !lines.isEmpty else { throw Failure(.usage, "\(path) holds no lines") }
        return lines
    }

    /// Rows `[n, dimension]` of an array.
    static func vectors(_ path: String) throws(Failure) -> Tensor {
        do throws(IndexError) {
            let reader = try VectorFileReader(path: path)
            return try reader.rows(0..<reader.count)
        } catch {
            throw Failure(.usage, "the array can't be read: \(error)")
        }
    }

    static func isArray(_ path: String) -> Bool { VectorFileFormat(path: path) != nil }

    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// The path of what a file names: in `folder` where one is given, else beside the file.
    static func path(of name: String, in folder: String? = nil, besides file: String) -> String {
        if name.hasPrefix("/") { return name }
        if let folder { return folder + "/" + name }
        return file.lastIndex(of: "/").map { String(file[...$0]) + name } ?? name
    }
}
