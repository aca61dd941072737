import Foundation
import Testing

/// Every command of the help texts and of the README is run.
@Suite struct ExampleTests {
    /// Status 1 of these says that nothing was found, which the stand-in pictures allow.
    private static func allowsNothing(_ line: String) -> Bool {
        ["search", "similar", "duplicates"].contains { line.hasPrefix("sensorium \($0)") }
    }

    @Test func examplesOfTheHelpRun() throws {
        let workspace = try Workspace()
        try workspace.fillForExamples()
        let dump = try CommandRun(["--experimental-dump-help"], in: workspace)
        let tool = try #require(try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any])
        let command = try #require(tool["command"] as? [String: Any])
        // Indexing first, removal last; the commands of the overview repeat both.
        let examples =
            Self.examples(command).filter { !$0.contains("sensorium remove") }
            + Self.examples(command).filter { $0.contains("sensorium remove") }
        #expect(examples.count > 40)
        try run(["sensorium index ~/Pictures --quiet"] + examples, in: workspace)
    }

    @Test func commandsOfTheReadmeRun() throws {
        let text = try String(contentsOf: Workspace.root.appendingPathComponent("README.md"), encoding: .utf8)
        var commands: [String] = []
        var isCode = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isCode.toggle() }
            let command = line.hasPrefix("$ ") ? line.dropFirst(2) : line
            if isCode, command.hasPrefix("sensorium ") || command.contains("| sensorium ") { commands.append(String(command)) }
        }
        #expect(commands.count >= 10)
        let workspace = try Workspace()
        try workspace.fillForExamples()
        for (seed, name) in ["animals/mammals/aquatic/dolphin", "animals/mammals/equines/horse", "food/fruit/apple"].enumerated() {
            try workspace.write("demo/pictures/stamps/\(name).png", seed: seed + 30, title: "A \((name as NSString).lastPathComponent).")
        }
        try workspace.write("demo/asked/donkey_eating.png", seed: 40)
        try run(["sensorium index demo/pictures ~/Pictures --quiet"] + commands, in: workspace)
    }

    private func run(_ lines: [String], in workspace: Workspace) throws {
        for line in lines {
            let run = try CommandRun(shell: line.hasPrefix("sensorium watch") ? Self.endedAfterTheFirstRun(line) : line, in: workspace)
            #expect(run.status == 0 || run.status == 1 && Self.allowsNothing(line), "\(line): \(run.status)\n\(run.errors)")
            #expect(!run.errors.contains("Fatal error"), "\(line)\n\(run.errors)")
        }
    }

    /// A command that goes on until somebody ends it.
    private static func endedAfterTheFirstRun(_ line: String) -> String {
        """
        \(line) > watched 2>&1 & watcher=$!
        until grep -q 'looked at everything\\|"whole":true,"summary"' watched || ! kill -0 $watcher 2> /dev/null; do sleep 0.1; done
        kill -TERM $watcher; wait $watcher
        status=$?; cat watched >&2; exit $status
        """
    }

    /// The indented lines beneath EXAMPLES and FIRST STEPS, of a command and those beneath it.
    private static func examples(_ command: [String: Any]) -> [String] {
        var found: [String] = []
        var isExample = false
        for line in ((command["discussion"] as? String) ?? "").split(separator: "\n") {
            if line == "EXAMPLES" || line == "FIRST STEPS" {
                isExample = true
            } else if !line.hasPrefix("  ") {
                isExample = false
            } else if isExample {
                found.append(line.trimmingCharacters(in: .whitespaces))
            }
        }
        return found + ((command["subcommands"] as? [[String: Any]]) ?? []).flatMap(examples)
    }
}
