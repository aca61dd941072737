import Imaging
import PictureLibrary
import Synchronization

/// Small versions of pictures as JPEG, the last ones kept: a page of results asks for the same again and again.
final class ThumbnailStore: Sendable {
    static let sides = 16...2_048
    static let standardSide = 320
    /// Bytes that are kept.
    private static let room = 64 << 20

    private struct State {
        var pictures: [String: [UInt8]] = [:]
        /// Oldest first.
        var order: [String] = []
        var bytes = 0
    }

    private let state = Mutex(State())

    /// Name of the thumbnail in `ETag`s, too.
    static func tag(_ picture: OpenedPicture, side: Int) -> String { "\(picture.tag)-\(side)" }

    func thumbnail(_ picture: OpenedPicture, side: Int) throws -> [UInt8] {
        let tag = Self.tag(picture, side: side)
        if let known = state.withLock({ $0.pictures[tag] }) { return known }
        let bytes = try picture.bytes(limit: DecodeLimits().fileBytes)
        // The decoder shrinks by the shorter side; drawings and icons keep their edges.
        let made = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: side).thumbnail(longestSide: side)
            .encoded(as: .jpeg(quality: 84))
        keep(made, tag)
        return made
    }

    private func keep(_ bytes: [UInt8], _ tag: String) {
        state.withLock { state in
            guard state.pictures[tag] == nil, bytes.count <= Self.room / 8 else { return }
            state.pictures[tag] = bytes
            state.order.append(tag)
            state.bytes += bytes.count
            var gone = 0
            while state.bytes > Self.room {
                state.bytes -= state.pictures.removeValue(forKey: state.order[gone])?.count ?? 0
                gone += 1
            }
            state.order.removeFirst(gone)
        }
    }
}
