import CVips

/// Whatever a loader gave, as 8-bit sRGB or grey with or without alpha: 1 to 4 bands.
struct ColorConversion {
    let image: VipsHandle
    let format: PictureFormat

    /// nil when libvips fails; its error text says why.
    func srgb() throws(PictureError) -> VipsHandle? {
        let colours = try colourBands()
        guard image.bands > colours else { return try converted(image, colours) }
        guard let colour = image.map({ sn_vips_extract($0, 0, Int32(colours), $1) }), let result = try converted(colour, colours),
            let band = image.map({ sn_vips_extract($0, Int32(colours), 1, $1) }), let alpha = eightBit(alpha: band)
        else { return nil }
        return result.map { sn_vips_join($0, alpha.pointer, $1) }
    }

    private func colourBands() throws(PictureError) -> Int {
        switch image.format {
        case VIPS_FORMAT_UCHAR, VIPS_FORMAT_USHORT, VIPS_FORMAT_UINT: break
        case VIPS_FORMAT_FLOAT, VIPS_FORMAT_DOUBLE:
            guard image.bands >= 3 else {
                throw PictureError(.unsupported(format.description, "floating-point grey values have no defined white"))
            }
        default: throw PictureError(.unsupported(format.description, "signed or complex samples"))
        }
        if image.interpretation == VIPS_INTERPRETATION_CMYK { return min(4, image.bands) }
        return image.bands < 3 ? 1 : 3
    }

    private func eightBit(alpha: VipsHandle) -> VipsHandle? {
        switch alpha.format {
        case VIPS_FORMAT_UCHAR: return alpha
        case VIPS_FORMAT_FLOAT, VIPS_FORMAT_DOUBLE:
            guard let scaled = alpha.map({ sn_vips_scale($0, 255, $1) }) else { return nil }
            return scaled.map { sn_vips_cast($0, VIPS_FORMAT_UCHAR, 0, $1) }
        default: return alpha.map { sn_vips_cast($0, VIPS_FORMAT_UCHAR, 1, $1) }
        }
    }

    private func converted(_ colour: VipsHandle, _ bands: Int) throws(PictureError) -> VipsHandle? {
        var colour = colour
        if colour.format == VIPS_FORMAT_UINT {
            guard let shorter = colour.map({ sn_vips_cast($0, VIPS_FORMAT_USHORT, 1, $1) }),
                let labelled = shorter.map({ sn_vips_relabel($0, bands == 1 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16, $1) })
            else { return nil }
            colour = labelled
        }
        if colour.interpretation == VIPS_INTERPRETATION_CMYK {
            let intent = embeddedProfile()?.intent ?? VIPS_INTENT_RELATIVE
            if let managed = colour.map({ sn_vips_icc_to_srgb($0, "cmyk", intent, $1) }) { return managed }
            vips_error_clear()
            return colour.map { sn_vips_colourspace($0, VIPS_INTERPRETATION_sRGB, $1) }
        }
        // A picture with a profile that is unreadable or made for other channels is still a picture: read it as sRGB.
        if let managed = managed(colour, bands) { return managed }
        return colour.map { sn_vips_colourspace($0, bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, $1) }
    }

    private func embeddedProfile() -> ColorProfile? {
        image.blob("icc-profile-data", limit: ColorProfile.longest).map(ColorProfile.init)
    }

    private func managed(_ colour: VipsHandle, _ bands: Int) -> VipsHandle? {
        guard colour.format == VIPS_FORMAT_UCHAR || colour.format == VIPS_FORMAT_USHORT,
            let profile = embeddedProfile(), profile.isUsable(bands: bands),
            !profile.isSRGB
        else { return nil }
        guard let result = colour.map({ sn_vips_icc_to_srgb($0, "srgb", profile.intent, $1) }) else {
            vips_error_clear()
            return nil
        }
        return result
    }
}
