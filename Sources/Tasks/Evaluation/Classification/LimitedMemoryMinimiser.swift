/// Minimises a smooth function by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6).
struct LimitedMemoryMinimiser {
    /// Pairs of steps and changes of the gradient that are remembered.
    var memory = 10
    var maximumIterations = 1_000
    /// The largest component of the gradient at which it ends.
    var tolerance = 1e-4
    /// Evaluations of one line search.
    var maximumSearch = 50
    /// What the function's value may be off, relative to it: its products are of single precision.
    var noise = 1e-9

    struct Result {
        var point: [Double]
        var value: Double
        var iterations: Int
        /// Largest component of the gradient.
        var gradient: Double
        var converged: Bool
    }

    typealias Function = ([Double]) throws -> (value: Double, gradient: [Double])

    private struct Pair {
        var step: [Double], change: [Double], scale: Double
    }

    func minimise(from start: [Double], _ function: Function) throws -> Result {
        var point = start, (value, gradient) = try function(start)
        var pairs: [Pair] = []
        for iteration in 0..<maximumIterations {
            let largest = Self.largest(gradient)
            if largest <= tolerance {
                return Result(point: point, value: value, iterations: iteration, gradient: largest, converged: true)
            }
            var direction = Self.direction(gradient, pairs)
            var slope = Self.dot(direction, gradient)
            if !(slope < 0) {
                // A memory that rounding has spoilt: the steepest way is always down.
                pairs = []
                direction = gradient.map { -$0 }
                slope = -Self.dot(gradient, gradient)
            }
            let first = pairs.isEmpty ? min(1, 1 / Self.dot(gradient, gradient).squareRoot()) : 1
            guard
                let next = try search(from: point, value, direction, slope, first: first, function)
            else { return Result(point: point, value: value, iterations: iteration, gradient: largest, converged: false) }
            let step = direction.map { $0 * next.length }, change = zip(next.gradient, gradient).map { $0 - $1 }
            let curvature = Self.dot(step, change)
            if curvature > 1e-300 {
                if pairs.count == memory { pairs.removeFirst() }
                pairs.append(Pair(step: step, change: change, scale: 1 / curvature))
            }
            (point, value, gradient) = (zip(point, step).map { $0 + $1 }, next.value, next.gradient)
        }
        let largest = Self.largest(gradient)
        return Result(point: point, value: value, iterations: maximumIterations, gradient: largest, converged: largest <= tolerance)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for place in a.indices { sum += a[place] * b[place] }
        return sum
    }

    private static func largest(_ values: [Double]) -> Double { values.reduce(0) { max($0, abs($1)) } }

    /// Minus the gradient times an estimate of the inverse Hessian.
    private static func direction(_ gradient: [Double], _ pairs: [Pair]) -> [Double] {
        var q = gradient.map { -$0 }, factors: [Double] = []
        for pair in pairs.reversed() {
            let factor = pair.scale * dot(pair.step, q)
            factors.append(factor)
            for place in q.indices { q[place] -= factor * pair.change[place] }
        }
        if let last = pairs.last {
            let scale = 1 / (last.scale * dot(last.change, last.change))
            for place in q.indices { q[place] *= scale }
        }
        for (pair, factor) in zip(pairs, factors.reversed()) {
            let correction = factor - pair.scale * dot(pair.change, q)
            for place in q.indices { q[place] += correction * pair.step[place] }
        }
        return q
    }

    private struct Trial {
        var length: Double, value: Double, slope: Double, gradient: [Double]
    }

    /// A step that satisfies the strong Wolfe conditions, or near the minimum, where values differ by rounding only, the curvature
    /// condition alone. nil where none is found.
    private func search(
        from point: [Double], _ value: Double, _ direction: [Double], _ slope: Double, first: Double, _ function: Function
    ) throws -> Trial? {
        let (decrease, curvature) = (1e-4, 0.9)
        func trial(_ length: Double) throws -> Trial {
            let (found, gradient) = try function(zip(point, direction).map { $0 + length * $1 })
            return Trial(length: length, value: found, slope: Self.dot(gradient, direction), gradient: gradient)
        }
        let slack = noise * abs(value)
        func isLow(_ t: Trial) -> Bool { t.value <= value + decrease * t.length * slope + slack }
        var low = Trial(length: 0, value: value, slope: slope, gradient: []), high: Trial?
        var length = first
        for _ in 0..<maximumSearch {
            let t = try trial(length)
            if !isLow(t) || (low.length > 0 && t.value >= low.value + slack) || !t.value.isFinite {
                high = t
            } else if abs(t.slope) <= -curvature * slope {
                return t
            } else {
                let crosses = high.map { t.slope * ($0.length - low.length) >= 0 } ?? (t.slope >= 0)
                if crosses { high = low }
                low = t
            }
            if let high {
                length = Self.between(low, high)
                if abs(high.length - low.length) <= 1e-14 * max(1, abs(high.length)) { break }
            } else {
                length = 4 * low.length
            }
        }
        return low.length > 0 && low.value < value ? low : nil
    }

    /// The minimum of the cubic through both ends, kept off them.
    private static func between(_ a: Trial, _ b: Trial) -> Double {
        let width = b.length - a.length, middle = a.length + width / 2
        guard b.value.isFinite, b.slope.isFinite else { return a.length + width / 10 }
        let d = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length)
        let square = d * d - a.slope * b.slope
        guard square >= 0 else { return middle }
        let root = square.squareRoot() * (width < 0 ? -1 : 1)
        let found = b.length - width * (b.slope + root - d) / (b.slope - a.slope + 2 * root)
        let (least, most) = (min(a.length, b.length) + abs(width) / 10, max(a.length, b.length) - abs(width) / 10)
        return found.isFinite ? min(max(found, least), most) : middle
    }
}
