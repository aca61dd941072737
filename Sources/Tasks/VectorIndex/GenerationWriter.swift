import CKernels
import Foundation

/// Writes the files of a new generation and swaps them in by renaming the manifest: before that nobody sees them, and if
/// anything fails they are removed.
final class GenerationWriter {
    private let folder: Folder
    private let settings: Settings
    private let generation: UInt64
    private let vectors: File, journal: File
    private var commit = Commit.empty
    private var record = Journal.Record(sequence: 2, firstRow: 0)
    private var pending: [UInt8] = []
    private var written = Snapshot.vectorsHeaderBytes
    private var published = false

    init(_ folder: Folder, _ settings: Settings, generation: UInt64) throws(IndexError) {
        self.folder = folder
        self.settings = settings
        self.generation = generation
        let flags = O_RDWR | O_CREAT | O_TRUNC
        vectors = try File.open(folder.file(Snapshot.vectorsName(generation)), flags: flags)
        do throws(IndexError) {
            journal = try File.open(folder.file(Snapshot.journalName(generation)), flags: flags)
        } catch {
            unlink(vectors.path)
            throw error
        }
        try vectors.write(Snapshot.vectorsHeader(settings, generation: generation), at: 0)
        try journal.write(Journal.header(generation: generation), at: 0)
    }

    deinit {
        guard !published else { return }
        unlink(vectors.path)
        unlink(journal.path)
        unlink(folder.manifestPath + ".new")
    }

    /// Adds a vector's stored bytes, whose checksum the caller knows.
    func append(id: Int64, bytes: UnsafeRawPointer, checksum: UInt32) throws(IndexError) {
        pending.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: settings.rowBytes))
        record.ids.append(id)
        record.checksums.append(checksum)
        if pending.count >= 4 << 20 { try flushVectors() }
        if record.ids.count == Chunk.capacity { try flushRecord() }
    }

    private func flushVectors() throws(IndexError) {
        try vectors.write(pending, at: written)
        written += pending.count
        pending.removeAll(keepingCapacity: true)
    }

    private func flushRecord() throws(IndexError) {
        let (bytes, chain) = Journal.encode(record, after: commit.chain)
        try journal.write(bytes, at: commit.journalBytes)
        commit = Commit(
            sequence: record.sequence, journalBytes: commit.journalBytes + bytes.count, rows: commit.rows + record.ids.count, chain: chain)
        record = Journal.Record(sequence: commit.sequence + 1, firstRow: commit.rows)
    }

    func publish() throws(IndexError) {
        if !pending.isEmpty { try flushVectors() }
        if !record.ids.isEmpty { try flushRecord() }
        try vectors.synchronize()
        try journal.synchronize()
        let new = try File.open(folder.manifestPath + ".new", flags: O_RDWR | O_CREAT | O_TRUNC)
        try new.write(Manifest(settings: settings, generation: generation, commit: commit).encoded(), at: 0)
        try new.synchronize()
        guard rename(new.path, folder.manifestPath) == 0 else { throw new.failure("rename to manifest") }
        published = true
        try File.synchronizeFolder(folder.path)
    }
}

extension Folder {
    /// Removes files of other generations than the current one: leftovers of a writer that was killed. Under the writer's lock.
    func removeStrays(except generation: UInt64) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names {
            let parts = name.split(separator: "-")
            let isOurs = parts.count == 2 && ["vectors", "journal", "codes", "lists"].contains(parts[0])
            if name == "manifest.new" || (isOurs && UInt64(parts[1]).map { $0 != generation } ?? parts[1].hasSuffix(".new")) {
                unlink(file(name))
            }
        }
    }
}
