/// The element type of a `Tensor`.
public enum DType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case f32, f16, bf16, i8, u8, i32, i64, bool

    /// Bytes of one element.
    public var size: Int {
        switch self {
        case .f32, .i32: 4
        case .f16, .bf16: 2
        case .i8, .u8, .bool: 1
        case .i64: 8
        }
    }

    public var isFloatingPoint: Bool { self == .f32 || self == .f16 || self == .bf16 }

    public var description: String {
        switch self {
        case .f32: "f32"
        case .f16: "f16"
        case .bf16: "bf16"
        case .i8: "i8"
        case .u8: "u8"
        case .i32: "i32"
        case .i64: "i64"
        case .bool: "bool"
        }
    }
}

/// A Swift type whose memory layout equals that of a `DType`.
public protocol TensorElement: Sendable, BitwiseCopyable {
    static var dtype: DType { get }
}

extension Float: TensorElement { public static var dtype: DType { .f32 } }
extension Int8: TensorElement { public static var dtype: DType { .i8 } }
extension UInt8: TensorElement { public static var dtype: DType { .u8 } }
extension Int32: TensorElement { public static var dtype: DType { .i32 } }
extension Int64: TensorElement { public static var dtype: DType { .i64 } }
extension Bool: TensorElement { public static var dtype: DType { .bool } }
