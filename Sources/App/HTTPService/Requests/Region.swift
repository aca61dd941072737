import Imaging

/// A part of a picture: its left and upper edge, width and height, each as a part of the whole, 0 to 1.
struct Region: Sendable, Equatable {
    let x: Double, y: Double, width: Double, height: Double

    init(_ numbers: [Double], field: String) throws(APIError) {
        guard numbers.count == 4, numbers.allSatisfy(\.isFinite), numbers[0] >= 0, numbers[1] >= 0, numbers[2] > 0, numbers[3] > 0,
            numbers[0] + numbers[2] <= 1.000_001, numbers[1] + numbers[3] <= 1.000_001
        else {
            throw .invalid(field, "x, y, width and height are expected, as parts of the picture from 0 to 1 that end inside it")
        }
        (x, y, width, height) = (numbers[0], numbers[1], numbers[2], numbers[3])
    }

    /// At least one pixel.
    func crop(_ picture: Picture) throws(PictureError) -> Picture {
        func span(_ start: Double, _ length: Double, _ whole: Int) -> (Int, Int) {
            let first = min(whole - 1, Int((start * Double(whole)).rounded(.down)))
            let end = min(whole, max(first + 1, Int(((start + length) * Double(whole)).rounded())))
            return (first, end - first)
        }
        let (left, across) = span(x, width, picture.width), (top, down) = span(y, height, picture.height)
        return try picture.cropped(x: left, y: top, width: across, height: down)
    }
}
