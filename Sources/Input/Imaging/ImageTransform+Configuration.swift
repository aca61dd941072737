import Foundation

/// A field of a configuration file that is missing, of the wrong type or not supported.
public struct TransformConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public var field: String
    public var problem: String

    public var description: String { "image processor configuration, \(field): \(problem)" }
}

/// JSON of a processor's configuration with its fields checked as they are read.
struct ProcessorFields {
    let values: [String: Any]

    init(json: [UInt8]) throws(TransformConfigurationError) {
        guard json.count <= 4 << 20 else { throw TransformConfigurationError(field: "file", problem: "longer than 4 MiB") }
        guard let object = try? JSONSerialization.jsonObject(with: Data(json)), let values = object as? [String: Any] else {
            throw TransformConfigurationError(field: "file", problem: "not a JSON object")
        }
        self.values = values
    }

    init(_ values: [String: Any]) { self.values = values }

    func has(_ name: String) -> Bool { values[name] != nil && !(values[name] is NSNull) }

    func string(_ name: String) -> String? { values[name] as? String }

    func flag(_ name: String) throws(TransformConfigurationError) -> Bool? {
        guard has(name) else { return nil }
        guard let value = values[name] as? Bool else { throw bad(name, "true or false") }
        return value
    }

    func number(_ name: String) throws(TransformConfigurationError) -> Double? {
        guard has(name) else { return nil }
        guard let value = values[name] as? Double else { throw bad(name, "a number") }
        return value
    }

    func integer(_ name: String) throws(TransformConfigurationError) -> Int? {
        guard let value = try number(name) else { return nil }
        guard let exact = Int(exactly: value) else { throw bad(name, "a whole number") }
        return exact
    }

    /// Three numbers, or one that stands for all channels.
    func channels(_ name: String) throws(TransformConfigurationError) -> [Double]? {
        guard has(name) else { return nil }
        if let one = values[name] as? Double { return [one, one, one] }
        guard let list = values[name] as? [Double], list.count == 3 else { throw bad(name, "three numbers") }
        return list
    }

    /// The whole numbers of a list or of one number.
    func integers(_ name: String) throws(TransformConfigurationError) -> [Int]? {
        guard has(name) else { return nil }
        if let one = values[name] as? Double, let exact = Int(exactly: one) { return [exact] }
        guard let list = values[name] as? [Double] else { throw bad(name, "whole numbers") }
        let exact = list.compactMap { Int(exactly: $0) }
        guard exact.count == list.count else { throw bad(name, "whole numbers") }
        return exact
    }

    func object(_ name: String) -> ProcessorFields? { (values[name] as? [String: Any]).map { ProcessorFields($0) } }

    func bad(_ name: String, _ expected: String) -> TransformConfigurationError {
        TransformConfigurationError(
            field: name, problem: "expected \(expected), found \(String(describing: values[name] ?? "nothing").prefix(80))")
    }
}
