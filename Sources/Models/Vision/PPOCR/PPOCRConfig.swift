import Checkpoints
import ModelKit

/// Sizes of PP-LCNetV4.
struct LCNetV4Config: Sendable {
    struct Block: Sendable {
        var width: Int
        var isGated: Bool
    }

    struct Stage: Sendable {
        var blocks: [Block]
        /// Of the first block, vertical and horizontal.
        var stride: (Int, Int)
        var width: Int { blocks[blocks.count - 1].width }
    }

    var stem: (middle: Int, output: Int)
    var stages: [Stage]

    /// Four stages; `stem` is a pair of widths, each stage has `widths`, `gated` (0 or 1 for each block) and `stride`.
    init(_ config: ConfigReader) throws {
        let stem = try config.ints("stem", in: 1...4096)
        guard stem.count == 2, stem[0] % 2 == 0 else { throw config.invalid("stem", expected: "two widths, the first even") }
        self.stem = (stem[0], stem[1])
        stages = try config.sections("stages").map { stage in
            let widths = try stage.ints("widths", in: 1...4096), gated = try stage.ints("gated", in: 0...1)
            let stride = try stage.ints("stride", default: [1, 1], in: 1...2)
            guard !widths.isEmpty, gated.count == widths.count, widths.count <= 100 else {
                throw stage.invalid("gated", expected: "as many entries as `widths` has, at least one")
            }
            guard stride.count == 2 else { throw stage.invalid("stride", expected: "two numbers") }
            return Stage(blocks: zip(widths, gated).map { Block(width: $0, isGated: $1 == 1) }, stride: (stride[0], stride[1]))
        }
        guard stages.count == 4 else { throw config.invalid("stages", expected: "four stages") }
        // A gate's inner layer has a quarter of its channels.
        let gates = zip([stem[1]] + stages.map(\.width), stages).allSatisfy { input, stage in
            zip([input] + stage.blocks.map(\.width), stage.blocks).allSatisfy { !$1.isGated || $0 >= 4 }
        }
        guard gates else { throw config.invalid("stages", expected: "at least 4 channels where a block is gated") }
    }
}

/// `config.json` of a model with the three networks of PP-OCR.
struct PPOCRConfig: Sendable {
    struct Detector: Sendable {
        var backbone: LCNetV4Config
        var width, kernel: Int
    }

    struct Recognizer: Sendable {
        var backbone: LCNetV4Config
        var width, depth, heads, hidden, kernel, lineHeight: Int
        var characters: [String]
    }

    struct Direction: Sendable {
        struct Block: Sendable {
            var kernel, hidden, width, stride: Int
            var isGated, swishes: Bool
        }
        var stem, output, lineHeight, lineWidth: Int
        var blocks: [Block]
    }

    var detector: Detector
    var recognizer: Recognizer
    var direction: Direction?

    init(_ config: ConfigReader) throws {
        let detector = try config.section("detector"), recognizer = try config.section("recognizer")
        self.detector = Detector(
            backbone: try LCNetV4Config(detector.section("backbone")), width: try detector.int("neck_width", in: 16...4096),
            kernel: try Self.oddKernel(detector, "neck_kernel"))
        guard self.detector.width % 4 == 0 else { throw detector.invalid("neck_width", expected: "a multiple of 4") }
        let width = try recognizer.size("neck_width")
        // The line's height is halved four times, and three rows are then averaged.
        let height = try recognizer.int("line_height", default: 48, in: 48...48)
        self.recognizer = Recognizer(
            backbone: try LCNetV4Config(recognizer.section("backbone")), width: width, depth: try recognizer.int("neck_depth", in: 1...64),
            heads: try recognizer.heads("neck_heads", width: width), hidden: try recognizer.size("neck_hidden"),
            kernel: try Self.oddKernel(recognizer, "neck_kernel"), lineHeight: height, characters: try Self.characters(recognizer))
        direction = try config.has("direction") ? Self.direction(config.section("direction")) : nil
    }

    private static func oddKernel(_ config: ConfigReader, _ field: String) throws -> Int {
        let kernel = try config.int(field, in: 1...31)
        guard kernel % 2 == 1 else { throw config.invalid(field, expected: "an odd number") }
        return kernel
    }

    /// The blank, the text's characters one after another (a Unicode scalar each), and the space.
    private static func characters(_ config: ConfigReader) throws -> [String] {
        let text = try config.string("characters")
        guard !text.isEmpty, text.unicodeScalars.count <= 1 << 20 else {
            throw config.invalid("characters", expected: "the characters in the order of their classes, at most 1048576")
        }
        return [""] + text.unicodeScalars.map { String($0) } + [" "]
    }

    private static func direction(_ config: ConfigReader) throws -> Direction {
        let widths = try config.ints("widths", in: 1...4096)
        func list(_ field: String, in range: ClosedRange<Int>) throws -> [Int] {
            let values = try config.ints(field, in: range)
            guard values.count == widths.count, !widths.isEmpty, widths.count <= 100 else {
                throw config.invalid(field, expected: "as many entries as `widths` has, at least one")
            }
            return values
        }
        let kernels = try list("kernels", in: 1...15), hidden = try list("hidden", in: 4...4096), strides = try list("strides", in: 1...2)
        let gated = try list("gated", in: 0...1), swishes = try list("hard_swish", in: 0...1)
        guard kernels.allSatisfy({ $0 % 2 == 1 }) else { throw config.invalid("kernels", expected: "odd numbers") }
        let blocks = widths.indices.map { index in
            Direction.Block(
                kernel: kernels[index], hidden: hidden[index], width: widths[index], stride: strides[index], isGated: gated[index] == 1,
                swishes: swishes[index] == 1)
        }
        return Direction(
            stem: try config.size("stem"), output: try config.size("output"),
            lineHeight: try config.int("line_height", default: 48, in: 32...512),
            lineWidth: try config.int("line_width", default: 192, in: 32...4096), blocks: blocks)
    }
}
