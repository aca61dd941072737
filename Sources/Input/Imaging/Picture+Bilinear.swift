import Tensors

extension Picture {
    /// The picture with exactly these sides, from the two nearest pixels in each direction however much it shrinks. Equals OpenCV's
    /// `resize(..., INTER_LINEAR)` byte for byte: weights of 11 bits, sums of 16.
    /// Throws `PictureError.invalid` when a side isn't in `1...Picture.longestResizedSide`.
    public func resizedBilinearly(width newWidth: Int, height newHeight: Int) throws(PictureError) -> Picture {
        guard (1...Picture.longestResizedSide).contains(newWidth), (1...Picture.longestResizedSide).contains(newHeight) else {
            throw PictureError(
                .invalid("can't resize to \(newWidth)x\(newHeight): each side must be 1 to \(Picture.longestResizedSide) pixels"))
        }
        if newWidth == width && newHeight == height { return self }
        let columns = NearPixels(width, newWidth, clampsWeights: true), rows = NearPixels(height, newHeight, clampsWeights: false)
        let rowBytes = newWidth * 3
        let result = [UInt8](unsafeUninitializedCapacity: newHeight * rowBytes) { target, count in
            pixels.withUnsafeBufferPointer { source in
                let from = PixelAddress(source.baseAddress!), to = PixelAddress(target.baseAddress!)
                ThreadPool.parallelFor(newHeight, grain: 16) { range in
                    var upper = WideRow(rowBytes), lower = WideRow(rowBytes)
                    for y in range {
                        upper.fill(rows.first[y], from.bytes + rows.first[y] * width * 3, columns)
                        lower.fill(rows.second[y], from.bytes + rows.second[y] * width * 3, columns)
                        let (a, b) = (rows.weights[y].0, rows.weights[y].1), line = to.bytes + y * rowBytes
                        upper.sums.withUnsafeBufferPointer { top in
                            lower.sums.withUnsafeBufferPointer { bottom in
                                for i in 0..<rowBytes {
                                    line[i] = UInt8(
                                        truncatingIfNeeded: max(0, min(255, ((a * top[i]) >> 16 + (b * bottom[i]) >> 16 + 2) >> 2)))
                                }
                            }
                        }
                    }
                }
            }
            count = newHeight * rowBytes
        }
        return Picture(unchecked: result, width: newWidth, height: newHeight)
    }
}

/// One source row stretched or shrunk to the new width, in 4 bits less than the product with 11-bit weights has.
private struct WideRow {
    var sums: [Int32]
    private var row = -1

    init(_ count: Int) { sums = [Int32](repeating: 0, count: count) }

    mutating func fill(_ index: Int, _ source: UnsafePointer<UInt8>, _ columns: NearPixels) {
        if index == row { return }
        row = index
        sums.withUnsafeMutableBufferPointer { sums in
            for x in 0..<columns.first.count {
                let left = source + columns.first[x] * 3, right = source + columns.second[x] * 3, (a, b) = columns.weights[x]
                for channel in 0..<3 { sums[x * 3 + channel] = (Int32(left[channel]) * a + Int32(right[channel]) * b) >> 4 }
            }
        }
    }
}

/// The two source pixels of each target pixel along one axis, and their weights in 2048ths.
private struct NearPixels: Sendable {
    var first, second: [Int]
    var weights: [(Int32, Int32)]

    /// - Parameter clampsWeights: past the border the outermost pixel has all the weight. Otherwise it has both weights, which rounds apart.
    init(_ input: Int, _ output: Int, clampsWeights: Bool) {
        first = []
        second = []
        weights = []
        let ratio = 1 / (Double(output) / Double(input))
        for index in 0..<output {
            let centre = Float((Double(index) + 0.5) * ratio - 0.5)
            var place = Int(centre.rounded(.down)), part = centre - centre.rounded(.down)
            if clampsWeights, place < 0 { (place, part) = (0, 0) }
            if clampsWeights, place >= input - 1 { (place, part) = (input - 1, 0) }
            first.append(min(max(place, 0), input - 1))
            second.append(min(max(place + 1, 0), input - 1))
            func scaled(_ weight: Float) -> Int32 { Int32((weight * 2048).rounded(.toNearestOrEven)) }
            weights.append((scaled(1 - part), scaled(part)))
        }
    }
}

private struct PixelAddress: @unchecked Sendable {
    let bytes: UnsafeMutablePointer<UInt8>
    init(_ pointer: UnsafeMutablePointer<UInt8>) { bytes = pointer }
    init(_ pointer: UnsafePointer<UInt8>) { bytes = UnsafeMutablePointer(mutating: pointer) }
}
