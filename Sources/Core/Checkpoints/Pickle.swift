/// What a pickle describes, as a table of values that name one another by index: a shared or cyclic structure costs its size once,
/// and letting go of a deep one needs no deep recursion.
struct PickleTable {
    enum Value {
        case none
        case bool(Bool)
        case int(Int)
        case float(Double)
        case string(String)
        case bytes(Range<Int>)
        case tuple([Int])
        case list([Int])
        case dict([(key: Int, value: Int)])
        case global(String)
        /// An instance that is kept as data: its class, and its state once `BUILD` gave one.
        case object(String, state: Int?)
        case storage(PickleStorage)
        case tensor(PickleTensor)
    }

    var values: [Value] = []
    /// Members copied from one container into another. A pickle of a few bytes can ask for the same copy again and again, so the
    /// sum is bounded.
    private var copied = 0
    private static let maximumCopied = 20_000_000

    /// False when the bound is passed.
    mutating func mayCopy(_ count: Int) -> Bool {
        copied += count
        return copied <= Self.maximumCopied
    }

    mutating func add(_ value: Value) -> Int {
        values.append(value)
        return values.count - 1
    }

    subscript(_ index: Int) -> Value { values[index] }

    func string(_ index: Int) -> String? { if case let .string(text) = values[index] { text } else { nil } }
    func int(_ index: Int) -> Int? { if case let .int(number) = values[index] { number } else { nil } }

    /// Members of a tuple or list.
    func members(_ index: Int) -> [Int]? {
        switch values[index] {
        case let .tuple(members), let .list(members): members
        default: nil
        }
    }

    func ints(_ index: Int) -> [Int]? {
        guard let members = members(index), members.count <= 64 else { return nil }
        let numbers = members.compactMap { int($0) }
        return numbers.count == members.count ? numbers : nil
    }
}

/// Bytes that tensors share: a member of the archive, or a block of a legacy file.
struct PickleStorage: Sendable {
    let key: String
    /// nil for an untyped storage, whose count is in bytes.
    let type: StoredType?
    let count: Int
}

/// A view of a storage; strides and offset in elements.
struct PickleTensor: Sendable {
    let storage: PickleStorage
    let type: StoredType
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
