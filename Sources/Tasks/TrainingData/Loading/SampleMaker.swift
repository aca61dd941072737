import Imaging
import Tensors

/// A sample as a batch takes it.
struct Prepared: Sendable {
    var example: Example
    /// f32 `[3, height, width]` for each view.
    var views: [Tensor] = []
    var features: Tensor?

    /// Bytes that it holds.
    var byteCount: Int {
        views.reduce(0) { $0 + $1.count * $1.dtype.size } + (features.map { $0.count * $0.dtype.size } ?? 0)
            + example.captions.reduce(256) { $0 + $1.text.utf8.count }
    }
}

/// Reads, decodes and augments. The result follows from the seed, the epoch and the sample alone.
struct SampleMaker: Sendable {
    let plan: LoadingPlan
    let seed: UInt64

    func make(_ ticket: SampleTicket, epoch: Int) throws(DataError) -> Prepared {
        let sample = try ticket.load()
        var generator = SampleRandom.generator(seed: seed, epoch: epoch, sample: ticket.key, .caption)
        let captions = plan.captions.choose(sample.captions, &generator)
        if plan.requiresCaptions, captions.isEmpty {
            let found = Set(sample.captions.map { $0.language ?? "no language" }).sorted().joined(separator: ", ")
            throw DataError(
                sample.place, sample.captions.isEmpty ? "no caption" : "no caption in a wanted language: there are captions in \(found)")
        }
        if plan.requiresLabels, sample.label == nil { throw DataError(sample.place, "no label") }
        var prepared = Prepared(example: Example(id: sample.id, key: ticket.key, captions: captions, label: sample.label))
        if case let .features(features) = sample.picture {
            prepared.features = try finite(features.asType(.f32), sample)
        } else if !plan.views.isEmpty {
            prepared.views = try views(of: sample, key: ticket.key, epoch: epoch)
        }
        return prepared
    }

    private func views(of sample: Sample, key: UInt64, epoch: Int) throws(DataError) -> [Tensor] {
        let generators = plan.views.enumerated().map { place, view in
            SampleRandom.generator(seed: seed, epoch: epoch, sample: key, .view(view.twin ?? place))
        }
        let bytes = try sample.pictureBytes(limit: plan.limits.picture.fileBytes)
        var tensors: [Tensor] = []
        do throws(PictureError) {
            let useful = plan.reducesDecoding ? try usefulSide(bytes, generators) : nil
            let picture = try PictureDecoder.decode(bytes: bytes, shortestUsefulSide: useful, limits: plan.limits.picture)
            for (view, var generator) in zip(plan.views, generators) { tensors.append(try view.apply(picture, &generator)) }
        } catch {
            throw DataError(sample.place, error.reasonText)
        }
        return tensors
    }

    /// The largest that any view asks for; nil where one needs every pixel.
    private func usefulSide(_ bytes: [UInt8], _ generators: [RandomGenerator]) throws(PictureError) -> Int? {
        guard let format = PictureFormat.detect(bytes), [.jpeg, .webp].contains(format) else { return nil }
        var size = (width: 0, height: 0)
        if plan.views.contains(where: \.cropsFirst) {
            let header = try PictureMetadata.read(bytes: bytes, limits: plan.limits.picture)
            size = (header.width, header.height)
        }
        var useful = 0
        for (view, generator) in zip(plan.views, generators) {
            guard let side = view.usefulSide(width: size.width, height: size.height, generator) else { return nil }
            useful = max(useful, side)
        }
        return useful
    }

    /// Features with NaN would end a run much later, and far from the cause.
    private func finite(_ features: Tensor, _ sample: Sample) throws(DataError) -> Tensor {
        let bad = features.withElements(Float.self) { $0.firstIndex { !$0.isFinite } }
        if let bad { throw DataError(sample.place, "feature \(bad) isn't a finite number") }
        return features.contiguous()
    }
}
