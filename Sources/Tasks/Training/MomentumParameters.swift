import Tensors

/// Slow copies of the trained parameters: `share` of the copy stays at each step.
struct MomentumParameters {
    private(set) var values: [String: Tensor] = [:]

    /// Copies begin as the parameters are.
    mutating func begin(_ store: ParameterStore) {
        guard values.isEmpty else { return }
        for name in store.names { values[name] = store[name] }
    }

    mutating func follow(_ store: ParameterStore, share: Float) {
        for name in values.keys {
            guard let value = store[name] else { continue }
            values[name] = values[name]?.scaled(by: share)
            values[name]?.accumulate(value, factor: 1 - share)
        }
    }

    private static let prefix = "momentum."

    var state: [String: Tensor] {
        Dictionary(uniqueKeysWithValues: values.map { (Self.prefix + $0.key, $0.value) })
    }

    mutating func restore(_ state: [String: Tensor]) {
        values = [:]
        for (name, value) in state where name.hasPrefix(Self.prefix) { values[String(name.dropFirst(Self.prefix.count))] = value }
    }
}
