import CKernels
import Foundation
import Tensors

extension LocalIndex {
    /// Adds vectors `[ids.count, dimension]` of any floating-point type, replacing those whose id is there; of equal ids in one
    /// call the last counts. Cosine stores unit vectors (a zero vector stays zero and scores 0). All or nothing, durable when
    /// it returns.
    public func upsert(ids: [Int64], vectors: Tensor) throws(IndexError) {
        guard vectors.shape == [ids.count, dimension], vectors.dtype.isFloatingPoint else {
            throw .invalid(
                operation: "upsert", field: "vectors", value: "\(vectors.dtype) \(vectors.shape)",
                expected: "floats [\(ids.count), \(dimension)]")
        }
        guard !ids.isEmpty else { return }
        var last: [Int64: Int] = [:]
        for (index, id) in ids.enumerated() { last[id] = index }
        let kept = ids.indices.filter { last[ids[$0]] == $0 }
        let bytes = try encode(vectors.asType(.f32), ids: ids, rows: kept)
        let rowBytes = settings.rowBytes
        let checksums = kept.indices.map { bytes.checksum($0 * rowBytes..<($0 + 1) * rowBytes) }
        try change { (state) throws(IndexError) in
            try state.needRows()
            var record = Journal.Record(sequence: state.snapshot.commit.sequence + 1, firstRow: state.snapshot.commit.rows)
            record.ids = kept.map { ids[$0] }
            record.checksums = checksums
            record.removed = record.ids.compactMap { state.rows?[$0] }
            return (record, bytes)
        }
    }

    /// Removes ids; those that are absent don't matter. Returns how many were there. Durable when it returns.
    @discardableResult
    public func remove(ids: [Int64]) throws(IndexError) -> Int {
        let wanted = IDSet(ids)
        return try change { (state) throws(IndexError) in
            try state.needRows()
            var record = Journal.Record(sequence: state.snapshot.commit.sequence + 1, firstRow: state.snapshot.commit.rows)
            record.removed = wanted.sorted.compactMap { state.rows?[$0] }
            return record.removed.isEmpty ? nil : (record, [])
        }
    }

    /// Rewrites the files without removed and replaced vectors. Searches go on meanwhile on the old ones.
    public func compact() throws(IndexError) {
        try exclusively { (_) throws(IndexError) in
            let snapshot = try current()
            guard snapshot.liveCount < snapshot.commit.rows else { return }
            let writer = try GenerationWriter(folder, settings, generation: snapshot.generation + 1)
            for chunk in snapshot.chunks {
                for index in 0..<chunk.count where chunk.isLive(index) {
                    let bytes = UnsafeRawPointer(chunk.vectors.pointer) + index * settings.rowBytes
                    guard sn_crc32c(0, bytes, settings.rowBytes) == chunk.checksums[index] else {
                        throw snapshot.damaged(row: chunk.start + index)
                    }
                    try writer.append(id: chunk.ids[index], bytes: bytes, checksum: chunk.checksums[index])
                }
            }
            let lists = lists(snapshot)
            try writer.publish()
            folder.removeStrays(except: snapshot.generation + 1)
            try? writeCodes(try current())
            if let lists { try? carryLists(lists, from: snapshot, to: try current()) }
        }
    }

    /// Stored bytes of some rows of f32 vectors.
    private func encode(_ vectors: Tensor, ids: [Int64], rows: [Int]) throws(IndexError) -> [UInt8] {
        let dimension = dimension, rowBytes = settings.rowBytes
        var bytes = [UInt8](repeating: 0, count: rows.count * rowBytes)
        try vectors.withElements(Float.self) { (values) throws(IndexError) in
            var line = [Float](repeating: 0, count: dimension), half = [UInt16](repeating: 0, count: dimension)
            for (place, row) in rows.enumerated() {
                for i in 0..<dimension { line[i] = values[row * dimension + i] }
                if metric == .cosine { LocalIndex.normalize(&line) }
                var finite = line.allSatisfy(\.isFinite)
                if storage == .f16 {
                    sn_kernels().pointee.to_half(line, &half, dimension)
                    finite = finite && half.allSatisfy { $0 & 0x7C00 != 0x7C00 }
                }
                guard finite else {
                    throw .invalid(
                        operation: "upsert", field: "vector of id \(ids[row])", value: "not finite as \(storage)",
                        expected: "finite components")
                }
                bytes.withUnsafeMutableBytes { to in
                    let to = UnsafeMutableRawBufferPointer(rebasing: to[place * rowBytes..<(place + 1) * rowBytes])
                    if storage == .f16 {
                        half.withUnsafeBytes { to.copyMemory(from: $0) }
                    } else {
                        line.withUnsafeBytes { to.copyMemory(from: $0) }
                    }
                }
            }
        }
        return bytes
    }

