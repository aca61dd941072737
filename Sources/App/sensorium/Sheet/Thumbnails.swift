import Foundation
import Imaging

/// Small versions of pictures as data addresses, each made once.
struct Thumbnails {
    /// Pixels of the longer side: twice what a tile shows, for dense screens.
    static let longestSide = 320
    private var made: [FilePath: String] = [:]

    mutating func image(_ path: FilePath, alternative: String = "") -> String {
        let address: String
        if let known = made[path] {
            address = known
        } else {
            do throws(PictureError) { address = try Self.address(path) } catch {
                return "<span class=\"gone\">\(ContactSheet.escaped(error.description))</span>"
            }
            made[path] = address
        }
        return "<img loading=\"lazy\" alt=\"\(ContactSheet.escaped(alternative))\" src=\"\(address)\">"
    }

    private static func address(_ path: FilePath) throws(PictureError) -> String {
        // The decoder shrinks by the shorter side; drawings and icons keep their edges.
        let picture = try PictureDecoder.decode(path: path, shortestUsefulSide: longestSide).thumbnail(longestSide: longestSide)
        return "data:image/jpeg;base64," + Data(try picture.encoded(as: .jpeg(quality: 84))).base64EncodedString()
    }
}
