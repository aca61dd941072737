import CKernels
import Foundation
import Synchronization
import Tensors

/// Where the codes of a list come from: vectors of rows, or codes that another file of lists holds already.
struct ListContents: Sendable {
    /// Rows whose codes are to be made.
    var rows: [UInt32] = []
    /// Added to each of `rows`.
    var firstRow = 0
    /// Takes the codes of this list of other lists; their rows become `renumbered[row]`, or go where that is `UInt32.max`.
    var other: Lists?
    var renumbered: [UInt32]?
}

/// Writes `lists-GENERATION`: some lists at a time are put together on all threads and then written in order.
struct ListsWriter: Sendable {
    private static let listsTogether = 256

    let folder: Folder
    let snapshot: Snapshot
    let rotation: Rotation
    let centres: [Float]
    var header: ListsHeader

    private struct Encoded: Sendable {
        var bytes: [UInt8] = []
        var count = 0
        var squares = 0.0
    }

    /// Writes the file under a name of its own and gives it its right one. `contents` says what is in a list; with `measured` the
    /// reaches are found out from the lists before that.
    func write(measured: Bool, _ contents: @Sendable (Int) -> ListContents) throws(IndexError) {
        let name = ListsHeader.name(header.generation), path = folder.file(name + ".new")
        let file = try File.open(path, flags: O_RDWR | O_CREAT | O_TRUNC)
        do throws(IndexError) {
            var header = try write(contents, to: file)
            if measured, let lists = Lists(path, snapshot) {
                (header.orderingReach, header.reaches) = try lists.measuredReaches(snapshot)
                try file.write(header.encoded(), at: 0)
            }
            guard rename(path, folder.file(name)) == 0 else { throw file.failure("rename to \(name)") }
        } catch {
            unlink(path)
            throw error
        }
    }

    private func write(_ contents: @Sendable (Int) -> ListContents, to file: File) throws(IndexError) -> ListsHeader {
        var header = header, entries: [ListEntry] = [], end = header.listsStart
        for first in stride(from: 0, to: header.listCount, by: ListsWriter.listsTogether) {
            let lists = first..<min(header.listCount, first + ListsWriter.listsTogether)
            for (place, list) in try encoded(lists, contents).enumerated() {
                var entry = ListEntry()
                entry.offset = end
                entry.count = list.count
                entry.checksum = list.bytes.checksum(0..<list.bytes.count)
                if list.count > 0 { entry.radius = Float((list.squares / Double(list.count)).squareRoot()) }
                entry.square = square(lists.lowerBound + place)
                entries.append(entry)
                try file.write(list.bytes, at: end)
                end += list.bytes.count
            }
        }
        var body = centres.withUnsafeBytes { Array($0) }
        body += [UInt8](repeating: 0, count: header.tableStart - ListsHeader.byteCount - body.count)
        for entry in entries { entry.append(to: &body) }
        header.checksum = body.checksum(0..<body.count)
        try file.write(body, at: ListsHeader.byteCount)
        try file.write(header.encoded(), at: 0)
        return header
    }

    private func square(_ list: Int) -> Float {
        let dimension = header.settings.dimension
        return centres[list * dimension..<(list + 1) * dimension].reduce(0) { $0 + $1 * $1 }
    }

    private func encoded(_ lists: Range<Int>, _ contents: @Sendable (Int) -> ListContents) throws(IndexError) -> [Encoded] {
        let slots = Mutex([Encoded](repeating: Encoded(), count: lists.count))
        try inParallel(lists.count) { (range) throws(IndexError) in
            for place in range {
                let list = try encoded(lists.lowerBound + place, contents(lists.lowerBound + place))
                slots.withLock { $0[place] = list }
            }
        }
        return slots.withLock { $0 }
    }

    private func encoded(_ list: Int, _ contents: ListContents) throws(IndexError) -> Encoded {
        var packer = ListPacker(header)
        if let other = contents.other { try packer.take(list, of: other, contents.renumbered) }
        let kernels = sn_vectors().pointee, dimension = header.settings.dimension, isL2 = header.settings.metric == .l2
        var line = [Float](repeating: 0, count: dimension), work = [Float](repeating: 0, count: rotation.width)
        var bits = [UInt8](repeating: 0, count: rotation.width / 8), factors = [Float](repeating: 0, count: 4)
        try centres.withUnsafeBufferPointer { (centres) throws(IndexError) in
            try rotation.withEncoder(centre: centres.baseAddress! + list * dimension, dimension: dimension, isL2: isL2) {
                (encoder) throws(IndexError) in
                for number in contents.rows {
                    let row = Int(number) + contents.firstRow
                    try snapshot.checkRow(row)
                    snapshot.load(snapshot.pointer(row), into: &line)
                    kernels.bit_encode(&encoder, line, &work, &bits, &factors)
                    packer.append(row: UInt32(row), bits, slope: factors[0], offset: factors[1], error: factors[2])
                    packer.squares += Double(factors[3])
                }
            }
        }
        return Encoded(bytes: packer.bytes, count: packer.count, squares: packer.squares)
    }
}

/// Puts codes into blocks of 32.
struct ListPacker {
    let header: ListsHeader
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    /// Sum of the squared distances from the centre.
    var squares = 0.0

    init(_ header: ListsHeader) { self.header = header }

    mutating func append(row: UInt32, _ bits: [UInt8], slope: Float, offset: Float, error: Float) {
        let place = count % 32, groups = header.groups
        if place == 0 { bytes += [UInt8](repeating: 0, count: header.blockBytes) }
        let start = bytes.count - header.blockBytes
        bytes.withUnsafeMutableBytes { bytes in
            let block = bytes.baseAddress! + start, factors = block + 64 * groups + 4 * place
            sn_bit_put(block.assumingMemoryBound(to: UInt8.self), groups, place, bits)
            factors.storeBytes(of: slope, as: Float.self)
            factors.storeBytes(of: offset, toByteOffset: 128, as: Float.self)
            factors.storeBytes(of: error, toByteOffset: 256, as: Float.self)
            factors.storeBytes(of: row, toByteOffset: 384, as: UInt32.self)
        }
        count += 1
    }

    /// Takes over the codes of a list as they are. Its radius stands for all that stay.
    mutating func take(_ list: Int, of other: Lists, _ renumbered: [UInt32]?) throws(IndexError) {
        guard let blocks = other.blocks(list) else {
            throw .corrupt(
                file: ListsHeader.name(header.generation), offset: other.entries[list].offset, field: "checksum of list \(list)",
                found: "another", expected: "\(other.entries[list].checksum.hex)")
        }
        var bits = [UInt8](repeating: 0, count: header.width / 8)
        for place in 0..<other.entries[list].count {
            let row = renumbered.map { $0[other.row(blocks, place)] } ?? UInt32(other.row(blocks, place))
            if row == .max { continue }
            let block = blocks + place / 32 * header.blockBytes, factors = block + 64 * header.groups + 4 * (place % 32)
            sn_bit_take(block.assumingMemoryBound(to: UInt8.self), header.groups, place % 32, &bits)
            append(
                row: row, bits, slope: factors.load(as: Float.self), offset: factors.load(fromByteOffset: 128, as: Float.self),
                error: factors.load(fromByteOffset: 256, as: Float.self))
        }
        let radius = Double(other.entries[list].radius)
        squares += Double(count) * radius * radius
    }
}
