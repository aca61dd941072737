import Foundation
import Testing

/// What goes wrong is told in a line that names the file, with a status that scripts can go by.
@Suite struct FailureTests {
    private func run(_ arguments: String..., in workspace: Workspace) throws -> CommandRun { try CommandRun(arguments, in: workspace) }

    private func indexed() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        #expect(try CommandRun(["index", "--model", Workspace.clip, "Pictures", "--quiet"], in: workspace).status == 0)
        return workspace
    }

    @Test func nothingIsMadeForAFolderThatIsNotThere() throws {
        let workspace = try Workspace()
        let library = workspace.folder.appendingPathComponent("library").path
        let absent = try run("index", "--model", Workspace.clip, "--library", "library", "nowhere", in: workspace)
        #expect(absent.status == 1 && absent.errors.contains("/nowhere: No such file"), "\(absent.errors)")
        let none = try run("index", "--model", Workspace.clip, "--library", "library", in: workspace)
        #expect(none.status == 2 && none.errors.contains("nothing to index"), "\(none.errors)")
        #expect(!FileManager.default.fileExists(atPath: library))
    }

    @Test func aFileIsNoLibrary() throws {
        let workspace = try Workspace()
        try workspace.write("notes.txt", text: "mine")
        try workspace.write("a.png", seed: 1)
        for arguments in [["search", "x"], ["index", "--model", Workspace.clip, "a.png"], ["status"]] {
            let run = try CommandRun(arguments + ["--library", "notes.txt"], in: workspace)
            #expect(run.status == 3 && run.errors.contains("this is a file, not a folder"), "\(run.errors)")
        }
    }

    @Test func outputsThatCannotBeWrittenAreNamed() throws {
        let workspace = try indexed()
        for arguments in [
            ["embed", "--model", "dinov2-small", "--image", "bike.jpg", "--output", "no/x.npy"], ["export", "--output", "no/x.npy"],
            ["export", "--output", "x.npy", "--paths", "no/x.npy"], ["search", "dog", "--html", "no/x.npy"],
        ] {
            let run = try CommandRun(arguments, in: workspace)
            #expect(run.status == 4, "\(arguments): \(run.errors)")
            #expect(run.errors.contains("no/x.npy can't be written: No such file or directory"), "\(arguments): \(run.errors)")
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func resultsThatAreLostAreAFailure() throws {
        let workspace = try indexed()
        let full = try CommandRun(shell: "sensorium search --where 'width > 0' > /dev/full", in: workspace)
        #expect(full.status == 4 && full.errors.contains("No space left"), "\(full.errors)")
        // A reader that has seen enough is none.
        let enough = try CommandRun(shell: "sensorium search --quiet --where 'width > 0' | head -n 1", in: workspace)
        #expect(enough.status == 0 && enough.errors.isEmpty && enough.lines.count == 1)
    }

    @Test func aStandardInputThatCannotBeReadIsTold() throws {
        let workspace = try indexed()
        for command in ["embed --model dinov2-small --stdin images --output x.npy", "sheet --output x.html -"] {
            let run = try CommandRun(shell: "sensorium \(command) < .", in: workspace)
            #expect(run.status == 2 && run.errors.contains("the standard input can't be read: Is a directory"), "\(run.errors)")
        }
    }

    @Test func unreadableQuestionsAreTold() throws {
        let workspace = try indexed()
        try workspace.write("words.jpg", text: "no picture")
        for (arguments, status, part) in [
            (["search", "--image", "nowhere.jpg"], Int32(1), "can't read the picture nowhere.jpg: no such file"),
            (["search", "--image", "words.jpg"], 1, "not a picture"),
            (["search", "--where", "width > "], 2, "expected a value"),
            (["search", "--where", "wdth > 3"], 2, "known fields: width"),
            (["search", "--color", "redd"], 2, "is no colour"),
            (["search", "--model", "nothing", "x"], 3, "no such file or folder"),
            (["classify", "--model", "dinov2-small", "--labels", "a,b", "bike.jpg"], 3, "no text tower"),
            (["models", "pull", "nothing"], 2, "known are"),
            (["remove", "nowhere"], 1, "is not in the library"),
        ] {
            let run = try CommandRun(arguments, in: workspace)
            #expect(run.status == status && run.errors.contains(part), "\(arguments): \(run.status) \(run.errors)")
        }
    }
}
