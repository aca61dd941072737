import Foundation
import Hummingbird

/// What follows the question mark of an address, or the fields of a form.
struct QueryParameters: Sendable {
    private(set) var values: [(name: String, value: String)] = []

    init(_ values: [(name: String, value: String)]) { self.values = values }

    /// - Throws: `APIError` 400 for what isn't UTF-8 or isn't escaped as it should be.
    init(_ request: Request) throws(APIError) {
        for part in (request.uri.query ?? "").split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.plain(sides[0]), let value = sides.count > 1 ? Self.plain(sides[1]) : "" else {
                throw .invalid(nil, "the address isn't UTF-8 with percent signs as it should be")
            }
            values.append((name, value))
        }
    }

    private static func plain(_ text: Substring) -> String? { text.replacing("+", with: " ").removingPercentEncoding }

    /// Refuses parameters that nobody knows, with the nearest that there is.
    func check(_ known: [String]) throws(APIError) {
        guard let name = values.map(\.name).first(where: { !known.contains($0) }) else { return }
        let advice = known.isEmpty ? "there are none here" : JSONBody.advice(name, known)
        throw APIError(
            .badRequest, "unknown_parameter", "\(name.prefix(60)): there is no such parameter; \(advice)", field: String(name.prefix(60)))
    }

    func all(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

    /// The only value; nil where there is none or an empty one.
    func text(_ name: String) throws(APIError) -> String? {
        let found = all(name)
        guard found.count <= 1 else { throw .invalid(name, "it is given \(found.count) times") }
        return found.first.flatMap { $0.isEmpty ? nil : $0 }
    }

    func int(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = try text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw .invalid(name, "a whole number from \(range.lowerBound) to \(range.upperBound) is expected, found \"\(text.prefix(40))\"")
        }
        return number
    }

    func number(_ name: String) throws(APIError) -> Double? {
        guard let text = try text(name) else { return nil }
        guard let number = Double(text), number.isFinite else { throw .invalid(name, "a number is expected, found \"\(text.prefix(40))\"") }
        return number
    }

    /// `x,y,width,height` as parts of the picture, 0 to 1.
    func region(_ name: String) throws(APIError) -> Region? {
        guard let text = try text(name) else { return nil }
        return try Region(text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan }, field: name)
    }
}
