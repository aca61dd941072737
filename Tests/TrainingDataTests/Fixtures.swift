import Checkpoints
import CZlib
import Foundation
import Imaging
import Tensors

@testable import TrainingData

/// A folder that goes away with the test.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("sensorium-data-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let place = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: place)
        return place.path
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    func path(_ name: String) -> String { path + "/" + name }
}

enum Made {
    /// A picture of smooth colours that differs for each seed.
    static func picture(_ seed: Int, width: Int = 24, height: Int = 20) throws -> Picture {
        var generator = RandomGenerator(seed: UInt64(seed))
        let corners = (0..<12).map { _ in Double(generator.uniform()) * 255 }
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let u = Double(x) / Double(width), v = Double(y) / Double(height)
                for channel in 0..<3 {
                    let top = corners[channel] * (1 - u) + corners[3 + channel] * u
                    let bottom = corners[6 + channel] * (1 - u) + corners[9 + channel] * u
                    pixels.append(UInt8(min(255, top * (1 - v) + bottom * v)))
                }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    /// A picture with edges: rectangles over smooth colours.
    static func scene(_ seed: Int, width: Int, height: Int) throws -> Picture {
        var pixels = try picture(seed, width: width, height: height).pixels
        var generator = RandomGenerator(seed: UInt64(seed) + 1_000)
        for _ in 0..<10 {
            let w = width / 8 + generator.below(width / 2), h = height / 8 + generator.below(height / 2)
            let x = generator.below(width - w), y = generator.below(height - h)
            let colour = (0..<3).map { _ in UInt8(generator.below(256)) }
            for row in y..<y + h {
                for column in x..<x + w { for channel in 0..<3 { pixels[(row * width + column) * 3 + channel] = colour[channel] } }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    static func jpeg(_ seed: Int, width: Int = 24, height: Int = 20) throws -> [UInt8] {
        try picture(seed, width: width, height: height).encoded(as: .jpeg(quality: 90))
    }

    static func png(_ seed: Int) throws -> [UInt8] { try picture(seed).encoded(as: .png()) }

    /// A tar archive in ustar form.
    static func tar(_ members: [(name: String, bytes: [UInt8])], type: UInt8 = 0x30) -> [UInt8] {
        members.flatMap { tarMember($0.name, $0.bytes, type: type) } + [UInt8](repeating: 0, count: 1024)
    }

    static func tarMember(_ name: String, _ bytes: [UInt8], type: UInt8 = 0x30, size: Int? = nil) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ at: Int) { for (index, byte) in text.utf8.enumerated() { header[at + index] = byte } }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(String(name.prefix(100)), 0)
        put("0000644", 100)
        put(octal(size ?? bytes.count, 11), 124)
        put("00000000000", 136)
        header[156] = type
        put("ustar", 257)
        put("00", 263)
        put("        ", 148)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6), 148)
        header[154] = 0
        header[155] = 0x20
        return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    static func paxRecord(_ key: String, _ value: String) -> String {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count + 1
        while String(length).utf8.count + rest.utf8.count != length { length += 1 }
        return "\(length)\(rest)"
    }

    static func gzipped(_ bytes: [UInt8], _ path: String) throws {
        let file = gzopen(path, "wb")
        _ = bytes.withUnsafeBytes { gzwrite(file, $0.baseAddress, UInt32($0.count)) }
        gzclose(file)
    }

    /// Samples `from..<to` of a shard: a picture and an English and a Chinese text each.
    static func shard(_ range: Range<Int>) throws -> [UInt8] {
        var members: [(name: String, bytes: [UInt8])] = []
        for index in range {
            let key = String(format: "set/%05d", index)
            members.append((key + ".jpg", try jpeg(index)))
            members.append((key + ".txt", Array("text \(index)".utf8)))
            members.append((key + ".zh.txt", Array("第\(index)张".utf8)))
            members.append((key + ".cls", Array("\(index % 3)".utf8)))
        }
        return tar(members)
    }

    /// A folder of `count` captioned pictures.
    static func folder(_ scratch: Scratch, count: Int, damaged: Set<Int> = []) throws -> FolderSource {
        for index in 0..<count {
            let name = String(format: "pictures/%03d", index)
            let bytes = try jpeg(index)
            try scratch.write(name + ".jpg", damaged.contains(index) ? Array(bytes.prefix(60)) : bytes)
            try scratch.write(name + ".txt", "one \(index)\ntwo \(index)\nthree \(index)\n")
        }
        return try FolderSource(path: scratch.path("pictures"))
    }

    static func view(_ size: Int = 8) throws -> PictureView { try .simCLR(size: size) }
}

extension BatchLoader {
    /// Everything until the end of the run.
    func all() throws -> [Batch] {
        var batches: [Batch] = []
        while let batch = try nextBatch() { batches.append(batch) }
        return batches
    }
}

extension Batch {
    /// What must be equal when two runs are.
    var trace: [String] {
        var lines = ["\(epoch) \(index) \(position)"]
        for example in examples { lines.append("\(example.id) \(example.captions.map(\.text)) \(example.label ?? -1)") }
        for view in pictures { lines.append(view.withBytes { ContentHash(of: Array($0)).hex }) }
        if let features { lines.append(features.withBytes { ContentHash(of: Array($0)).hex }) }
        return lines
    }
}

/// What `body` throws.
func dataError(_ body: () throws -> Void) -> DataError? {
    do {
        try body()
        return nil
    } catch {
        return error as? DataError
    }
}
