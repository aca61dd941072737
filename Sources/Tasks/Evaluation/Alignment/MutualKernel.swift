import Tensors

/// CKNNA: unbiased HSIC of linear kernels in which only the pairs stay whose second row is among the k nearest of the first in both
/// models. The kernels so masked have at most k elements in a row and aren't symmetric.
enum MutualKernel {
    private struct Element {
        var column: Int
        var k: Double, l: Double
    }

    static func alignment(_ x: Tensor, _ y: Tensor, neighbours: Int) throws -> Double {
        let near = try NearestRows(of: x, among: x, count: neighbours, excludesItself: true)
        let other = try NearestRows(of: y, among: y, count: neighbours, excludesItself: true)
        func hsic(_ k: NearestRows, _ l: NearestRows) -> Double {
            unbiased((0..<x.dim(0)).map { row in common(k, l, row) })
        }
        return hsic(near, other) / ((hsic(near, near) * hsic(other, other)).squareRoot() + 1e-6)
    }

    private static func common(_ k: NearestRows, _ l: NearestRows, _ row: Int) -> [Element] {
        let values = Dictionary(zip(l[row], l.scores(of: row))) { first, _ in first }
        return zip(k[row], k.scores(of: row)).compactMap { column, value in
            values[column].map { Element(column: Int(column), k: Double(value), l: Double($0)) }
        }
    }

    private static func unbiased(_ rows: [[Element]]) -> Double {
        let n = rows.count
        var columnsOfK = [Double](repeating: 0, count: n), rowsOfL = columnsOfK
        var product = 0.0, kTotal = 0.0, lTotal = 0.0
        for (row, elements) in rows.enumerated() {
            for element in elements {
                columnsOfK[element.column] += element.k
                rowsOfL[row] += element.l
                kTotal += element.k
                lTotal += element.l
                if let back = rows[element.column].first(where: { $0.column == row }) { product += element.k * back.l }
            }
        }
        let rowProducts = zip(columnsOfK, rowsOfL).reduce(0) { $0 + $1.0 * $1.1 }
        return KernelSums.unbiased(rows: n, product: product, totals: kTotal * lTotal, rowProducts: rowProducts)
    }
}
