import Tensors

extension AdapterFolder {
    /// The base's tensors with the additions of adapters worked in, each times its weight: `W + weight scale B A`, in the base's own
    /// types. Only tensors that change are computed; the others stay where they lie.
    /// - Throws: for a layer that the base has not, or under other names, or in another shape.
    public static func merged(
        _ adapters: [(folder: AdapterFolder, weight: Float)], into base: any TensorSource
    ) throws(CheckpointError) -> [String: Tensor] {
        guard !(base is GGUFFile) else {
            throw .unsupported(
                file: base.path, key: "base", found: "a GGUF file", advice: "merge into the Hugging Face folder that it was made from")
        }
        var tensors: [String: Tensor] = [:], owners: [String: String] = [:]
        for entry in base.entries { tensors[entry.name] = try base.tensor(entry.name) }
        for (unfitted, weight) in adapters {
            let adapter = unfitted.fitted(to: base)
            for (name, value) in adapter.saved {
                if let owner = owners[name] {
                    throw .unsupported(
                        file: adapter.path, key: "tensor \(name)", found: "a second one beside \(owner)'s",
                        advice: "adapters that replace whole parameters (modules_to_save) can't be added up: merge one of them")
                }
                if let own = tensors[name], own.shape != value.shape { throw adapter.misfit(name, value.shape, base, own.shape) }
                owners[name] = adapter.path
                tensors[name] = tensors[name].map { value.asType($0.dtype) } ?? value
            }
            for (path, layer) in adapter.layers {
                let name = path + ".weight", shape = [layer.up.dim(0), layer.down.dim(1)]
                guard let own = tensors[name] else { throw base.absent(name) }
                guard own.shape == shape, own.dtype.isFloatingPoint else { throw adapter.misfit(name, shape, base, own.shape) }
                do {
                    let sum = try own.asType(.f32) + layer.product().scaled(by: weight)
                    tensors[name] = sum.asType(own.dtype)
                } catch { throw .operation(file: adapter.path, key: name, error) }
            }
        }
        return tensors
    }

    private func misfit(_ name: String, _ found: [Int], _ base: any TensorSource, _ expected: [Int]) -> CheckpointError {
        .malformed(file: path, field: "the layer \(name)", offset: nil, problem: "its shape is \(found), that of \(base.path) \(expected)")
    }
}
