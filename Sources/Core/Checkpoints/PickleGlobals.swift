import Tensors

/// The allow-list: what a pickle may name, and what each name means as data.
enum PickleGlobals {
    private static let rebuilds: Set<String> = [
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch._tensor._rebuild_from_type_v2",
        "torch.nn.parameter.Parameter", "torch.Tensor", "torch._tensor.Tensor",
    ]

    /// Values beside the tensors: kept as inert objects.
    private static let inert: Set<String> = [
        "torch.device", "torch.serialization._get_layout", "torch.Generator", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype", "numpy.float64", "numpy.float32", "numpy.int64", "_codecs.encode", "builtins.complex", "__builtin__.complex",
        "builtins.bytearray", "__builtin__.bytearray",
    ]

    private static let lists: Set<String> = [
        "torch.Size", "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset", "builtins.list", "__builtin__.list",
        "builtins.tuple", "__builtin__.tuple", "torch.jit._pickle.build_intlist", "torch.jit._pickle.build_doublelist",
        "torch.jit._pickle.build_boollist", "torch.jit._pickle.build_tensorlist", "torch.jit._pickle.restore_type_tag",
    ]

    private static let dictionaries: Set<String> = [
        "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict", "__builtin__.dict",
    ]

    private static let storages: [String: StoredType] = [
        "FloatStorage": .native(.f32), "DoubleStorage": .f64, "HalfStorage": .native(.f16), "BFloat16Storage": .native(.bf16),
        "LongStorage": .native(.i64), "IntStorage": .native(.i32), "ShortStorage": .i16, "CharStorage": .native(.i8),
        "ByteStorage": .native(.u8), "BoolStorage": .native(.bool), "ComplexFloatStorage": .other("complex64", bits: 64),
        "ComplexDoubleStorage": .other("complex128", bits: 128), "QInt8Storage": .other("qint8", bits: 8),
        "QUInt8Storage": .other("quint8", bits: 8), "QInt32Storage": .other("qint32", bits: 32),
    ]

    private static let dtypes: [String: StoredType] = [
        "float32": .native(.f32), "float": .native(.f32), "float64": .f64, "double": .f64, "float16": .native(.f16), "half": .native(.f16),
        "bfloat16": .native(.bf16), "int64": .native(.i64), "long": .native(.i64), "int32": .native(.i32), "int": .native(.i32),
        "int16": .i16, "short": .i16, "int8": .native(.i8), "uint8": .native(.u8), "bool": .native(.bool), "uint16": .u16, "uint32": .u32,
        "uint64": .u64, "complex64": .other("complex64", bits: 64), "float8_e4m3fn": .other("f8_e4m3fn", bits: 8),
        "float8_e5m2": .other("f8_e5m2", bits: 8), "float8_e4m3fnuz": .other("f8_e4m3fnuz", bits: 8),
        "float8_e5m2fnuz": .other("f8_e5m2fnuz", bits: 8),
    ]

    static func storedType(ofStorage global: String) -> StoredType? { typeName(global).flatMap { storages[$0] } }

    private static func isUntyped(_ global: String) -> Bool { typeName(global) == "UntypedStorage" }

    private static func typeName(_ global: String) -> String? {
        for prefix in ["torch.storage.", "torch.cuda.", "torch."] where global.hasPrefix(prefix) {
            return String(global.dropFirst(prefix.count))
        }
        return nil
    }

    private static func dtype(_ global: String) -> StoredType? {
        global.hasPrefix("torch.") ? dtypes[String(global.dropFirst(6))] : nil
    }

    /// The full name when it is on the list. Classes of a TorchScript archive (`__torch__...`) are data as well: their code lies
    /// in other members, which aren't read.
    static func check(_ module: String, _ name: String, _ file: String, _ offset: Int) throws(CheckpointError) -> String {
        let full = module + "." + name
        let allowed =
            rebuilds.contains(full) || inert.contains(full) || lists.contains(full) || dictionaries.contains(full)
            || storedType(ofStorage: full) != nil || isUntyped(full) || dtype(full) != nil || full.hasPrefix("__torch__.")
        guard allowed else { throw .refused(file: file, offset: offset, global: full) }
        return full
    }

