import CKernels
import Testing

@testable import Imaging

/// Every instruction set that this machine has against the plain C of the scalar level, byte for byte.
struct KernelTests {
    static let levels = ["avx2", "avx512", "neon"].filter { (name: String) in sn_resizes_named(name) != nil }

    @Test func theChosenLevelIsKnown() throws {
        let name = String(cString: sn_kernels().pointee.name)
        #expect(String(cString: sn_resizes().pointee.name) == name)
        #expect(sn_resizes_named("no such level") == nil)
    }

    @Test(
        arguments: levels,
        [
            (1, 1, 1), (3, 5, 2), (4, 5, 9), (15, 16, 3), (16, 16, 16), (17, 33, 64), (31, 100, 7), (33, 64, 65), (5, 300, 224),
            (64, 21, 22),
        ])
    func rowsAndColumns(level: String, size: (rows: Int, from: Int, to: Int)) throws {
        let kernels = try #require(sn_resizes_named(level)).pointee, scalar = try #require(sn_resizes_named("scalar")).pointee
        for filter in ResizeFilter.allCases where filter != .nearest {
            let taps = Resampling.taps(from: size.from, to: size.to, range: 0..<size.to, filter: filter)
            let wide = try Fixtures.noise(size.from, size.rows, seed: size.rows + size.from)
            let rows = [kernels, scalar].map { level in
                Resampling.pass(wide.pixels, count: size.rows * size.to * 3, taps: taps) {
                    level.rgb_rows($0, size.rows, size.from, $2, $1)
                }
            }
            #expect(rows[0] == rows[1], "\(filter)")
            let high = try Fixtures.noise(size.rows, size.from, seed: size.rows + size.from)
            let columns = [kernels, scalar].map { level in
                Resampling.pass(high.pixels, count: size.rows * size.to * 3, taps: taps) { level.columns($0, size.rows * 3, $2, $1) }
            }
            #expect(columns[0] == columns[1], "\(filter)")
        }
    }
}
