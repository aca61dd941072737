/// Reads a pickle as data. It knows the few opcodes that saved tensors need and the few globals of `PickleGlobals`; anything else
/// is refused by name. No function of a pickle is ever called: where Python would call `torch._utils._rebuild_tensor_v2`, a
/// description of the tensor is noted.
/// Opcodes: Python's `Lib/pickletools.py`, protocols 2 to 5.
struct Unpickler {
    private var reader: ByteReader
    var table = PickleTable()
    private var stack: [Int] = []
    private var marks: [Int] = []
    private var memo: [Int: Int] = [:]

    /// More values than any checkpoint's table of contents has.
    static let maximumValues = 20_000_000

    init(_ bytes: UnsafeRawBufferPointer, from start: Int = 0, file: String, field: String) {
        reader = ByteReader(bytes, from: start, file: file, field: field)
    }

    /// Reads up to STOP. Returns the index of the result and the place after it.
    mutating func run() throws(CheckpointError) -> (root: Int, end: Int) {
        while true {
            let place = reader.at
            let code: UInt8 = try reader.integer()
            if code == UInt8(ascii: ".") {
                return (try pop(), reader.at)
            }
            guard table.values.count < Self.maximumValues, stack.count < Self.maximumValues else {
                throw reader.fail("more than \(Self.maximumValues) values")
            }
            if try constant(code) { continue }
            if try scalar(code) { continue }
            if try container(code) { continue }
            if try reference(code, place) { continue }
            throw .refused(file: reader.file, offset: place, global: "the opcode 0x\(String(code, radix: 16))")
        }
    }

    // MARK: Stack

    private mutating func push(_ value: PickleTable.Value) { stack.append(table.add(value)) }

    private mutating func pop() throws(CheckpointError) -> Int {
        guard stack.count > (marks.last ?? 0), let top = stack.popLast() else { throw reader.fail("a value is taken from an empty stack") }
        return top
    }

    private func top() throws(CheckpointError) -> Int {
        guard stack.count > (marks.last ?? 0), let top = stack.last else { throw reader.fail("the stack is empty") }
        return top
    }

