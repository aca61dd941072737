extension ImageTransform {
    /// Mean and deviation of the three collections that nearly every checkpoint was trained on.
    public enum Statistics {
        public static let clip = (mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
        public static let imageNet = (mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
        public static let half = (mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
    }

    /// What an image processor class of transformers does where the file is silent.
    private struct Defaults {
        var shortest = false
        var size: Int
        var filter: ResizeFilter
        var crop: Int?
        var statistics: (mean: [Double], deviation: [Double])
        var cropFraction: Double?

        static func named(_ name: String) -> Defaults {
            switch name {
            // A lone number is a squared size for Chinese-CLIP, as in cn_clip.
            case "ChineseCLIP": Defaults(size: 224, filter: .bicubic, crop: 224, statistics: Statistics.clip)
            case "CLIP", "Bit", "Llava": Defaults(shortest: true, size: 224, filter: .bicubic, crop: 224, statistics: Statistics.clip)
            case "ConvNext", "ConvNeXT":
                Defaults(shortest: true, size: 384, filter: .bilinear, statistics: Statistics.imageNet, cropFraction: 224.0 / 256)
            case "Siglip", "Siglip2": Defaults(size: 224, filter: .bicubic, statistics: Statistics.half)
            case "Blip": Defaults(size: 384, filter: .bicubic, statistics: Statistics.clip)
            case "Deit", "DeiT": Defaults(size: 256, filter: .bicubic, crop: 224, statistics: Statistics.imageNet)
            case "Beit": Defaults(size: 256, filter: .bicubic, crop: 224, statistics: Statistics.half)
            default: Defaults(size: 224, filter: .bilinear, statistics: Statistics.half)
            }
        }
    }

    /// From a `preprocessor_config.json` of Hugging Face transformers (image processors and the older feature extractors).
    /// - Parameter arithmetic: what resizes; nil takes what the class named in the file uses: Pillow, or torch for the `Fast` ones.
    public init(huggingFace json: [UInt8], arithmetic: Arithmetic? = nil) throws(TransformConfigurationError) {
        let outer = try ProcessorFields(json: json)
        // `processor_config.json` and newer files keep the picture's part inside.
        let fields = outer.object("image_processor") ?? outer
        let type = fields.string("image_processor_type") ?? fields.string("feature_extractor_type") ?? ""
        let isFast = type.hasSuffix("Fast")
        let stem = ["Fast", "ImageProcessor", "FeatureExtractor"].reduce(type) { $0.hasSuffix($1) ? String($0.dropLast($1.count)) : $0 }
        let defaults = Defaults.named(stem)
        try ImageTransform.refuseUnsupported(fields)

        let filterNumber = try fields.integer("resample") ?? defaults.filter.rawValue
        guard let filter = ResizeFilter(rawValue: filterNumber) else { throw fields.bad("resample", "a filter 0 to 5") }
        let doesCrop = try fields.flag("do_center_crop") ?? (defaults.crop != nil)
        var crop = doesCrop ? try ImageTransform.crop(fields, defaults.crop ?? defaults.size) : nil
        var resize: Resize?
        if try fields.flag("do_resize") ?? true {
            resize = try ImageTransform.resize(fields, shortest: defaults.shortest || (stem.isEmpty && doesCrop), fallback: defaults.size)
            if let fraction = try fields.number("crop_pct") ?? defaults.cropFraction, case let .shortestEdge(side)? = resize {
                (resize, crop) = try ImageTransform.cropFraction(fraction, side, crop)
            }
        }
        let rescales = try fields.flag("do_rescale") ?? true
        let normalises = try fields.flag("do_normalize") ?? true
        let chosen = arithmetic ?? (isFast ? (filter == .bicubic ? .torchBytes : .torchFloat) : .pillow)
        do {
            try self.init(
                resize: resize, filter: filter, crop: crop,
                rescaleFactor: rescales ? (try? fields.number("rescale_factor")) ?? 1.0 / 255 : nil,
                mean: normalises ? (try? fields.channels("image_mean")) ?? defaults.statistics.mean : nil,
                deviation: normalises ? (try? fields.channels("image_std")) ?? defaults.statistics.deviation : nil,
                arithmetic: chosen, convention: .transformers)
        } catch {
            throw TransformConfigurationError(field: "values", problem: error.description)
        }
    }

    private static func refuseUnsupported(_ fields: ProcessorFields) throws(TransformConfigurationError) {
        for name in ["image_mean", "image_std"] { _ = try fields.channels(name) }
        _ = try fields.number("rescale_factor")
        for name in ["do_flip_channel_order", "do_pad", "rescale_offset", "do_thumbnail", "do_image_splitting"]
        where try fields.flag(name) ?? false {
            throw TransformConfigurationError(field: name, problem: "this step is not supported here")
        }
    }

    private static func crop(_ fields: ProcessorFields, _ fallback: Int) throws(TransformConfigurationError) -> Crop {
        if let object = fields.object("crop_size") {
            if let height = try object.integer("height"), let width = try object.integer("width") {
                return Crop(height: height, width: width)
            }
            if let side = try object.integer("shortest_edge") { return Crop(height: side, width: side) }
            throw fields.bad("crop_size", "height and width")
        }
        guard let sides = try fields.integers("crop_size") else { return Crop(height: fallback, width: fallback) }
        guard let first = sides.first, sides.count <= 2 else { throw fields.bad("crop_size", "one or two lengths") }
        return Crop(height: first, width: sides.last ?? first)
    }

    private static func resize(_ fields: ProcessorFields, shortest: Bool, fallback: Int) throws(TransformConfigurationError) -> Resize {
        guard let object = fields.object("size") else {
            guard let sides = try fields.integers("size") else {
                return shortest ? .shortestEdge(fallback) : .exact(height: fallback, width: fallback)
            }
            guard let first = sides.first, sides.count <= 2 else { throw fields.bad("size", "one or two lengths") }
            return sides.count == 1 && shortest ? .shortestEdge(first) : .exact(height: first, width: sides.last ?? first)
        }
        if let height = try object.integer("height"), let width = try object.integer("width") {
            return .exact(height: height, width: width)
        }
        let short = try object.integer("shortest_edge"), long = try object.integer("longest_edge")
        if let short { return long.map { .shortestEdgeWithin(short, longest: $0) } ?? .shortestEdge(short) }
        if let long { return .longestEdge(long) }
        if let height = try object.integer("max_height"), let width = try object.integer("max_width") {
            return .within(height: height, width: width)
        }
        throw fields.bad("size", "height and width, shortest_edge, longest_edge, or max_height and max_width")
    }

    /// ConvNeXt's way: below 384 the shorter side gets longer by the fraction and a square is cut out; from 384 on the picture is squashed.
    private static func cropFraction(_ fraction: Double, _ side: Int, _ crop: Crop?) throws(TransformConfigurationError) -> (Resize, Crop?)
    {
        guard fraction > 0, fraction <= 1 else {
            throw TransformConfigurationError(field: "crop_pct", problem: "expected a number over 0 and up to 1, found \(fraction)")
        }
        guard side < 384 else { return (.exact(height: side, width: side), crop) }
        let enlarged = Double(side) / fraction
        guard enlarged <= Double(longestSide) else {
            throw TransformConfigurationError(field: "crop_pct", problem: "\(fraction) makes sides over \(longestSide) pixels")
        }
        return (.shortestEdge(Int(enlarged)), Crop(height: side, width: side))
    }
}