    /// Scales to unit length, in double so that no finite vector overflows.
    static func normalize(_ line: inout [Float]) {
        var square = 0.0
        for value in line { square += Double(value) * Double(value) }
        guard square > 0, square.isFinite else { return }
        let scale = 1 / square.squareRoot()
        for index in line.indices { line[index] = Float(Double(line[index]) * scale) }
    }
}

extension LocalIndex {
    /// Runs with the writer's lock of this process and of all processes.
    func exclusively<Result: Sendable>(_ body: (inout Writing) throws(IndexError) -> Result) throws(IndexError) -> Result {
        let outcome: Swift.Result<Result, IndexError> = writing.withLock { writing in
            do throws(IndexError) {
                let lock = try WriterLock.acquire(folder)
                defer { lock.release() }
                if !writing.tidied {
                    folder.removeStrays(except: try current().generation)
                    writing.tidied = true
                }
                return .success(try body(&writing))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// One change: vectors, then the journal's record, then the commit, each on the disk before the next. Returns the number
    /// of removed rows. What a failure leaves behind lies after the last commit and is cut off.
    @discardableResult
    private func change(_ plan: (inout State) throws(IndexError) -> (Journal.Record, [UInt8])?) throws(IndexError) -> Int {
        try exclusively { (writing) throws(IndexError) in
            try heal()
            let planned = try withCurrent { (state) throws(IndexError) in
                (try plan(&state)).map { Planned(record: $0.0, bytes: $0.1, snapshot: state.snapshot) }
            }
            guard let planned else { return 0 }
            try planned.write(folder)
            // The change is done; codes and lists that can't be written (the disk is full) only make searches slower.
            try? writeCodes(try current())
            if !writing.defersLists { try? writeLists(try current()) }
            return planned.record.removed.count
        }
    }

    /// Writes the commit block that a crash left unreadable, so that the next commit doesn't overwrite the only good one.
    private func heal() throws(IndexError) {
        let (opened, snapshot) = try withCurrent { (state) throws(IndexError) in (state.opened, state.snapshot) }
        let manifest = try folder.readManifest(opened)
        guard manifest.rollsForward else { return }
        let file = try File.open(folder.manifestPath, flags: O_RDWR)
        var other = snapshot.commit
        if other.sequence == manifest.commit.sequence { other.sequence -= 1 }
        try file.write(Manifest.encoded(other, generation: snapshot.generation), at: Manifest.offset(of: other.sequence))
        try file.synchronize()
    }
}

/// A change that is ready to be written after a snapshot.
private struct Planned: Sendable {
    let record: Journal.Record
    let bytes: [UInt8]
    let snapshot: Snapshot

    func write(_ folder: Folder) throws(IndexError) {
        let rowsEnd = Snapshot.vectorsHeaderBytes + snapshot.commit.rows * snapshot.settings.rowBytes
        let vectors = try File.open(snapshot.vectorsFile.path, flags: O_RDWR)
        let journal = try File.open(snapshot.journalFile.path, flags: O_RDWR)
        let manifest = try File.open(folder.manifestPath, flags: O_RDWR)
        let (encoded, chain) = Journal.encode(record, after: snapshot.commit.chain)
        let commit = Commit(
            sequence: record.sequence, journalBytes: snapshot.commit.journalBytes + encoded.count,
            rows: snapshot.commit.rows + record.ids.count, chain: chain)
        do throws(IndexError) {
            // Bytes after the last commit are those of a writer that was killed.
            try vectors.truncate(to: rowsEnd)
            try journal.truncate(to: snapshot.commit.journalBytes)
            if !bytes.isEmpty {
                try vectors.write(bytes, at: rowsEnd)
                try vectors.synchronize()
            }
            try journal.write(encoded, at: snapshot.commit.journalBytes)
            try journal.synchronize()
        } catch {
            try? vectors.truncate(to: rowsEnd)
            try? journal.truncate(to: snapshot.commit.journalBytes)
            throw error
        }
        let place = Manifest.offset(of: commit.sequence)
        let previous = try manifest.read(Manifest.block, at: place, field: "commit block")
        do throws(IndexError) {
            try manifest.write(Manifest.encoded(commit, generation: snapshot.generation), at: place)
            try manifest.synchronize()
        } catch {
            try? manifest.write(previous, at: place)
            throw error
        }
    }
}
