/// Windows bitmaps. libvips reads them only through ImageMagick, whose hundred formats are no place to send hostile bytes to.
enum BMPReader {
    static func decode(_ bytes: [UInt8], limits: DecodeLimits) throws(PictureError) -> Picture {
        throw PictureError(.unsupported("BMP", "not read yet"))
    }
}
