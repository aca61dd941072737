import Tensors
import Testing

@testable import PictureLibrary

@Suite struct LookAlikesTests {
    /// More rows than are compared at once, some of them near others: the groups are those of all pairs, told by the first of each.
    @Test func groupsAreThoseOfAllPairs() throws {
        let count = 600, dimension = 4, threshold: Float = 0.999
        var state: UInt64 = 7
        func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 23) - 1
        }
        let rows = (0..<count).map { _ in
            let row = (0..<dimension).map { _ in next() }, length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / length }
        }
        // Best first is another order than that of the rows.
        let order = (0..<count).map { $0 * 7 % count }
        let found = try Library.leaders(Tensor(rows.flatMap { $0 }, [count, dimension]), order, threshold)
        var expected = Array(0..<count), isChanged = true
        while isChanged {
            isChanged = false
            for a in 0..<count {
                for b in 0..<a where expected[a] != expected[b] {
                    guard zip(rows[order[a]], rows[order[b]]).reduce(0, { $0 + $1.0 * $1.1 }) >= threshold else { continue }
                    let first = min(expected[a], expected[b])
                    (expected[a], expected[b], isChanged) = (first, first, true)
                }
            }
        }
        #expect(found == expected)
        let groups = Set(expected).count
        #expect(groups > 10 && groups < count - 10, "\(groups) groups")
    }
}
