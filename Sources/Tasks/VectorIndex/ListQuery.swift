import CKernels
import Foundation
import Tensors

/// How a search looks through lists. Lists are put in order by the score of their centres, and a certain reach times as much as
/// their vectors may be nearer (the distance of the query from the centre times the radius of the list: what the inequality of
/// Cauchy and Schwarz allows with a reach of 1). A list is looked at if its bound, with a greater reach that falls with the number
/// of lists before it, isn't below the k-th best score so far; of its vectors those count whose estimate, and `errors` times its
/// standard deviation, isn't. So queries that lie between lists see more of them, and far queries fall back on a scan of all
/// codes: the share of neighbours found, not the work, is what stays the same.
struct ListSettings: Sendable {
    var k: Int
    /// Candidates that are scored exactly.
    var pool: Int
    /// The reach by which lists are ordered, that of the first list's bound, and what it loses with each list times the logarithm.
    var ordering: Float
    var reach: Float
    var fading: Float
    var errors: Float

    init(_ header: ListsHeader, k: Int, recall: Double, depth: Double) {
        self.k = k
        pool = k + max(10, k / 2)
        reach = header.reach(share: recall, depth: depth)
        ordering = header.orderingReach
        fading = ListSettings.fading(ordering)
        let deviations: [Float] = [0, 0.84, 1.28, 1.64, 2.05, 2.33, 2.58, 3.09, 5]
        errors = deviations[ListsHeader.shares.firstIndex { $0 >= recall } ?? deviations.count - 1]
        guard recall >= 1 else { return }
        // Every list, every vector that could be one of the best, and room for the error of 8-bit codes.
        (reach, fading, pool) = (1e6, 0, min(8 * k, 1 << 40) + 64)
    }

    /// Of clustered and of real vectors, this leaves the least to look at: half of it or twice as much hardly change anything.
    static func fading(_ ordering: Float) -> Float { 0.16 * abs(ordering) }

    /// The reach after some lists.
    func reach(after lists: Int) -> Float { reach - fading * log(Float(lists + 1)) }
}

/// One query made ready for lists: its code, its look-up tables, and each list's product and bound. Reused from query to query.
struct ListQuery: ~Copyable {
    let lists: Lists
    let isL2: Bool
    private(set) var codes: [Int8]
    private(set) var factor: Float = 0
    private(set) var term: Float = 0
    private(set) var square: Float = 0
    private(set) var tables: [UInt8]
    private(set) var step: Float = 0
    private(set) var bias: Float = 0
    private(set) var products: [Float]
    /// By which lists are put in order: their bounds with `ListSettings.ordering`.
    private(set) var order: [Float]
    /// Bounds of lists with the reach that was last asked for.
    private(set) var bounds: [Float]
    private var dots: [Int32]
    private var rotated: [Float]
    private var values: [Float]

    init(_ lists: Lists) {
        self.lists = lists
        let header = lists.header
        isL2 = header.settings.metric == .l2
        codes = [Int8](repeating: 0, count: header.width)
        tables = [UInt8](repeating: 0, count: 4 * header.width)
        products = [Float](repeating: 0, count: header.listCount)
        order = products
        bounds = products
        dots = [Int32](repeating: 0, count: header.listCount)
        rotated = [Float](repeating: 0, count: header.width)
        values = [Float](repeating: 0, count: header.settings.dimension)
    }

    /// What the values of a query are multiplied by: with the inner product its length says nothing about the order, so it is made
    /// that of the vectors, for which the bounds were measured.
    static func scale(_ header: ListsHeader, squaredLength: Double) -> Float {
        guard header.settings.metric == .innerProduct, squaredLength > 0 else { return 1 }
        let scale = header.length / Float(squaredLength.squareRoot())
        return scale.isFinite ? scale : 1
    }

    mutating func prepare(_ query: UnsafePointer<Float>, scale: Float) {
        let dimension = values.count, kernels = sn_vectors().pointee
        square = 0
        for i in 0..<dimension {
            values[i] = query[i] * scale
            rotated[i] = values[i]
        }
        for i in dimension..<rotated.count { rotated[i] = 0 }
        for value in values { square += value * value }
        lists.rotation.apply(&rotated)
        kernels.bit_tables(rotated, lists.rotation.groups, &tables, &step, &bias)
        encode()
        let centres = lists.centres
        kernels.code_dots(codes, 1, centres.codes, centres.count, centres.width, &dots)
        let one = isL2 ? factor / 2 : factor
        kernels.code_scores_rows(dots, centres.scales, centres.zeros, one, isL2 ? term / 2 : term, &products, centres.count)
    }

    /// Works out the bounds by which lists are put in order.
    mutating func arrange(reach: Float) {
        bound(reach: reach)
        swap(&order, &bounds)
    }

    /// Works out the bounds of all lists.
    mutating func bound(reach: Float) {
        let centres = lists.centres
        centres.squares.withUnsafeBufferPointer { squares in
            centres.radii.withUnsafeBufferPointer { radii in
                var job = sn_list_bounds(
                    squares: squares.baseAddress!, radii: radii.baseAddress!, count: centres.count, query_square: square, reach: reach,
                    l2: isL2)
                sn_vectors().pointee.list_bounds(&job, products, &bounds)
            }
        }
    }

    /// The bound of one list.
    func bound(_ list: Int, reach: Float) -> Float {
        base(list) - (isL2 ? lists.centres.squares[list] : 0) + reach * (isL2 ? 2 : 1) * distance(list) * lists.centres.radii[list]
    }

    private mutating func encode() {
        var sum = 0
        let scale = CodeBlock.quantise(values) {
            codes[$0] = Int8(truncatingIfNeeded: $1)
            sum += $1
        }
        factor = isL2 ? 2 * scale : scale
        term = -128 * factor * Float(sum)
    }

    /// Distance of the query from a list's centre.
    func distance(_ list: Int) -> Float { max(0, square - 2 * products[list] + lists.centres.squares[list]).squareRoot() }

    /// What a list's vectors have in common in their scores.
    func base(_ list: Int) -> Float { isL2 ? 2 * products[list] : products[list] }

    /// The reach at which a list's bound is `score`, as scores are within lists.
    func reach(_ list: Int, for score: Float) -> Float {
        let centre = base(list) - (isL2 ? lists.centres.squares[list] : 0)
        let unit = (isL2 ? 2 : 1) * distance(list) * max(lists.centres.radii[list], 0)
        return unit > 0 ? (score - centre) / unit : 0
    }
}
