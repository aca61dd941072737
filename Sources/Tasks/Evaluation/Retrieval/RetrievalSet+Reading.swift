import Checkpoints

extension RetrievalSet {
    /// Reads files of captions; pictures that several files name are one.
    ///
    /// A line of a `.jsonl` file is an object that names its picture (`file`, `image`, `file_name`, `filename`, `path`, `image_id`) or
    /// pictures (`image_ids`, as Chinese-CLIP's `texts.jsonl`) and its `captions` (texts, or objects of `text` and `lang`), `caption`
    /// or `text`; `lang` names the language, else the file's name does (`val.zh.jsonl`). A `.json` file is a list of such objects,
    /// COCO's captions (`images`, `annotations`) or Karpathy's splits (`images` with `sentences`).
    /// - Parameters:
    ///   - files: names, for messages and languages, and contents.
    ///   - split: keeps the pictures whose `split` is this one (Karpathy); nil keeps all.
    ///   - pictures: the pictures there are, in their order; naming another is an error. nil takes what the files name.
    ///   - needsText: false where only the pairing matters: a line without a text stands for one all the same.
    public init(
        files: [(name: String, bytes: [UInt8])], split: String? = nil, pictures: [String]? = nil, needsText: Bool = true
    ) throws(EvaluationError) {
        var reader = RetrievalReader(known: pictures, split: split, needsText: needsText)
        for file in files { try reader.read(file.bytes, file.name) }
        guard !reader.captions.isEmpty else {
            let kept = split.map { " of split \"\($0)\"" } ?? ""
            throw .data(file: files.map(\.name).joined(separator: ", "), line: nil, problem: "there are no captions\(kept)")
        }
        try self.init(pictures: reader.pictures, captions: reader.captions)
    }
}

private struct RetrievalReader {
    private(set) var pictures: [String]
    private(set) var captions: [RetrievalSet.Caption] = []
    private var places: [String: Int]
    private let isClosed: Bool, split: String?, needsText: Bool
    private var file = "", line: Int?
    private var fileLanguage: String?

    init(known: [String]?, split: String?, needsText: Bool) {
        pictures = known ?? []
        (isClosed, self.split, self.needsText) = (known != nil, split, needsText)
        places = Dictionary(zip(pictures, pictures.indices)) { first, _ in first }
    }

    private func fail(_ problem: String) -> EvaluationError { .data(file: file, line: line, problem: problem) }

    mutating func read(_ bytes: [UInt8], _ name: String) throws(EvaluationError) {
        (file, line) = (name, nil)
        let parts = (name.split(separator: "/").last ?? "").split(separator: ".")
        let middle = parts.count >= 3 ? String(parts[parts.count - 2]).lowercased() : ""
        fileLanguage = (2...3).contains(middle.utf8.count) && middle.utf8.allSatisfy { (0x61...0x7A).contains($0) } ? middle : nil
        guard parts.last?.lowercased() == "json" else { return try readLines(bytes) }
        let document = try parse(bytes[...])
        if let images = document["images"]?.array, let annotations = document["annotations"]?.array {
            try readCOCO(images, annotations)
        } else if let images = document["images"]?.array {
            for image in images { try readKarpathy(image) }
        } else if let rows = document.array {
            for row in rows { try readRow(row) }
        } else {
            throw fail("expected a list, COCO's captions (images, annotations) or Karpathy's (images with sentences)")
        }
    }

