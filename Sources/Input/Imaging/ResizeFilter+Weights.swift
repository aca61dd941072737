#if canImport(Glibc)
    import Glibc
#endif

extension ResizeFilter {
    /// The filter's kernel at `x`, as in Pillow's `Resample.c`.
    func weight(_ x: Double) -> Double {
        switch self {
        case .nearest, .box: x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear: max(0, 1 - abs(x))
        case .hamming: ResizeFilter.hammingWeight(abs(x))
        case .bicubic: ResizeFilter.cubicWeight(abs(x), a: -0.5)
        case .lanczos: x >= -3 && x < 3 ? ResizeFilter.sinc(x) * ResizeFilter.sinc(x / 3) : 0
        }
    }

    private static func hammingWeight(_ x: Double) -> Double {
        if x == 0 { return 1 }
        if x >= 1 { return 0 }
        let angle = x * Double.pi
        return sin(angle) / angle * (Double(Float(0.54)) + Double(Float(0.46)) * cos(angle))
    }

    private static func cubicWeight(_ x: Double, a: Double) -> Double {
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }

    private static func sinc(_ x: Double) -> Double {
        if x == 0 { return 1 }
        let angle = x * Double.pi
        return sin(angle) / angle
    }
}
