import CKernels

/// The activations of the models, by the names that configurations use.
public enum Activation: String, Sendable, CaseIterable {
    case relu
    /// `x/2 (1 + erf(x / sqrt 2))`
    case gelu
    /// The tanh approximation of gelu.
    case geluTanh = "gelu_pytorch_tanh"
    /// `x sigmoid(1.702 x)`
    case quickGelu = "quick_gelu"
    case silu
    case tanh
    case sigmoid

    /// The activation that a Hugging Face `hidden_act` names, nil where it is unknown.
    public init?(named name: String) {
        switch name {
        case "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_tanh": self = .geluTanh
        case "swish", "silu": self = .silu
        case "gelu", "gelu_python": self = .gelu
        default: self.init(rawValue: name)
        }
    }

    package var kernel: sn_unary {
        switch self {
        case .relu: SN_RELU
        case .gelu: SN_GELU
        case .geluTanh: SN_GELU_TANH
        case .quickGelu: SN_GELU_QUICK
        case .silu: SN_SILU
        case .tanh: SN_TANH
        case .sigmoid: SN_SIGMOID
        }
    }
}

extension Tensor {
    public func activated(_ activation: Activation) -> Tensor { unary(activation.kernel) }
    public func relu() -> Tensor { unary(SN_RELU) }
    public func gelu() -> Tensor { unary(SN_GELU) }
    public func silu() -> Tensor { unary(SN_SILU) }
}
