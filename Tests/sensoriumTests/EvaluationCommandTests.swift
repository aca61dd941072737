import Foundation
import Tensors
import Testing

/// What the measuring commands print and how they end.
@Suite struct EvaluationCommandTests {
    private func workspace() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        return workspace
    }

    private func object(_ arguments: [String], in workspace: Workspace, status: Int32 = 0) throws -> [String: Any] {
        let run = try CommandRun(["eval"] + arguments + ["--json"], in: workspace)
        #expect(run.status == status, "\(run.errors)")
        return try #require(run.objects?.first, "\(run.errors)")
    }

    @Test func retrievalOfArraysIsMeasured() throws {
        let workspace = try workspace()
        let found = try object(
            [
                "retrieval", "--image-embeddings", "images.npy", "--text-embeddings", "texts.npy", "--pairs", "pairs.jsonl", "--recall-at",
                "1", "3",
            ],
            in: workspace)
        #expect(found["pictures"] as? Int == 12 && found["captions"] as? Int == 12)
        for direction in ["text_to_image", "image_to_text"] {
            let scores = try #require(found[direction] as? [String: Any])
            #expect(scores["recall@1"] as? Double == 1 && scores["recall@3"] as? Double == 1 && scores["mean_rank"] as? Double == 1)
            #expect((scores["recall@1_interval"] as? [Double]) == [1, 1])
        }
        let named = try object(
            [
                "retrieval", "--image-embeddings", "images.npy", "--text-embeddings", "texts.npy", "--data", "texts.jsonl", "--image-ids",
                "ids.txt",
            ],
            in: workspace)
        #expect(named["mean_recall"] as? Double == 1)
    }

    @Test func languagesAreMeasuredApart() throws {
        let workspace = try workspace()
        let found = try object(
            ["retrieval", "--model", "clip-folder", "--data", "val.en.jsonl", "val.zh.jsonl", "--resamples", "10"], in: workspace)
        #expect(found["pictures"] as? Int == 6 && found["captions"] as? Int == 12)
        let languages = try #require(found["languages"] as? [[String: Any]])
        #expect(languages.map { $0["language"] as? String } == ["en", "zh"] && languages.allSatisfy { $0["captions"] as? Int == 6 })
        let text = try CommandRun(["eval", "retrieval", "--model", "clip-folder", "--data", "val.en.jsonl", "val.zh.jsonl"], in: workspace)
        #expect(text.status == 0 && text.lines.count == 15, "\(text.output)")
        #expect(text.lines[0] == "all: 6 pictures, 12 captions" && text.lines[5] == "en: 6 pictures, 6 captions")
    }

    @Test func picturesThatCannotBeReadAreLeftOutWhereAllowed() throws {
        let workspace = try workspace()
        try workspace.write("animals/dog/0.png", text: "no picture")
        let refused = try CommandRun(["eval", "retrieval", "--model", "clip-folder", "--data", "captions.jsonl"], in: workspace)
        #expect(refused.status == 1 && refused.errors.contains("animals/dog/0.png") && refused.errors.contains("--skip-failed"))
        let found = try object(
            ["retrieval", "--model", "clip-folder", "--data", "captions.jsonl", "--skip-failed"], in: workspace, status: 1)
        #expect(found["pictures"] as? Int == 5 && found["captions"] as? Int == 10)
        let alignment = try object(
            [
                "alignment", "clip-folder", "clip-folder", "--data", "captions.jsonl", "--captions", "b", "-k", "2", "--metric",
                "mutual_knn", "--skip-failed",
            ],
            in: workspace, status: 1)
        #expect(alignment["rows"] as? Int == 5 && alignment["mutual_knn"] is Double)
    }

    @Test func classesAreToldApart() throws {
        let workspace = try workspace()
        let words = try object(
            [
                "zero-shot", "--data", "images.npy", "--labels", "labels.txt", "--classes", "classes.txt", "--class-embeddings",
                "classes.npy",
            ],
            in: workspace)
        #expect(words["top1"] as? Double == 1 && words["top5"] == nil && words["mean_per_class_recall"] as? Double == 1)
        #expect((words["classes"] as? [[String: Any]])?.map { $0["class"] as? String } == ["cat", "dog", "horse"])
        let arrays = ["--train", "train.npy", "--train-labels", "train.txt", "--test", "test.npy", "--test-labels", "test.txt"]
        let linear = try object(["linear-probe"] + arrays, in: workspace)
        #expect(linear["top1"] as? Double == 1 && (linear["trials"] as? [Any])?.count ?? 0 >= 7 && linear["converged"] as? Bool == true)
        let near = try object(["knn"] + arrays, in: workspace)
        let list = try #require(near["neighbours"] as? [[String: Any]])
        #expect(list.count == 1 && list[0]["k"] as? Int == 10 && list[0]["top1"] as? Double == 1)
        // The pictures of a class of the split are the same in both parts.
        let pictures = try object(["knn", "--model", "clip-folder", "--data", "animals-split", "--k", "1"], in: workspace)
        #expect((pictures["neighbours"] as? [[String: Any]])?[0]["top1"] as? Double == 1)
    }

    @Test func alignmentOfEqualArraysIsWhole() throws {
        let workspace = try workspace()
        let found = try object(["alignment", "images.npy", "images.npy", "-k", "3", "--components", "3"], in: workspace)
        #expect(found["rows"] as? Int == 12)
        for name in ["mutual_knn", "cka", "unbiased_cka", "cknna", "svcca"] {
            #expect(abs((found[name] as? Double ?? 0) - 1) < 0.01, "\(name)")
        }
        #expect(found["lcs_knn"] as? Double == 3)
    }

    @Test(arguments: [
        (["retrieval", "--model", "clip-folder"], Int32(2), "either --data or --pairs"),
        (["retrieval", "--data", "captions.jsonl"], 2, "Give --model"),
        (["retrieval", "--model", "clip-folder", "--data", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["retrieval", "--model", "clip-folder", "--data", "labels.tsv"], 2, "labels.tsv, line 1"),
        (["retrieval", "--model", "dinov2-small", "--data", "captions.jsonl"], 3, "text"),
        (
            ["retrieval", "--image-embeddings", "images.npy", "--text-embeddings", "texts.npy", "--pairs", "few.jsonl"], 2,
            "12 rows of captions' embeddings for 1"
        ),
        (
            ["retrieval", "--image-embeddings", "images.npy", "--text-embeddings", "texts.npy", "--pairs", "wrong.jsonl"], 2,
            "picture 12 isn't among the 12"
        ),
        (["retrieval", "--image-embeddings", "nan.npy", "--text-embeddings", "texts.npy", "--pairs", "pairs.jsonl"], 2, "isn't finite"),
        (["zero-shot", "--model", "clip-folder", "--data", "animals/cat"], 2, "no folders in it"),
        (["zero-shot", "--model", "clip-folder", "--data", "single"], 2, "only one class"),
        (
            ["zero-shot", "--data", "images.npy", "--class-embeddings", "classes.npy", "--classes", "classes.txt"], 2,
            "the class of each row"
        ),
        (["zero-shot", "--model", "clip-folder", "--data", "animals", "--templates", "classes.txt"], 2, "no {} where the label goes"),
        (["linear-probe", "--model", "clip-folder", "--data", "animals"], 2, "holds no folder train"),
        (
            ["linear-probe", "--train", "train.npy", "--train-labels", "one.txt", "--test", "test.npy", "--test-labels", "test.txt"], 2,
            "isn't among those of the training set"
        ),
        (
            ["knn", "--train", "train.npy", "--train-labels", "train.txt", "--test", "test.npy", "--test-labels", "test.txt", "--k", "13"],
            2, "13 neighbours among 12"
        ),
        (
            ["knn", "--train", "train.npy", "--train-labels", "few.txt", "--test", "test.npy", "--test-labels", "test.txt"], 2,
            "holds 2 labels"
        ),
        (["alignment", "images.npy", "classes.npy"], 2, "A has 12 rows, B 3"),
        (["alignment", "images.npy", "clip-folder"], 2, "with --data"),
        (["alignment", "images.npy", "other.npy", "--metric", "mutual_knn", "-k", "12"], 2, "1 to 11"),
        (["alignment", "images.npy", "labels.tsv.npy"], 2, "labels.tsv.npy"),
    ]) func failuresSayWhatToDo(arguments: [String], status: Int32, words: String) throws {
        let workspace = try workspace()
        try workspace.write("few.jsonl", text: #"{"image": 0}"#)
        try workspace.write("wrong.jsonl", text: #"{"image": 12}"#)
        try workspace.write("nan.npy", rows: .full([12, 4], .nan))
        try workspace.write("one.txt", text: String(repeating: "cat\n", count: 12))
        try workspace.write("few.txt", text: "cat\ndog\n")
        try workspace.write("single/cat/a.png", seed: 3)
        let run = try CommandRun(["eval"] + arguments, in: workspace)
        #expect(run.status == status && run.errors.contains(words), "\(run.status) \(run.errors)")
        #expect(run.output.isEmpty && !run.errors.contains("Fatal error"))
    }
}
