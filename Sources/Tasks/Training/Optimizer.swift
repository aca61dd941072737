import Autograd
import CKernels
import Tensors

/// How parameters follow their gradients. Defined as in PyTorch (SGD, AdamW) and in the papers (Lion: Chen et al. 2023; LAMB: You et
/// al. 2020).
public enum OptimizerKind: Sendable, Hashable {
    case sgd(momentum: Float, dampening: Float = 0, nesterov: Bool = false)
    case adamW(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8)
    case lion(beta1: Float = 0.9, beta2: Float = 0.99)
    case lamb(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-6)
}

/// How much of the learning rate and of the weight decay a parameter gets.
public struct ParameterRule: Sendable, Hashable {
    public var rate: Float = 1
    public var decay: Float = 1

    public init(rate: Float = 1, decay: Float = 1) { (self.rate, self.decay) = (rate, decay) }
}

/// An optimiser with what it remembers of every parameter.
public struct Optimizer: Sendable {
    public let kind: OptimizerKind
    public let weightDecay: Float
    /// The rule of a parameter by its name and shape.
    private let rule: @Sendable (String, [Int]) -> ParameterRule
    /// Updates done.
    public private(set) var step = 0
    private var first: [String: Tensor] = [:]
    private var second: [String: Tensor] = [:]

    /// - Parameter rule: by default vectors and scalars (biases, norms, temperatures) don't decay, as is usual.
    public init(
        _ kind: OptimizerKind, weightDecay: Float = 0,
        rule: @escaping @Sendable (String, [Int]) -> ParameterRule = { _, shape in ParameterRule(decay: shape.count > 1 ? 1 : 0) }
    ) {
        (self.kind, self.weightDecay, self.rule) = (kind, weightDecay, rule)
    }

    /// One update of all parameters that have a gradient.
    /// - Parameters:
    ///   - gradients: by name.
    ///   - scale: what every gradient is multiplied with (clipping, averaging of accumulated ones).
    public mutating func update(_ store: inout ParameterStore, gradients: [String: Tensor], rate: Float, scale: Float = 1) {
        step += 1
        for name in store.names {
            guard let gradient = gradients[name]?.asType(.f32).contiguous() else { continue }
            let rule = rule(name, gradient.shape), rate = rate * rule.rate, decay = weightDecay * rule.decay
            switch kind {
            case let .sgd(momentum, dampening, nesterov):
                let fresh = momentum != 0 && first[name] == nil
                if momentum != 0 { remember(name, gradient.shape, &first) }
                store.update(name) { w, n in
                    let g = gradient.floatElements
                    if momentum == 0 {
                        sn_sgd(w, g, nil, n, rate, 0, 0, 0, decay, scale, 1)
                    } else {
                        first[name]?.update {
                            sn_sgd(w, g, $0, n, rate, momentum, dampening, nesterov ? 1 : 0, decay, scale, fresh ? 1 : 0)
                        }
                    }
                }
            case let .adamW(beta1, beta2, epsilon):
                remember(name, gradient.shape, &first)
                remember(name, gradient.shape, &second)
                store.update(name) { w, n in
                    first[name]?.update { m in
                        second[name]?.update { v in
                            sn_adamw(w, gradient.floatElements, m, v, n, rate, beta1, beta2, epsilon, decay, step, scale)
                        }
                    }
                }
            case let .lion(beta1, beta2):
                remember(name, gradient.shape, &first)
                store.update(name) { w, n in
                    first[name]?.update { sn_lion(w, gradient.floatElements, $0, n, rate, beta1, beta2, decay, scale) }
                }
            case let .lamb(beta1, beta2, epsilon):
                remember(name, gradient.shape, &first)
                remember(name, gradient.shape, &second)
                var scratch = Tensor.zeros(gradient.shape)
                store.update(name) { w, n in
                    first[name]?.update { m in
                        second[name]?.update { v in
                            scratch.update {
                                sn_lamb(w, gradient.floatElements, m, v, $0, n, rate, beta1, beta2, epsilon, decay, step, scale)
                            }
                        }
                    }
                }
            }
        }
    }

    private func remember(_ name: String, _ shape: [Int], _ moments: inout [String: Tensor]) {
        if moments[name] == nil { moments[name] = Tensor.zeros(shape) }
    }

    /// What it remembers, by names for a file; `step` apart.
    var state: [String: Tensor] {
        var all: [String: Tensor] = [:]
        for (name, value) in first { all["first." + name] = value }
        for (name, value) in second { all["second." + name] = value }
        return all
    }

    /// Takes up what `state` had written.
    mutating func restore(_ state: [String: Tensor], step: Int) {
        self.step = step
        first = [:]
        second = [:]
        for (name, value) in state {
            if name.hasPrefix("first.") { first[String(name.dropFirst(6))] = value }
            if name.hasPrefix("second.") { second[String(name.dropFirst(7))] = value }
        }
    }
}
