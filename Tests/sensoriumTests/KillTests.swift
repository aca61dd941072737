import Foundation
import Tensors
import Testing

/// Killed at random moments, an indexing run loses nothing that it had acknowledged.
@Suite struct KillTests {
    private static let pictures = 600
    private static let rounds = 10

    @Test func nothingAcknowledgedIsLost() throws {
        let workspace = try Workspace()
        for seed in 0..<Self.pictures {
            try workspace.write("Pictures/\(seed / 40)/picture-\(seed).png", seed: seed, width: 64 + seed % 5, height: 48)
        }
        var generator = RandomGenerator(seed: 20)
        var known: Set<String> = []
        var hits = 0
        for round in 0..<Self.rounds {
            let (acknowledged, wasAlive) = try kill(
                afterMicroseconds: UInt32(generator.next() % 250_000), waitsForFirst: round % 2 == 0, workspace)
            hits += wasAlive ? 1 : 0
            // A library that was killed before it was made has acknowledged nothing.
            guard
                FileManager.default.fileExists(
                    atPath: workspace.folder.appendingPathComponent(".local/share/sensorium/library/library.json").path)
            else {
                #expect(acknowledged == 0)
                continue
            }
            let verified = try CommandRun(["status", "--verify"], in: workspace)
            // Vectors of the batch in work, which nobody was told of, may lie there until the next run: a note, no fault.
            #expect(verified.status == 0, "round \(round): \(verified.errors)")
            let now = try indexed(workspace)
            #expect(known.isSubset(of: now), "round \(round): \(known.subtracting(now).sorted())")
            #expect(
                now.count >= known.count + acknowledged,
                "round \(round): \(now.count) indexed, \(known.count) before, \(acknowledged) acknowledged")
            known = now
        }
        // Otherwise the test would test nothing.
        #expect(hits >= Self.rounds / 2, "only \(hits) runs were alive when they were killed")
        let last = try CommandRun(["index", "--model", Workspace.clip, "Pictures", "--json"], in: workspace)
        #expect(last.status == 0, "\(last.errors)")
        #expect(try indexed(workspace).count == Self.pictures)
        let status = try #require(try CommandRun(["status", "--json"], in: workspace).objects?.first)
        let indexes = try #require(status["indexes"] as? [[String: Any]])
        #expect(indexes.first?["vectors"] as? Int == Self.pictures)
        #expect(indexes.first?["pending"] as? Int == 0)
        #expect(try CommandRun(["status", "--verify"], in: workspace).status == 0)
    }

    /// Starts a run and kills it some time after its start, or after the first step that it told of.
    /// Returns how many pictures it had acknowledged, and whether it was still at work.
    private func kill(
        afterMicroseconds delay: UInt32, waitsForFirst: Bool, _ workspace: Workspace
    ) throws -> (acknowledged: Int, wasAlive: Bool) {
        let arguments = ["index", "--model", Workspace.clip, "--batch", "4", "--threads", "1", "Pictures", "--json"]
        let process = CommandRun.process(CommandRun.program, arguments, in: workspace)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        var text = waitsForFirst ? pipe.fileHandleForReading.availableData : Data()
        usleep(delay)
        Foundation.kill(process.processIdentifier, SIGKILL)
        text += pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let acknowledged = text.split(separator: 10).reduce(0) { most, line in
            let object = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any]
            return max(most, object?["embedded"] as? Int ?? 0)
        }
        return (acknowledged, process.terminationReason == .uncaughtSignal)
    }

    private func indexed(_ workspace: Workspace) throws -> Set<String> {
        let run = try CommandRun(["search", "--where", "width > 0", "-k", "100000", "--json", "--quiet"], in: workspace)
        #expect(run.status == 0 || run.status == 1, "\(run.errors)")
        return Set((run.objects ?? []).compactMap { $0["path"] as? String })
    }
}
