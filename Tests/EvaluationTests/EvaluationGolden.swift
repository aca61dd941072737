import Checkpoints
import Foundation
import Tensors

/// Arrays that `reference.py` stored, and what the published codes say of them.
struct EvaluationGolden {
    let file: SafetensorsFile
    let numbers: JSONValue

    init(_ name: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden")
        file = try SafetensorsFile(path: folder.appendingPathComponent(name + ".safetensors").path)
        let json = folder.appendingPathComponent(name + ".json")
        numbers = try JSONValue.parse(String(contentsOf: json, encoding: .utf8), file: json.path)
    }

    func tensor(_ key: String) throws -> Tensor { try file.tensor(key) }
    func labels(_ key: String) throws -> [Int] { try file.tensor(key).ints() }
    var results: [JSONValue] { numbers["results"]?.array ?? [] }
}

extension JSONValue {
    /// A number, whole or not.
    var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
