import Foundation
import Testing

/// What the commands print and how they end.
@Suite struct CommandTests {
    private func indexed() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["index", "--model", Workspace.clip, "Pictures", "--quiet"], in: workspace)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        return workspace
    }

    @Test func hitsArePathsThatCanBePiped() throws {
        let workspace = try indexed()
        let run = try CommandRun(["search", "--image", "Pictures/bike.jpg", "-k", "3"], in: workspace)
        #expect(run.status == 0, "\(run.errors)")
        let fields = run.lines.map { $0.split(separator: "\t").map(String.init) }
        #expect(fields.count == 3)
        #expect(fields.allSatisfy { $0.count == 2 && Double($0[0]) != nil && $0[1].hasPrefix("/") })
        #expect(fields.first?[1] == workspace.pictures.appendingPathComponent("bike.jpg").path)
        #expect(Double(fields.first?[0] ?? "") ?? 0 > 0.999)
    }

    @Test func hitsAsJSONHavePathScoreAndRank() throws {
        let workspace = try indexed()
        let run = try CommandRun(["search", "红色的自行车", "--json"], in: workspace)
        let objects = try #require(run.objects)
        #expect(objects.enumerated().allSatisfy { $1["rank"] as? Int == $0 + 1 && $1["score"] is Double })
        #expect(objects.first?["path"] as? String == workspace.pictures.appendingPathComponent("bike.jpg").path)
    }

    @Test func pictureFromOutsideFindsItsTwin() throws {
        let workspace = try indexed()
        try workspace.write("elsewhere.jpg", seed: 2, width: 1_200, height: 800)
        let run = try CommandRun(["search", "--image", "elsewhere.jpg", "--json"], in: workspace)
        #expect(run.objects?.first?["path"] as? String == workspace.pictures.appendingPathComponent("2024/dog.jpg").path)
    }

    @Test func secondRunFindsNothingToDo() throws {
        let workspace = try indexed()
        let run = try CommandRun(["index", "--json"], in: workspace)
        let done = try #require(run.objects?.last)
        #expect(done["event"] as? String == "done")
        #expect(done["unchanged"] as? Int == 4)
        #expect(done["embedded"] as? Int == 0)
    }

    @Test func badPicturesAreNamedCountedAndListed() throws {
        let workspace = try Workspace()
        try workspace.write("Pictures/good.png", seed: 1)
        try workspace.write("Pictures/empty.jpg", text: "")
        try workspace.write("Pictures/words.jpg", text: "this is no picture")
        let run = try CommandRun(["index", "--model", Workspace.clip, "Pictures"], in: workspace)
        #expect(run.status == 1)
        #expect(run.errors.contains("empty.jpg") && run.errors.contains("words.jpg"))
        #expect(run.errors.contains("1 embedded") && run.errors.contains("2 failed"))
        let errors = try CommandRun(["status", "--errors"], in: workspace)
        #expect(errors.lines.count == 2)
        #expect(errors.lines.allSatisfy { $0.split(separator: "\t").count == 3 })
        let status = try #require(try CommandRun(["status", "--json"], in: workspace).objects?.first)
        #expect(status["pictures"] as? Int == 1 && status["failed"] as? Int == 2)
    }

    @Test(arguments: [
        (["search"], 2, "Say what to look for"),
        (["search", "cat", "--where", "width >>> 3"], 2, "width"),
        (["search", "cat", "--color", "no colour"], 2, "colour"),
        (["index", "--batch", "0"], 2, "--batch"),
        (["index", "--model", "nowhere", "Pictures"], 3, "nowhere"),
        (["index", "--model", "tiny-vit-5m", "Pictures"], 3, "sensorium models pull tiny-vit-5m"),
        (["search", "cat", "--library", "nolibrary"], 3, "sensorium index"),
        (["frobnicate"], 2, "frobnicate"),
        (["classify", "--model", "clip-folder", "--labels", ",", "a.jpg"], 2, "--labels"),
        (["embed", "--model", "clip-folder", "--image", "absent.jpg", "--output", "x.npy"], 1, "absent.jpg"),
        (["embed", "--model", "clip-vit-b16-vision", "--text", "cat", "--output", "x.npy"], 3, "text"),
        (["read", "absent.jpg"], 1, "absent.jpg"),
        (["read", "labels.tsv"], 1, "labels.tsv"),
        (["read", "--model", "dinov2-small", "a.jpg"], 3, "ppocr-small"),
        (["read", "--min-score", "2", "a.jpg"], 2, "--min-score"),
        (["index", "--reader", "ppocr-small", "Pictures"], 2, "--read-text"),
        (["models", "pull", "nothing-of-that-name"], 2, "nothing-of-that-name"),
        (["models", "inspect", "labels.tsv"], 3, "labels.tsv"),
    ]) func failuresSayWhatToDo(arguments: [String], status: Int32, word: String) throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(arguments, in: workspace)
        #expect(run.status == status, "\(run.errors)")
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: workspace.folder.appendingPathComponent("x.npy").path))
    }

    @Test func embeddedRowsAreInOrderAndOfLengthOne() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        for (name, images) in [("ab.npy", ["a.jpg", "b.png"]), ("ba.npy", ["b.png", "a.jpg"])] {
            let run = try CommandRun(["embed", "--model", "clip-folder", "--output", name, "--image"] + images, in: workspace)
            #expect(run.status == 0, "\(run.errors)")
        }
        let (first, second) = (try rows("ab.npy", workspace), try rows("ba.npy", workspace))
        // The place in a batch decides in which order a token's products add up.
        func near(_ a: [Float], _ b: [Float]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 } }
        #expect(first.count == 2 && near(first[0], second[1]) && near(first[1], second[0]) && !near(first[0], first[1]))
        #expect(first.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 })
    }

    /// Rows of a version 1 `.npy` file of f32.
    private func rows(_ name: String, _ workspace: Workspace, count: Int = 2) throws -> [[Float]] {
        let data = try Data(contentsOf: workspace.folder.appendingPathComponent(name))
        #expect(data.prefix(6) == Data([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]))
        let start = 10 + Int(data[8]) + Int(data[9]) << 8
        let values = data[start...].withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
        let width = values.count / count
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    @Test func textIsReadAndKept() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["read", "--json", "--min-score", "0", "a.jpg", "absent.png", "b.png"], in: workspace)
        #expect(run.status == 1 && run.errors.contains("absent.png"))
        let objects = try #require(run.objects)
        #expect(objects.compactMap { $0["path"] as? String }.map { ($0 as NSString).lastPathComponent } == ["a.jpg", "b.png"])
        #expect(objects.allSatisfy { $0["width"] as? Int == 96 && $0["lines"] is [Any] })
        let index = try CommandRun(["index", "--model", Workspace.clip, "--read-text", "--json", "Pictures"], in: workspace)
        #expect(index.status == 0, "\(index.errors)")
        let last = try #require(index.objects?.last)
        #expect(last["event"] as? String == "read" && last["read"] as? Int == 4 && last["pending"] as? Int == 0)
        #expect(try CommandRun(["status", "--json"], in: workspace).objects?.first?["pictures_read"] as? Int == 4)
        let info = try #require(try CommandRun(["info", "--json", "Pictures/bike.jpg"], in: workspace).objects?.first)
        #expect(info["text_was_read"] as? Bool == true && info["lines"] is [Any])
        let again = try CommandRun(["index", "--read-text", "--json"], in: workspace)
        #expect(again.objects?.last?["read"] as? Int == 0)
    }

    @Test func classesAreRankedAndSumToOne() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let run = try CommandRun(["classify", "--model", "clip-folder", "--labels", "cat, dog,猫", "a.jpg", "--json"], in: workspace)
        let objects = try #require(run.objects)
        #expect(Set(objects.compactMap { $0["label"] as? String }) == ["cat", "dog", "猫"])
        let scores = objects.compactMap { $0["score"] as? Double }
        #expect(abs(scores.reduce(0, +) - 1) < 1e-4)
        #expect(scores == scores.sorted(by: >))
    }

    @Test func removedPicturesAreNotFound() throws {
        let workspace = try indexed()
        #expect(try CommandRun(["remove", "Pictures/bike.jpg"], in: workspace).status == 0)
        let run = try CommandRun(["search", "--where", "width > 0", "--json"], in: workspace)
        #expect(run.objects?.count == 3)
        #expect(FileManager.default.fileExists(atPath: workspace.pictures.appendingPathComponent("bike.jpg").path))
        #expect(try CommandRun(["remove", "Pictures/bike.jpg"], in: workspace).status == 1)
    }

    @Test func anotherModelIsBuiltBesideTheFirst() throws {
        let workspace = try indexed()
        #expect(try CommandRun(["index", "--model", "dinov2-small", "--quiet"], in: workspace).status == 0)
        let status = try #require(try CommandRun(["status", "--json"], in: workspace).objects?.first)
        let indexes = try #require(status["indexes"] as? [[String: Any]])
        #expect(indexes.count == 2)
        #expect(indexes.first { $0["active"] as? Bool == true }?["model"] as? String == "dinov2-small")
        // The first one's vectors still answer for who asks with it.
        let run = try CommandRun(["search", "bicycle", "--model", Workspace.clip, "--json"], in: workspace)
        #expect(run.objects?.count == 4, "\(run.errors)")
    }

    @Test func exportedRowsAreTheEmbeddedOnes() throws {
        let workspace = try indexed()
        let export = try CommandRun(["export", "--output", "all.npy"], in: workspace)
        #expect(export.status == 0 && export.lines.count == 4, "\(export.errors)")
        let embed = try CommandRun(
            ["embed", "--model", Workspace.clip, "--stdin", "images", "--output", "same.npy"], in: workspace, input: export.output)
        #expect(embed.status == 0, "\(embed.errors)")
        let (first, second) = (try rows("all.npy", workspace, count: 4), try rows("same.npy", workspace, count: 4))
        #expect(zip(first.joined(), second.joined()).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func sheetHoldsItsPictures() throws {
        let workspace = try indexed()
        try workspace.write("Pictures/<script>&.png", seed: 50, title: "<b>bold</b>")
        #expect(try CommandRun(["index", "--quiet"], in: workspace).status == 0)
        let run = try CommandRun(["sheet", "--output", "page.html", "-"], in: workspace, input: "# A <heading>\n--where 'width > 0'\n")
        #expect(run.status == 0, "\(run.errors)")
        let page = try String(contentsOf: workspace.folder.appendingPathComponent("page.html"), encoding: .utf8)
        #expect(page.components(separatedBy: "src=\"data:image/jpeg;base64,").count - 1 == 5)
        #expect(page.contains("A &lt;heading&gt;") && page.contains("&lt;b&gt;bold&lt;/b&gt;"))
        #expect(!page.contains("<script>") && !page.contains("<b>") && !page.contains("http://") && !page.contains("https://"))
    }

    /// Rounded weights give nearly the same vectors; a library that was made with them goes on with them.
    @Test func precisionIsRememberedAndKeepsTheVectors() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        for (name, format) in [("f32.npy", "f32"), ("int8.npy", "int8"), ("q8.npy", "q8_0"), ("half.npy", "f16")] {
            let run = try CommandRun(
                ["embed", "--model", "clip-folder", "--precision", format, "--output", name, "--image", "a.jpg", "b.png"], in: workspace)
            #expect(run.status == 0, "\(run.errors)")
        }
        let exact = try rows("f32.npy", workspace)
        for name in ["int8.npy", "q8.npy", "half.npy"] {
            for (a, b) in zip(exact, try rows(name, workspace)) {
                let cosine = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(cosine > 0.98 && a != b, "\(name): cosine \(cosine)")
            }
        }
        let index = try CommandRun(["index", "--model", Workspace.clip, "--precision", "int8", "Pictures", "--quiet"], in: workspace)
        #expect(index.status == 0, "\(index.errors)")
        let again = try CommandRun(["index", "--json"], in: workspace)
        #expect(again.objects?.last?["unchanged"] as? Int == 4 && again.objects?.last?["embedded"] as? Int == 0)
        let search = try CommandRun(["search", "--image", "Pictures/bike.jpg", "-k", "1", "--json"], in: workspace)
        #expect(search.objects?.first?["path"] as? String == workspace.pictures.appendingPathComponent("bike.jpg").path, "\(search.errors)")
        #expect(try CommandRun(["status"], in: workspace).output.contains("(int8)"))
        let wrong = try CommandRun(
            ["embed", "--model", "clip-folder", "--precision", "int3", "--output", "x.npy", "--image", "a.jpg"], in: workspace)
        #expect(wrong.status == 2 && wrong.errors.contains("int3"))
    }

    @Test func modelsPageIsCurrent() throws {
        let workspace = try Workspace()
        let page = try CommandRun(["models", "list", "--markdown"], in: workspace).output
        let committed = try String(contentsOf: Workspace.root.appendingPathComponent("MODELS.md"), encoding: .utf8)
        #expect(page == committed, "run `make docs`")
    }

    @Test func manualAndCompletionsAreMade() throws {
        let workspace = try Workspace()
        let manual = try CommandRun(["manual"], in: workspace)
        #expect(manual.status == 0 && manual.output.hasPrefix(".Dd "))
        for command in [
            "index", "search", "similar", "info", "status", "remove", "sheet", "export", "embed", "classify", "read", "models list",
            "models pull",
        ] {
            #expect(manual.output.contains(".Ss sensorium \(command)\n"))
        }
        #expect(manual.output.contains("EXIT STATUS"))
        for shell in ["bash", "zsh", "fish"] {
            let run = try CommandRun(["--generate-completion-script", shell], in: workspace)
            #expect(run.status == 0 && run.output.contains("sensorium"))
        }
    }

    @Test func interruptedRunEndsItsBatchAndGoesOnLater() throws {
        let workspace = try Workspace()
        for seed in 0..<400 { try workspace.write("Pictures/\(seed).png", seed: seed, width: 64 + seed % 7, height: 48) }
        let process = CommandRun.process(
            CommandRun.program, ["index", "--model", Workspace.clip, "--batch", "4", "Pictures", "--json"], in: workspace)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        var text = pipe.fileHandleForReading.availableData
        process.interrupt()
        text += pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let last = try #require(text.split(separator: 10).last.flatMap { try JSONSerialization.jsonObject(with: $0) as? [String: Any] })
        #expect(process.terminationStatus == 130)
        #expect(last["event"] as? String == "cancelled")
        let rest = try CommandRun(["index", "--quiet", "--json", "Pictures"], in: workspace)
        #expect(rest.status == 0, "\(rest.errors)")
        let done = try #require(rest.objects?.last)
        #expect((done["embedded"] as? Int ?? 0) + (done["unchanged"] as? Int ?? 0) + (done["duplicates"] as? Int ?? 0) == 400)
        #expect((done["embedded"] as? Int ?? 400) == 400 - (last["embedded"] as? Int ?? 0))
    }
}