    /// The value of `name(*arguments)`.
    static func value(
        of name: String, _ arguments: Int, _ table: inout PickleTable, _ fail: (String) -> CheckpointError
    )
        throws(CheckpointError) -> PickleTable.Value
    {
        guard let members = table.members(arguments) else { throw fail("its arguments aren't a tuple") }
        if dictionaries.contains(name) { return try dictionary(members, &table, fail) }
        if lists.contains(name) {
            guard let first = members.first, let inner = table.members(first) else { return .list([]) }
            guard table.mayCopy(inner.count) else { throw fail("the same values are copied without end") }
            return .list(inner)
        }
        guard rebuilds.contains(name) else { return .object(name, state: nil) }
        switch name {
        case "torch._tensor._rebuild_from_type_v2":
            // (function, type, arguments, state): the tensor is what the function makes of its arguments.
            guard members.count >= 3, case let .global(inner) = table[members[0]], inner != name else {
                throw fail("its arguments aren't known")
            }
            return try value(of: inner, members[2], &table, fail)
        case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
            return .tensor(try tensor(name, members, table, fail))
        default:
            guard let first = members.first, case .tensor = table[first] else { throw fail("a tensor is expected") }
            return table[first]
        }
    }

    /// `OrderedDict()`, `OrderedDict([(key, value), ...])` or `defaultdict(kind, {...})`.
    private static func dictionary(
        _ members: [Int], _ table: inout PickleTable, _ fail: (String) -> CheckpointError
    )
        throws(CheckpointError) -> PickleTable.Value
    {
        guard let last = members.last else { return .dict([]) }
        if case let .dict(items) = table[last] {
            guard table.mayCopy(items.count) else { throw fail("the same values are copied without end") }
            return .dict(items)
        }
        var items: [(key: Int, value: Int)] = []
        let pairs = table.members(last) ?? []
        guard table.mayCopy(pairs.count) else { throw fail("the same values are copied without end") }
        for pair in pairs {
            if let pair = table.members(pair), pair.count == 2 { items.append((pair[0], pair[1])) }
        }
        return .dict(items)
    }

    private static func tensor(
        _ name: String, _ members: [Int], _ table: PickleTable, _ fail: (String) -> CheckpointError
    )
        throws(CheckpointError) -> PickleTensor
    {
        guard members.count >= 4, case let .storage(storage) = table[members[0]], let offset = table.int(members[1]),
            let shape = table.ints(members[2]), let strides = table.ints(members[3])
        else { throw fail("its arguments aren't (storage, offset, size, stride)") }
        var type = storage.type
        if name.hasSuffix("_v3"), members.count >= 7, case let .global(global) = table[members[6]] { type = dtype(global) }
        guard let type else { throw fail("the element type isn't known") }
        guard let count = boundedCount(shape), strides.count == shape.count, offset >= 0, strides.allSatisfy({ $0 >= 0 }) else {
            throw fail("size \(shape), stride \(strides) and offset \(offset) aren't possible")
        }
        var last = offset
        for (size, stride) in zip(shape, strides) where count > 0 {
            let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
            let (sum, overflowed) = last.addingReportingOverflow(reach)
            guard !overflow, !overflowed else { throw fail("stride \(strides) is too large") }
            last = sum
        }
        // An untyped storage counts bytes.
        let elements = storage.type == nil ? storage.count / max((type.bits ?? 8) / 8, 1) : storage.count
        guard count == 0 || last < elements else {
            throw fail("size \(shape), stride \(strides) and offset \(offset) reach beyond the storage of \(elements)")
        }
        return PickleTensor(storage: storage, type: type, offset: offset, shape: shape, strides: strides)
    }

    /// A persistent identity: ('storage', type, key, place, count[, view]).
    static func storage(
        _ identity: Int, _ table: PickleTable, _ fail: (String) -> CheckpointError
    ) throws(CheckpointError) -> PickleTable.Value {
        guard let members = table.members(identity), members.count >= 5, table.string(members[0]) == "storage",
            case let .global(global) = table[members[1]], let count = table.int(members[4]), count >= 0
        else { throw fail("its identity isn't ('storage', type, key, place, count)") }
        let key = table.string(members[2]) ?? table.int(members[2]).map(String.init)
        guard let key else { throw fail("its key is no text") }
        if members.count > 5, table.members(members[5]) != nil { throw fail("views of storages (torch before 0.4) aren't supported") }
        if isUntyped(global) { return .storage(PickleStorage(key: key, type: nil, count: count)) }
        guard let type = storedType(ofStorage: global) else { throw fail("its type \(global) isn't known") }
        return .storage(PickleStorage(key: key, type: type, count: count))
    }
}
