import Imaging

extension Sample {
    /// Where the picture lies, for messages.
    public var place: String {
        switch picture {
        case let .file(path): path.description
        case let .bytes(_, name): name
        case .features: id
        }
    }

    /// The bytes of the picture's file.
    /// Throws when they can't be read, and for features.
    public func pictureBytes(limit: Int = DecodeLimits().fileBytes) throws(DataError) -> [UInt8] {
        switch picture {
        case let .file(path):
            do throws(PictureError) { return try path.contents(limit: limit) } catch { throw DataError(place, error.reasonText) }
        case let .bytes(bytes, name):
            guard !bytes.isEmpty else { throw DataError(name, "the picture is empty") }
            return bytes
        case .features: throw DataError(place, "this sample has features instead of a picture")
        }
    }

    /// The picture, decoded.
    /// - Parameter shortestUsefulSide: see `PictureDecoder.decode`.
    public func decoded(shortestUsefulSide: Int? = nil, limits: DecodeLimits = DataLimits().picture) throws(DataError) -> Picture {
        let bytes = try pictureBytes(limit: limits.fileBytes)
        do throws(PictureError) {
            return try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: shortestUsefulSide, limits: limits)
        } catch {
            throw DataError(place, error.reasonText)
        }
    }
}

extension PictureError {
    /// Without the file, which a `DataError` names itself.
    var reasonText: String { PictureError(reason).description }
}