    /// The values above the last mark.
    private mutating func popToMark() throws(CheckpointError) -> [Int] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw reader.fail("there is no mark on the stack") }
        let values = Array(stack[mark...])
        stack.removeLast(values.count)
        return values
    }

    // MARK: Opcodes

    private mutating func constant(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case 0x80: _ = try reader.take(1)  // PROTO
        case 0x95: _ = try reader.take(8)  // FRAME: a hint for readers of streams
        case UInt8(ascii: "N"): push(.none)
        case 0x88: push(.bool(true))
        case 0x89: push(.bool(false))
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): if stack.count > (marks.last ?? 0) { stack.removeLast() } else { _ = try popToMark() }
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): stack.append(try top())
        default: return false
        }
        return true
    }

    private mutating func scalar(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "K"): push(.int(Int(try reader.integer(UInt8.self))))
        case UInt8(ascii: "M"): push(.int(Int(try reader.integer(UInt16.self))))
        case UInt8(ascii: "J"): push(.int(Int(try reader.integer(Int32.self))))
        case 0x8a: push(try long(Int(try reader.integer(UInt8.self))))
        case 0x8b: push(try long(Int(try reader.integer(Int32.self))))
        case UInt8(ascii: "G"): push(.float(Double(bitPattern: UInt64(bigEndian: UInt64(littleEndian: try reader.integer())))))
        case UInt8(ascii: "X"): push(.string(try reader.text(Int(try reader.integer(UInt32.self)))))
        case 0x8c: push(.string(try reader.text(Int(try reader.integer(UInt8.self)))))
        case 0x8d: push(.string(try reader.text(try reader.length())))
        case UInt8(ascii: "U"): push(.string(try reader.text(Int(try reader.integer(UInt8.self)))))
        case UInt8(ascii: "T"): push(.string(try reader.text(Int(try reader.integer(Int32.self)))))
        case UInt8(ascii: "C"): push(.bytes(try reader.take(Int(try reader.integer(UInt8.self)))))
        case UInt8(ascii: "B"): push(.bytes(try reader.take(Int(try reader.integer(UInt32.self)))))
        case 0x8e: push(.bytes(try reader.take(try reader.length())))
        default: return false
        }
        return true
    }

    /// A whole number of `count` little-endian bytes; beyond 64 bits only its presence is kept.
    private mutating func long(_ count: Int) throws(CheckpointError) -> PickleTable.Value {
        let place = try reader.take(count)
        guard count <= 8 else { return .bytes(place) }
        var value: UInt64 = 0
        for (index, at) in place.enumerated() { value |= UInt64(reader.bytes[at]) << UInt64(8 * index) }
        if count > 0, count < 8, reader.bytes[place.upperBound - 1] & 0x80 != 0 { value |= ~0 << UInt64(8 * count) }
        return .int(Int(Int64(bitPattern: value)))
    }

    private mutating func container(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: ")"): push(.tuple([]))
        case UInt8(ascii: "t"): push(.tuple(try popToMark()))
        case 0x85: push(.tuple([try pop()]))
        case 0x86:
            let second = try pop()
            push(.tuple([try pop(), second]))
        case 0x87:
            let third = try pop(), second = try pop()
            push(.tuple([try pop(), second, third]))
        case UInt8(ascii: "]"), 0x8f: push(.list([]))  // list, set
        case UInt8(ascii: "l"), 0x91: push(.list(try popToMark()))  // list, frozen set
        case UInt8(ascii: "a"): try append([try pop()])
        case UInt8(ascii: "e"), 0x90: try append(try popToMark())
        case UInt8(ascii: "}"): push(.dict([]))
        case UInt8(ascii: "d"):
            let items = try popToMark()
            push(.dict([]))
            try setItems(items)
        case UInt8(ascii: "s"):
            let value = try pop()
            try setItems([try pop(), value])
        case UInt8(ascii: "u"): try setItems(try popToMark())
        default: return false
        }
        return true
    }

    private mutating func append(_ items: [Int]) throws(CheckpointError) {
        let target = try top()
        guard case .list(var members) = table.values[target] else { throw reader.fail("items are added to something else than a list") }
        // Takes the list out first, so that it grows in place.
        table.values[target] = .none
        members.append(contentsOf: items)
        table.values[target] = .list(members)
    }

    private mutating func setItems(_ items: [Int]) throws(CheckpointError) {
        let target = try top()
        guard items.count % 2 == 0, case .dict(var members) = table.values[target] else {
            throw reader.fail("keys and values are set on something else than a dictionary")
        }
        table.values[target] = .none
        for at in stride(from: 0, to: items.count, by: 2) { members.append((items[at], items[at + 1])) }
        table.values[target] = .dict(members)
    }

    private mutating func reference(_ code: UInt8, _ place: Int) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "q"): memo[Int(try reader.integer(UInt8.self))] = try top()
        case UInt8(ascii: "r"): memo[Int(try reader.integer(UInt32.self))] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): stack.append(try recall(Int(try reader.integer(UInt8.self))))
        case UInt8(ascii: "j"): stack.append(try recall(Int(try reader.integer(UInt32.self))))
        case UInt8(ascii: "c"):
            let module = try reader.line(), name = try reader.line()
            push(.global(try PickleGlobals.check(module, name, reader.file, place)))
        case 0x93:
            let name = try pop(), module = try pop()
            guard let name = table.string(name), let module = table.string(module) else { throw reader.fail("a global without a name") }
            push(.global(try PickleGlobals.check(module, name, reader.file, place)))
        case UInt8(ascii: "R"), 0x81:
            let arguments = try pop(), callee = try pop()
            guard case let .global(name) = table[callee] else { throw reader.fail("something else than a global is called") }
            let here = reader
            push(try PickleGlobals.value(of: name, arguments, &table) { problem in here.fail("\(name): \(problem)") })
        case UInt8(ascii: "b"):
            let state = try pop(), target = try top()
            // State of anything but an object (such as a state dictionary's own `_metadata`) says nothing of tensors.
            if case let .object(name, nil) = table[target] { table.values[target] = .object(name, state: state) }
        case UInt8(ascii: "Q"):
            let identity = try pop()
            push(try PickleGlobals.storage(identity, table) { problem in reader.fail("storage: \(problem)") })
        default: return false
        }
        return true
    }

    private func recall(_ index: Int) throws(CheckpointError) -> Int {
        guard let value = memo[index] else { throw reader.fail("memo \(index) was never set") }
        return value
    }
}
