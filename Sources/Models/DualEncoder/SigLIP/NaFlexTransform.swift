import Checkpoints
import Imaging
import ModelKit
import Tensors

/// SigLIP 2's way with pictures of any shape: as large as the number of patches allows, sides rounded up to whole patches.
struct NaFlexTransform: Sendable {
    /// Everything but the size, which each picture decides.
    private let base: ImageTransform
    let patch: Int
    let mostPatches: Int

    init(_ folder: ModelFolder, patch: Int) throws {
        base = try folder.transform(default: .squash(224, filter: .bilinear, statistics: ImageTransform.Statistics.half))
        let settings = try folder.file("preprocessor_config.json").map { try ConfigReader(path: $0) }
        mostPatches = try settings?.int("max_num_patches", default: 256, in: 1...65536) ?? 256
        self.patch = patch
        if let settings, settings.has("patch_size"), try settings.int("patch_size") != patch {
            throw settings.invalid("patch_size", expected: "the network's \(patch)")
        }
    }

    var fingerprint: String {
        var fixed = base
        fixed.resize = nil
        return "naflex;patch=\(patch);patches=\(mostPatches);" + fixed.fingerprint
    }

    /// The picture as `[rows, columns, patch * patch * 3]`; within a patch row, column, channel.
    func apply(_ picture: Picture) throws -> Tensor {
        let (height, width) = size(height: picture.height, width: picture.width)
        var transform = base
        (transform.resize, transform.crop) = (.exact(height: height, width: width), nil)
        let pixels = try transform.apply(picture)  // [3, height, width]
        let rows = height / patch, columns = width / patch
        let cells = try pixels.splitAxis(1, into: [rows, patch]).splitAxis(3, into: [columns, patch])  // [3, rows, patch, columns, patch]
        return try cells.permuted([1, 3, 2, 4, 0]).reshaped([rows, columns, patch * patch * 3])
    }

    /// The largest scale that stays within the number of patches, found by halving as the reference does, so that ties fall alike.
    func size(height: Int, width: Int) -> (height: Int, width: Int) {
        func patches(_ side: Int, _ scale: Double) -> Double { max(1, (Double(side) * scale / Double(patch)).rounded(.up)) }
        var low = 1e-5 / 10, high = 100.0
        while high - low >= 1e-5 {
            let scale = (low + high) / 2
            if patches(height, scale) * patches(width, scale) <= Double(mostPatches) { low = scale } else { high = scale }
        }
        // Even the smallest scale may leave too many patches of a picture that is hundreds of millions of pixels long.
        let rows = min(patches(height, low), Double(mostPatches)),
            columns = min(patches(width, low), max(1, (Double(mostPatches) / rows).rounded(.down)))
        return (Int(rows) * patch, Int(columns) * patch)
    }
}
