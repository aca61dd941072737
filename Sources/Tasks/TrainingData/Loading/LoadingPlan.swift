import Foundation
import Imaging

/// How samples become batches.
public struct LoadingPlan: Sendable {
    public var batchSize = 32
    /// In an order that follows from the seed and the epoch; false keeps the source's.
    public var shuffles = true
    /// Leaves out what is less than a batch at the end of an epoch.
    public var dropsLast = true
    /// Epochs of the whole run, those before a resumed position with them; nil goes on without end.
    public var epochs: Int? = 1
    public var captions = CaptionChoice.one
    /// A sample without a caption, or without one in any of the wanted languages, counts as damaged.
    public var requiresCaptions = true
    /// A sample without a label counts as damaged.
    public var requiresLabels = false
    /// What the network is shown of each picture, one tensor for each view. Empty: pictures aren't decoded.
    public var views: [PictureView] = []
    /// Lets decoders leave out pixels that no view needs.
    public var reducesDecoding = true
    /// Threads that read, decode and augment.
    public var threads = max(1, ProcessInfo.processInfo.activeProcessorCount)
    /// Batches that may be ready ahead of the one being used.
    public var lookAhead = 4
    /// Bytes that samples made ahead may hold; one sample of any size may.
    public var memory = 512 << 20
    /// More damaged samples than this share of the epoch end the run.
    public var damagedShare = 0.05
    /// Of sharded sources: samples that are shuffled together.
    public var bufferSamples = 5_000
    /// Of sharded sources: bytes that these may hold (archives that aren't compressed hold next to none).
    public var bufferBytes = 256 << 20
    public var limits = DataLimits()

    public init() {}

    func check() throws(DataError) {
        func positive(_ name: String, _ value: Int, _ most: Int) throws(DataError) {
            guard (1...most).contains(value) else {
                throw DataError("plan", field: name, "a number from 1 to \(most) is expected, found \(value)")
            }
        }
        try positive("batch size", batchSize, 1 << 20)
        try positive("threads", threads, 1_024)
        try positive("batches ahead", lookAhead, 1_024)
        try positive("memory", memory, .max)
        try positive("buffered samples", bufferSamples, 1 << 24)
        try positive("buffered bytes", bufferBytes, .max)
        if let epochs { try positive("epochs", epochs, .max) }
        guard (0...1).contains(damagedShare) else {
            throw DataError("plan", field: "damaged share", "a number from 0 to 1 is expected, found \(damagedShare)")
        }
        if let twin = views.lazy.compactMap(\.twin).first(where: { !views.indices.contains($0) || views[$0].twin != nil }) {
            throw DataError("plan", field: "views", "view \(twin), whose twin another is, is none of its own")
        }
        try captions.check()
    }
}
