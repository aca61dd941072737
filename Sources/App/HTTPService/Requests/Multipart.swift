import Foundation
import Hummingbird

/// A form with files: `multipart/form-data` (RFC 7578).
struct Multipart {
    struct Part {
        var name: String
        /// Whether it was sent as a file.
        var isFile: Bool
        var bytes: ArraySlice<UInt8>
    }

    private static let mostParts = 128
    private static let longestHeaders = 8_192

    let parts: [Part]

    /// - Parameter type: the header `Content-Type`.
    init(_ bytes: [UInt8], type: String) throws(APIError) {
        guard let boundary = Self.parameter("boundary", of: type), (1...70).contains(boundary.utf8.count) else {
            throw Self.damaged("the Content-Type names no boundary of 1 to 70 characters")
        }
        let line = Array("\r\n--".utf8) + Array(boundary.utf8)
        var parts: [Part] = []
        // The first boundary begins the body, without a line end before it, unless something to skip comes first.
        var at = bytes.starts(with: line.dropFirst(2)) ? line.count - 2 : 0
        if at == 0 {
            guard let first = Self.find(line, in: bytes[...], from: 0) else { throw Self.damaged("the boundary isn't there") }
            at = first + line.count
        }
        while true {
            if bytes[at...].starts(with: Array("--".utf8)) { break }
            guard bytes[at...].starts(with: [13, 10]), let next = Self.find(line, in: bytes[...], from: at) else {
                throw Self.damaged("a part doesn't end with the boundary")
            }
            guard parts.count < Self.mostParts else { throw Self.damaged("there are more than \(Self.mostParts) parts") }
            parts.append(try Self.part(bytes[(at + 2)..<max(next, at + 2)]))
            at = next + line.count
        }
        self.parts = parts
    }

    private static func damaged(_ reason: String) -> APIError {
        APIError(.badRequest, "invalid_form", "the multipart body is damaged: \(reason)")
    }

    private static func part(_ bytes: ArraySlice<UInt8>) throws(APIError) -> Part {
        let blank: [UInt8] = [13, 10, 13, 10]
        // A part may have no header lines at all, but then it has no name either.
        guard let end = find(blank, in: bytes, from: bytes.startIndex), end - bytes.startIndex <= longestHeaders else {
            throw damaged("a part has no header lines, or too many")
        }
        guard let head = String(validating: bytes[..<end], as: UTF8.self) else { throw damaged("a part's header lines aren't UTF-8") }
        let lines = head.split(separator: "\r\n")
        guard let disposition = lines.first(where: { $0.lowercased().hasPrefix("content-disposition:") }),
            let name = parameter("name", of: String(disposition))
        else {
            throw damaged("a part has no name")
        }
        let isFile = parameter("filename", of: String(disposition)) != nil || parameter("filename*", of: String(disposition)) != nil
        return Part(name: name, isFile: isFile, bytes: bytes[(end + 4)...])
    }

    /// The value of `name` in `form-data; name="value"`.
    static func parameter(_ name: String, of header: String) -> String? {
        for part in header.split(separator: ";").dropFirst() {
            let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard sides.count == 2, sides[0].lowercased() == name else { continue }
            guard sides[1].hasPrefix("\"") else { return sides[1] }
            return String(sides[1].dropFirst().prefix { $0 != "\"" })
        }
        return nil
    }

    /// Where `wanted` begins at or after `start`.
    private static func find(_ wanted: [UInt8], in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        bytes[start...].withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            var at = 0
            while at + wanted.count <= buffer.count {
                guard let hit = memchr(base + at, Int32(wanted[0]), buffer.count - wanted.count - at + 1) else { return nil }
                let place = base.distance(to: UnsafeRawPointer(hit))
                if memcmp(hit, wanted, wanted.count) == 0 { return place + start }
                at = place + 1
            }
            return nil
        }
    }
}
