extension ImageTransform {
    /// From open_clip: an `open_clip_config.json` with its `preprocess_cfg`, or that part alone (`open_clip/transform.py`, inference).
    /// - Parameter imageSize: the model's `vision_cfg.image_size`, for files whose `preprocess_cfg` has no `size`.
    public init(openCLIP json: [UInt8], imageSize: Int? = nil) throws(TransformConfigurationError) {
        let outer = try ProcessorFields(json: json)
        let fields = outer.object("preprocess_cfg") ?? outer
        let modelSize = try outer.object("model_cfg")?.object("vision_cfg")?.integers("image_size")
        let sides = try fields.integers("size") ?? modelSize ?? [imageSize ?? 224]
        guard let height = sides.first, let width = sides.last, (1...2).contains(sides.count) else {
            throw fields.bad("size", "one or two lengths")
        }
        let filters: [String: ResizeFilter] = [
            "bicubic": .bicubic, "bilinear": .bilinear, "random": .bilinear, "nearest": .nearest, "lanczos": .lanczos,
        ]
        guard let filter = filters[fields.string("interpolation") ?? "bicubic"] else {
            throw fields.bad("interpolation", "bicubic, bilinear, nearest or lanczos")
        }
        let fill = try fields.integer("fill_color") ?? 0
        guard (0...255).contains(fill) else { throw fields.bad("fill_color", "0 to 255") }
        let box = Crop(height: height, width: width)
        let (resize, crop): (Resize, Crop?) =
            switch fields.string("resize_mode") ?? "shortest" {
            case "shortest": (height == width ? .shortestEdge(height) : .covering(height: height, width: width), box)
            case "longest": (.within(height: height, width: width), Crop(height: height, width: width, fill: UInt8(fill)))
            case "squash": (.exact(height: height, width: width), nil)
            default: throw fields.bad("resize_mode", "shortest, longest or squash")
            }
        let statistics = Statistics.clip
        let mean = try fields.channels("mean") ?? statistics.mean, deviation = try fields.channels("std") ?? statistics.deviation
        do {
            try self.init(resize: resize, filter: filter, crop: crop, mean: mean, deviation: deviation, convention: .torchvision)
        } catch {
            throw TransformConfigurationError(field: "values", problem: error.description)
        }
    }
}
