import Catalog
import Evaluation
import Imaging
import ModelKit
import Tensors

/// A model whose embeddings are measured.
struct EvaluationModel {
    let place: ModelPlace
    let loaded: LoadedModel
    private let options: EvaluationOptions

    init(_ named: String, _ options: EvaluationOptions) throws {
        place = try ModelPlace(named, precision: options.precision.precision)
        loaded = try place.load()
        self.options = options
    }

    /// Embeddings `[n, dimension]` of pictures as the model gives them, and the places of those that couldn't be read, which have no
    /// row. Throws for such a picture unless they may be left out.
    func embed(pictures paths: [String]) throws -> (rows: Tensor, failed: Set<Int>) {
        guard let encoder = loaded.image else {
            throw RoleError(model: place.name, role: "picture encoder", reason: "the checkpoint holds no picture tower")
        }
        var rows: [Tensor] = [], failed: Set<Int> = []
        try progressing(paths.count, "pictures") { start, end in
            let part = paths[start..<end].map { FilePath($0) }
            var prepared: [Tensor] = []
            let results = PictureLoader.load(part[...], shortestUsefulSide: encoder.shortestUsefulSide) { try encoder.prepare($0) }
            for (place, result) in results.enumerated() {
                do { prepared.append(try result.get()) } catch {
                    Console.standard.complain("\(error)")
                    failed.insert(start + place)
                }
            }
            if !failed.isEmpty, !options.skipFailed {
                throw Failure(.partial, "nothing is measured, as pictures are missing; --skip-failed leaves them out")
            }
            if !prepared.isEmpty { rows.append(try encoder.embed(prepared).asType(.f32)) }
        }
        guard !rows.isEmpty else { throw Failure(.partial, "none of the \(paths.count) pictures can be read") }
        return (try Tensor.concatenated(rows), failed)
    }

    /// Throws where words can't be embedded, before anything else takes its time.
    func requireTexts() throws { if loaded.language == nil { _ = try textEncoder() } }

    /// The encoder of words; throws where there is none.
    func textEncoder() throws -> any TextEncoder {
        guard let encoder = loaded.text, loaded.textAbsence == nil else {
            let reason = loaded.textAbsence ?? "\(loaded.family) has no text tower"
            throw RoleError(model: place.name, role: "text encoder", reason: reason)
        }
        return encoder
    }

    /// Embeddings `[n, dimension]` of texts as the model gives them; of a language model the mean of its last states.
    func embed(texts: [String]) throws -> Tensor {
        var rows: [Tensor] = []
        if let language = loaded.language {
            try progressing(texts.count, "texts") { start, end in
                for text in texts[start..<end] { rows.append(try language.meanState(of: text, name: place.name)) }
            }
            return try Tensor.stacked(rows)
        }
        let encoder = try textEncoder()
        try progressing(texts.count, "texts") { start, end in
            rows.append(try encoder.embed(texts: Array(texts[start..<end])).asType(.f32))
        }
        return try Tensor.concatenated(rows)
    }

    private func progressing(_ count: Int, _ what: String, _ body: (Int, Int) throws -> Void) throws {
        let shows = Console.standard.errorIsTerminal
        defer { if shows { Console.standard.draw("\r\u{1B}[K") } }
        for start in stride(from: 0, to: count, by: options.batch) {
            let end = min(count, start + options.batch)
            try body(start, end)
            if shows { Console.standard.draw("\r\(NumberText.grouped(end)) of \(NumberText.grouped(count)) \(what)") }
        }
    }
}

extension LanguageModel {
    /// The mean `[width]` of the last hidden states of a text's tokens, of which as many are taken as the model attends to.
    fileprivate func meanState(of text: String, name: String) throws -> Tensor {
        guard let tokenizer else {
            throw RoleError(model: name, role: "text encoder", reason: tokenizerAbsence ?? "it has no tokenizer")
        }
        let ids = Array(tokenizer.encode(text).ids.prefix(contextLength))
        guard !ids.isEmpty else { throw Failure(.usage, "a caption is empty: \(name) has no states for it") }
        var cache = makeCache(batch: 1, capacity: ids.count)
        return try states(embeddings(Tensor(ids, [1, ids.count])), cache: &cache).mean([0, 1])
    }
}
