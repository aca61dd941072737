import Foundation
import Imaging

/// WebDataset shards: tar archives, gzipped or not, in which neighbours with the same name up to the first dot are one sample
/// (`000017.jpg`, `000017.txt`, `000017.zh.txt`, `000017.json`, `000017.cls`).
public struct WebDatasetSource: ShardedSource {
    public let path: String
    public let shards: [String]
    public let fingerprint: String
    private let limits: DataLimits

    /// - Parameter path: an archive, a folder of archives, or names with braces (`shard-{000..012}.tar`), several joined by `::`.
    /// Throws when a shard that is named isn't there, or none is.
    public init(path: String, limits: DataLimits = DataLimits()) throws(DataError) {
        self.path = path
        self.limits = limits
        shards = try ShardNames.find(path, "no .tar or .tar.gz in this folder", Self.isShard)
        var digest = Fingerprint()
        for shard in shards {
            digest.add(FileName.split(Array(shard.utf8)).stem.split(separator: UInt8(ascii: "/")).last ?? [])
            digest.add(try InputFile(shard).byteCount)
        }
        fingerprint = "webdataset-\(digest.text)"
    }

    static func isShard(_ name: String) -> Bool {
        let name = name.lowercased()
        return name.hasSuffix(".tar") || name.hasSuffix(".tar.gz") || name.hasSuffix(".tgz")
    }

    public var shardCount: Int { shards.count }

    public func open(shard: Int) throws(DataError) -> any ShardReader {
        let path = shards[shard]
        let file = try InputFile(path)
        // By its first bytes, not its name.
        let isGzip = file.byteCount >= 2 ? try file.bytes(at: 0, count: 2) == [0x1F, 0x8B] : false
        if isGzip { return WebDatasetReader(try GzipStream(path: path), isPlain: false, limits) }
        return WebDatasetReader(PlainStream(file), isPlain: true, limits)
    }
}

/// Samples of one shard. Of an archive that isn't compressed only headers are read here; the rest is left to those who load.
private final class WebDatasetReader: ShardReader {
    private let isPlain: Bool
    private let path: String
    private let limits: DataLimits
    private var tar: TarReader
    private var group: MemberGroup?
    private let stream: any ArchiveStream
    private var isAtEnd = false
    private var isChecked = false

    init(_ stream: any ArchiveStream, isPlain: Bool, _ limits: DataLimits) {
        self.isPlain = isPlain
        self.limits = limits
        path = stream.path
        self.stream = stream
        tar = TarReader(stream, limits: limits)
    }

    func next() throws(DataError) -> ShardSample? {
        while !isAtEnd {
            guard let member = try tar.next() else {
                isAtEnd = true
                break
            }
            guard let (key, suffix) = MemberGroup.split(member.name), MemberGroup.isWanted(suffix) else { continue }
            let content: MemberGroup.Content
            if isPlain {
                content = .inFile(path, offset: member.offset, count: member.count)
            } else {
                content = .inMemory(try tar.contents())
            }
            if group?.key == key {
                try group?.add(suffix, content)
                continue
            }
            let finished = group
            group = MemberGroup(shard: path, key: key)
            try group?.add(suffix, content)
            if let finished { return sample(finished) }
        }
        if let last = group {
            group = nil
            return sample(last)
        }
        if !isChecked {
            isChecked = true
            try stream.finish()
        }
        return nil
    }

    private func sample(_ group: MemberGroup) -> ShardSample {
        let limits = limits
        return ShardSample(byteCount: group.byteCount) { () throws(DataError) in try group.sample(limits) }
    }
}
