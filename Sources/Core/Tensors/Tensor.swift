/// An immutable n-dimensional array: a value over reference-counted, copy-on-write storage.
/// Strides are in elements; a view shares the storage of its source.
public struct Tensor: Sendable {
    public internal(set) var storage: Storage
    /// First element, counted in elements from the start of the storage.
    public let offset: Int
    public let shape: [Int]
    public let strides: [Int]
    public let dtype: DType
    /// How it was computed from variables; nil for a constant.
    public internal(set) var trace: Trace?

    init(storage: Storage, offset: Int = 0, shape: [Int], strides: [Int]? = nil, dtype: DType) {
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides ?? Tensor.contiguousStrides(shape)
        self.dtype = dtype
    }

    /// A row-major tensor over storage at a byte offset (a checkpoint's memory map).
    /// Throws when the elements would lie outside the storage or not on their alignment.
    public init(mapping storage: Storage, byteOffset: Int, shape: [Int], dtype: DType) throws(TensorError) {
        guard let count = Tensor.checkedCount(shape), let bytes = count.checkedMultiply(dtype.size),
            byteOffset >= 0, let end = byteOffset.checkedAdd(bytes), end <= storage.byteCount
        else { throw .tooLarge(operation: "tensor over mapped bytes", shape: shape) }
        guard (UInt(bitPattern: storage.pointer) + UInt(byteOffset)) % UInt(dtype.size) == 0, byteOffset % dtype.size == 0 else {
            throw .shape(
                operation: "tensor over mapped bytes", shapes: [shape],
                expected: "bytes aligned to \(dtype.size), found offset \(byteOffset)")
        }
        self.init(storage: storage, offset: byteOffset / dtype.size, shape: shape, dtype: dtype)
    }

    /// `values` in row-major order. Throws when their number isn't the product of `shape`.
    public init<Element: TensorElement>(_ values: [Element], _ shape: [Int]) throws(TensorError) {
        guard Tensor.checkedCount(shape) == values.count else {
            throw .shape(operation: "tensor from array", shapes: [[values.count], shape], expected: "as many values as the shape holds")
        }
        self = Tensor.make(shape, Element.dtype) { bytes in values.withUnsafeBytes { bytes.copyMemory(from: $0) } }
    }

    /// A scalar.
    public init<Element: TensorElement>(_ value: Element) {
        self = Tensor.make([], Element.dtype) { $0.storeBytes(of: value, as: Element.self) }
    }

    public var rank: Int { shape.count }
    public var count: Int { shape.reduce(1, *) }
    public var isContiguous: Bool { strides == Tensor.contiguousStrides(shape) || count <= 1 }

    public func dim(_ axis: Int) -> Int { shape[axis < 0 ? axis + rank : axis] }

    static func contiguousStrides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in stride(from: shape.count - 2, through: 0, by: -1) { strides[axis] = strides[axis + 1] * Swift.max(shape[axis + 1], 1) }
        return strides
    }

    /// The number of elements of a shape, nil when a dimension is negative or the product overflows.
    public static func checkedCount(_ shape: [Int]) -> Int? {
        var count = 1
        for dimension in shape {
            guard dimension >= 0, let next = count.checkedMultiply(dimension) else { return nil }
            count = next
        }
        return count
    }

    /// A new contiguous tensor whose bytes `body` fills.
    public static func make(_ shape: [Int], _ dtype: DType, _ body: (UnsafeMutableRawBufferPointer) -> Void) -> Tensor {
        let bytes = shape.reduce(1, *) * dtype.size
        let storage = Storage(byteCount: bytes)
        body(UnsafeMutableRawBufferPointer(start: storage.pointer, count: bytes))
        return Tensor(storage: storage, shape: shape, dtype: dtype)
    }

    /// A new contiguous f32 tensor whose elements `body` fills.
    public static func makeFloats(_ shape: [Int], _ body: (UnsafeMutablePointer<Float>) -> Void) -> Tensor {
        make(shape, .f32) { body($0.baseAddress!.assumingMemoryBound(to: Float.self)) }
    }

    public static func zeros(_ shape: [Int], _ dtype: DType = .f32) -> Tensor {
        make(shape, dtype) { $0.initializeMemory(as: UInt8.self, repeating: 0) }
    }

    public static func full(_ shape: [Int], _ value: Float) -> Tensor {
        let count = shape.reduce(1, *)
        return makeFloats(shape) { $0.initialize(repeating: value, count: count) }
    }

    public static func ones(_ shape: [Int]) -> Tensor { full(shape, 1) }

    /// `0, 1, ... count-1` as i64.
    public static func arange(_ count: Int) -> Tensor {
        make([count], .i64) { bytes in
            let values = bytes.bindMemory(to: Int64.self)
            for index in 0..<count { values[index] = Int64(index) }
        }
    }
}

extension Tensor {
    /// Reads the elements in row-major order; a view that isn't contiguous is copied first.
    /// - Precondition: `Element.dtype == dtype` (a bug of the caller otherwise).
    public func withElements<Element: TensorElement, Result, Failure: Error>(
        _ type: Element.Type = Element.self, _ body: (UnsafeBufferPointer<Element>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(Element.dtype == dtype, "tensor of \(dtype) read as \(Element.dtype)")
        let source = contiguous()
        return try body(UnsafeBufferPointer(start: source.elements(Element.self), count: count))
    }

    /// Raw bytes of the elements in row-major order.
    public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        let source = contiguous()
        return try body(UnsafeRawBufferPointer(start: source.storage.pointer + source.offset * dtype.size, count: count * dtype.size))
    }

    /// Elements as `Float`, in row-major order, whatever the element type.
    public func floats() -> [Float] {
        asType(.f32).withElements(Float.self) { Array($0) }
    }

    /// Elements as `Int`, in row-major order. Floating-point values are truncated towards zero.
    public func ints() -> [Int] {
        asType(.i64).withElements(Int64.self) { $0.map(Int.init) }
    }

    /// First element of the view. The tensor must be kept alive by the caller while the pointer is used.
    @inline(__always)
    func elements<Element>(_: Element.Type) -> UnsafeMutablePointer<Element> {
        (storage.pointer + offset * dtype.size).assumingMemoryBound(to: Element.self)
    }

    /// First f32 element: of a contiguous tensor only.
    @inline(__always)
    var floatPointer: UnsafeMutablePointer<Float> {
        assert(dtype == .f32)
        return elements(Float.self)
    }

    /// The value of a one-element tensor.
    public var scalar: Float { floats().first ?? .nan }
}

extension Int {
    @inline(__always) func checkedMultiply(_ other: Int) -> Int? {
        let (value, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : value
    }

    @inline(__always) func checkedAdd(_ other: Int) -> Int? {
        let (value, overflow) = addingReportingOverflow(other)
        return overflow ? nil : value
    }
}

extension Tensor: CustomStringConvertible {
    public var description: String {
        let head = floats().prefix(8).map { "\($0)" }.joined(separator: ", ")
        return "Tensor(\(dtype), \(shape)): [\(head)\(count > 8 ? ", ..." : "")]"
    }
}
