import Foundation
import Testing

/// Vectors that go out and come in.
@Suite struct InterchangeCommandTests {
    private func indexed() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let index = try CommandRun(["index", "--quiet", "--model", "clip-folder", "Pictures"], in: workspace)
        #expect(index.status == 0, "\(index.errors)")
        return workspace
    }

    private func paths(_ run: CommandRun) -> [String] { run.lines.compactMap { $0.split(separator: "\t").last.map(String.init) } }

    /// A library that is made of an exported folder answers as the first does; the folder names its model itself.
    @Test func anExportedFolderIsALibraryAgain() throws {
        let workspace = try indexed()
        let export = try CommandRun(["export", "--output", "out", "--captions", "--json"], in: workspace)
        let told = try #require(export.objects)
        #expect(export.status == 0 && told.last?["rows"] as? Int == 4 && told.last?["captions"] as? Int == 4, "\(export.errors)")
        #expect(told.first?["event"] as? String == "progress")
        let again = try CommandRun(["import", "out", "--library", "second", "--json"], in: workspace)
        let summary = try #require(again.objects?.last)
        #expect(again.status == 0 && summary["added"] as? Int == 4 && summary["active"] as? Bool == true, "\(again.errors)")
        for query in [["--image", "a.jpg"], ["--text-weight", "0", "a red bicycle"], ["红色"]] {
            let first = try CommandRun(["search"] + query, in: workspace)
            let second = try CommandRun(["search", "--library", "second"] + query, in: workspace)
            #expect(first.status == 0 && second.status == 0 && paths(first) == paths(second), "\(second.errors)")
        }
        // A page of pictures that aren't known as files shows them all the same.
        #expect(try CommandRun(["search", "dog", "--library", "second", "--html", "page.html"], in: workspace).status == 0)
        let other = try CommandRun(["export", "--output", "out"], in: workspace)
        #expect(other.status == 4 && other.errors.contains("name one that is new or empty"))
    }

    @Test func vectorsOfAnUnknownModel() throws {
        let workspace = try indexed()
        #expect(try CommandRun(["export", "--output", "v.faiss", "--metadata", "v.parquet"], in: workspace).status == 0)
        let run = try CommandRun(["import", "v.faiss", "--library", "second"], in: workspace)
        #expect(run.status == 0 && run.errors.contains("no model is named") && run.errors.contains("imported 4 rows: 4 added"))
        let words = try CommandRun(["search", "bicycle", "--library", "second"], in: workspace)
        #expect(words.status == 0 && words.output.contains("bike.jpg"))
        let path = try #require(paths(words).first)
        #expect(try CommandRun(["similar", path, "--library", "second"], in: workspace).lines.count == 3)
        // In a library of a known model they don't take its place.
        #expect(try CommandRun(["import", "v.faiss"], in: workspace).errors.contains("searches use the earlier model's vectors"))
        #expect(try CommandRun(["search", "--image", "a.jpg"], in: workspace).status == 0)
    }

    @Test(
        arguments: [
            (["import", "absent.npy"], 3, "absent.npy"), (["import", "Pictures"], 3, "neither img_emb"),
            (["import", "clip-retrieval-folder", "--model", "dinov2-small"], 3, "--model names another"),
            (["import", "clip-retrieval-folder", "--metadata", "captions.txt"], 3, "it has 2 rows"),
            (["export", "--output", "out.xyz"], 2, ".npy, .fvecs, .faiss"),
            (["export", "--output", "out", "--metadata", "a.jsonl"], 2, "inside"),
            (["export", "--output", "out.npy", "--captions"], 2, "for a folder"),
            (["move", "elsewhere"], 2, "milvus://host:port/collection"),
            (["index", "--index", "milvus://host", "Pictures"], 2, "collection is absent"),
            (["move", "local", "--index", "none"], 3, "none"),
        ] as [([String], Int32, String)])
    func saysWhatIsWrong(arguments: [String], status: Int32, message: String) throws {
        let run = try CommandRun(arguments, in: indexed())
        #expect(run.status == status && run.errors.contains(message), "\(run.status) \(run.errors)")
    }

    /// A server that isn't there leaves all as it was.
    @Test func noServerListens() throws {
        let workspace = try indexed()
        let move = try CommandRun(["move", "milvus://127.0.0.1:9/pictures"], in: workspace)
        #expect(move.status == 3 && move.errors.contains("is a Milvus server running there?"), "\(move.errors)")
        #expect(try CommandRun(["search", "dog"], in: workspace).status == 0)
        let local = try CommandRun(["move", "local", "--json"], in: workspace)
        #expect(local.status == 0 && local.objects?.last?["moved"] as? Int == 0)
    }
}