    private func parse(_ bytes: ArraySlice<UInt8>) throws(EvaluationError) -> JSONValue {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in try JSONValue.parse(raw, file: file, field: "JSON") }
        }
        do throws(CheckpointError) { return try result.get() } catch {
            if case let .malformed(_, _, offset, problem) = error {
                throw fail((offset.map { "byte \($0): " } ?? "") + problem)
            }
            throw fail(error.description)
        }
    }

    private mutating func readLines(_ bytes: [UInt8]) throws(EvaluationError) {
        for (number, row) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            guard row.contains(where: { $0 > 0x20 }) else { continue }
            line = number + 1
            try readRow(parse(row))
        }
        line = nil
    }

    private mutating func readRow(_ row: JSONValue) throws(EvaluationError) {
        guard row.object != nil else { throw fail("expected an object, found \(row.summary)") }
        guard split == nil || row["split"]?.string == split else { return }
        var own: [Int] = []
        for name in try names(row) { own.append(try place(name)) }
        let language = row["lang"]?.string ?? row["language"]?.string ?? fileLanguage
        guard let given = row["captions"] ?? row["caption"] ?? row["text"] ?? row["sentence"] else {
            guard !needsText else { throw fail("there are no captions: expected \"captions\", \"caption\" or \"text\"") }
            return captions.append(RetrievalSet.Caption(text: "", language: language, pictures: own))
        }
        for caption in given.array ?? [given] {
            guard let text = caption.string ?? caption["text"]?.string ?? caption["caption"]?.string ?? caption["raw"]?.string else {
                throw fail("expected a caption, found \(caption.summary)")
            }
            captions.append(RetrievalSet.Caption(text: text, language: caption["lang"]?.string ?? language, pictures: own))
        }
    }

    private func names(_ row: JSONValue) throws(EvaluationError) -> [String] {
        if let list = row["image_ids"]?.array ?? row["images"]?.array {
            var names: [String] = []
            for item in list { names.append(try name(item)) }
            guard !names.isEmpty else { throw fail("a caption that belongs to no picture") }
            return names
        }
        for key in ["file", "image", "file_name", "filename", "path", "image_id"] {
            if let value = row[key] { return [try name(value)] }
        }
        throw fail("no picture is named: expected \"file\", \"image\" or \"image_ids\"")
    }

    private func name(_ value: JSONValue) throws(EvaluationError) -> String {
        guard let name = value.string ?? value.int.map(String.init), !name.isEmpty else {
            throw fail("expected the name or the number of a picture, found \(value.summary)")
        }
        return name
    }

    private mutating func place(_ name: String) throws(EvaluationError) -> Int {
        if let known = places[name] { return known }
        guard !isClosed else {
            let range = pictures.first == "0" ? " numbered from 0" : ""
            throw fail("picture \(name) isn't among the \(pictures.count) that there are\(range)")
        }
        places[name] = pictures.count
        pictures.append(name)
        return pictures.count - 1
    }

    private mutating func readCOCO(_ images: [JSONValue], _ annotations: [JSONValue]) throws(EvaluationError) {
        var files: [Int: Int] = [:]
        for image in images {
            guard let id = image["id"]?.int, let name = image["file_name"]?.string else {
                throw fail("an image without \"id\" and \"file_name\"")
            }
            files[id] = try place(isClosed ? String(id) : name)
        }
        for annotation in annotations {
            guard let id = annotation["image_id"]?.int, let text = annotation["caption"]?.string else {
                throw fail("an annotation without \"image_id\" and \"caption\"")
            }
            guard let picture = files[id] else { throw fail("a caption of image \(id), which isn't among the images") }
            captions.append(RetrievalSet.Caption(text: text, language: fileLanguage, pictures: [picture]))
        }
    }

    private mutating func readKarpathy(_ image: JSONValue) throws(EvaluationError) {
        guard split == nil || image["split"]?.string == split else { return }
        guard let name = image["filename"]?.string, let sentences = image["sentences"]?.array else {
            throw fail("an image without \"filename\" and \"sentences\"")
        }
        let folder = image["filepath"]?.string.map { $0 + "/" } ?? ""
        let picture = try place(folder + name)
        for sentence in sentences {
            guard let text = sentence["raw"]?.string else { throw fail("a sentence of \(name) without \"raw\"") }
            captions.append(RetrievalSet.Caption(text: text, language: fileLanguage, pictures: [picture]))
        }
    }
}
