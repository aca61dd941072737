import CKernels

/// The geometry of a 2-d window: sizes as (vertical, horizontal), pixels.
public struct Window: Sendable, Hashable {
    public var stride: (Int, Int) { (strideY, strideX) }
    package var strideY, strideX, dilationY, dilationX, top, left, bottom, right: Int

    public init(stride: (Int, Int) = (1, 1), padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1)) {
        (strideY, strideX) = stride
        (dilationY, dilationX) = dilation
        (top, left) = padding
        (bottom, right) = padding
    }

    /// Padding on each side apart.
    public init(stride: (Int, Int), top: Int, left: Int, bottom: Int, right: Int) {
        self.init(stride: stride, padding: (top, left))
        self.bottom = bottom
        self.right = right
    }

    func output(_ height: Int, _ width: Int, kernel: (Int, Int), ceil: Bool = false, _ operation: String) throws(TensorError) -> (Int, Int)
    {
        guard strideY > 0, strideX > 0, dilationY > 0, dilationX > 0, top >= 0, left >= 0, bottom >= 0, right >= 0, kernel.0 > 0,
            kernel.1 > 0
        else {
            throw .shape(
                operation: operation, shapes: [[kernel.0, kernel.1], [strideY, strideX]], expected: "positive kernel, stride and dilation")
        }
        func side(_ size: Int, _ before: Int, _ after: Int, _ kernel: Int, _ stride: Int, _ dilation: Int) -> Int {
            let room = size + before + after - dilation * (kernel - 1) - 1
            guard room >= 0 else { return 0 }
            var count = room / stride + 1
            // A window may begin past the end only where it still touches the picture.
            if ceil, room % stride != 0, count * stride < size + before { count += 1 }
            return count
        }
        let h = side(height, top, bottom, kernel.0, strideY, dilationY), w = side(width, left, right, kernel.1, strideX, dilationX)
        guard h > 0, w > 0 else {
            throw .shape(
                operation: operation, shapes: [[height, width], [kernel.0, kernel.1]], expected: "a window that fits into the picture")
        }
        return (h, w)
    }

    /// What the kernels want to know of a window over a tensor of shape `x`, `[batch, channels, h, w]`.
    package func shape(of x: [Int], kernel: (Int, Int), channels: Int, output: (Int, Int), groups: Int = 1) -> sn_conv_shape {
        var s = sn_conv_shape()
        (s.batch, s.in_channels, s.in_height, s.in_width) = (x[0], x[1], x[2], x[3])
        (s.out_channels, s.kernel_height, s.kernel_width, s.groups) = (channels, kernel.0, kernel.1, groups)
        (s.out_height, s.out_width) = output
        (s.stride_height, s.stride_width, s.pad_top, s.pad_left) = (strideY, strideX, top, left)
        (s.dilation_height, s.dilation_width) = (dilationY, dilationX)
        return s
    }
}

extension Tensor {
    /// `[batch, in, h, w]` with `weight` `[out, in / groups, kh, kw]` and `bias` `[out]` -> `[batch, out, h', w']`:
    /// `activation(convolution + bias + residual)`, `residual` of the result's shape.
    public func conv2d(
        weight: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, window: Window = Window(), groups: Int = 1,
        activation: Activation? = nil
    ) throws(TensorError) -> Tensor {
        guard rank == 4, weight.rank == 4, groups > 0, shape[1] % groups == 0, weight.shape[1] == shape[1] / groups,
            weight.shape[0] % groups == 0
        else {
            throw .shape(
                operation: "conv2d", shapes: [shape, weight.shape], expected: "[batch, in, h, w] and [out, in / \(groups), kh, kw]")
        }
        if let bias, bias.shape != [weight.shape[0]] {
            throw .shape(operation: "conv2d bias", shapes: [bias.shape], expected: "[\(weight.shape[0])]")
        }
        let kernel = (weight.shape[2], weight.shape[3])
        let (height, width) = try window.output(shape[2], shape[3], kernel: kernel, "conv2d")
        let target = [shape[0], weight.shape[0], height, width]
        if let residual, residual.shape != target {
            throw .shape(operation: "conv2d residual", shapes: [residual.shape], expected: "\(target)")
        }
        if trace != nil || weight.trace != nil || bias?.trace != nil || residual?.trace != nil, Trace.isRecording {
            return try recordedConvolution(weight, bias, residual, window, groups, activation)
        }
        let x = asType(.f32).contiguous(), w = weight.asType(.f32).contiguous(), b = bias?.asType(.f32).contiguous()
        let r = residual?.asType(.f32).contiguous()
        var s = window.shape(of: shape, kernel: kernel, channels: weight.shape[0], output: (height, width), groups: groups)
        let code = activation.map { Int32(bitPattern: $0.kernel.rawValue) } ?? -1
        return Tensor.makeFloats(target) { out in
            withExtendedLifetime((b, r)) { sn_conv2d(x.floatPointer, w.floatPointer, b?.floatPointer, r?.floatPointer, code, out, &s) }
        }
    }

    /// The same step by step, each noted for the way back.
    private func recordedConvolution(
        _ weight: Tensor, _ bias: Tensor?, _ residual: Tensor?, _ window: Window, _ groups: Int, _ activation: Activation?
    ) throws(TensorError) -> Tensor {
        let x = asType(.f32).contiguous().detached(), w = weight.asType(.f32).contiguous().detached()
        var result = try x.conv2d(weight: w, bias: bias?.detached(), window: window, groups: groups)
            .recorded(self, weight, bias, .conv2d(x: x, weight: w, window, groups: groups))
        if let residual { result = try result + residual }
        return activation.map { result.activated($0) } ?? result
    }

    /// The largest value under each window; padding never wins.
    public func maxPool2d(kernel: (Int, Int), window: Window, ceil: Bool = false) throws(TensorError) -> Tensor {
        try pooled(kernel, window, ceil, "maxPool2d") { x, out, shape in sn_max_pool2d(x, out, &shape) }
            .recorded(self, .maxPool(x: asType(.f32).contiguous().detached(), kernel: kernel, window))
    }

    /// The mean under each window. `countPadding` divides by the whole window, as the reference does by default.
    public func averagePool2d(
        kernel: (Int, Int), window: Window, ceil: Bool = false, countPadding: Bool = true
    ) throws(TensorError) -> Tensor {
        try pooled(kernel, window, ceil, "averagePool2d") { x, out, shape in
            sn_mean_pool2d(x, out, &shape, window.bottom, window.right, countPadding ? 1 : 0)
        }.recorded(self, .averagePool(kernel: kernel, window, countPadding: countPadding))
    }

    private func pooled(
        _ kernel: (Int, Int), _ window: Window, _ ceil: Bool, _ operation: String,
        _ run: (UnsafePointer<Float>, UnsafeMutablePointer<Float>, inout sn_conv_shape) -> Void
    ) throws(TensorError) -> Tensor {
        guard rank == 4 else { throw .shape(operation: operation, shapes: [shape], expected: "[batch, channels, h, w]") }
        let (height, width) = try window.output(shape[2], shape[3], kernel: kernel, ceil: ceil, operation)
        let x = asType(.f32).contiguous()
        var s = window.shape(of: x.shape, kernel: kernel, channels: shape[1], output: (height, width))
        return Tensor.makeFloats([shape[0], shape[1], height, width]) { run(x.floatPointer, $0, &s) }
    }
}
