import Evaluation
import Foundation
import Testing

@Suite struct LabelledSetTests {
    @Test func foldersAreClasses() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("labelled-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["dogs/b.jpg", "dogs/more/a.PNG", "cats/x.jpg", "cats/.hidden.jpg", "cats/notes.txt"] {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data([1]).write(to: file)
        }
        let set = try LabelledSet(folder: folder.path)
        #expect(set.classes == ["cats", "dogs"] && set.labels == [0, 1, 1])
        #expect(set.items.map { ($0 as NSString).lastPathComponent } == ["x.jpg", "b.jpg", "a.PNG"])
        #expect { try LabelledSet(folder: folder.path + "/dogs/more") } throws: { "\($0)".contains("no folders in it") }
        #expect { try LabelledSet(folder: folder.path + "/nowhere") } throws: { "\($0)".contains("no such folder") }
        try FileManager.default.createDirectory(at: folder.appendingPathComponent("empty"), withIntermediateDirectories: true)
        #expect { try LabelledSet(folder: folder.path) } throws: { "\($0)".contains("empty: the class has no pictures") }
    }

    @Test func linesAreRead() throws {
        let set = try LabelledSet(lines: Array("a.jpg\tdog\n\nb.jpg\tcat\r\n".utf8), file: "labels.tsv", rows: false)
        #expect(set.items == ["a.jpg", "b.jpg"] && set.classes == ["cat", "dog"] && set.labels == [1, 0])
        let rows = try LabelledSet(lines: Array("10\n9\n10\n".utf8), file: "y.txt", rows: true)
        #expect(rows.classes == ["9", "10"] && rows.labels == [1, 0, 1])
        let known = try LabelledSet(lines: Array("b\na\n".utf8), file: "y.txt", rows: true, classes: ["b", "a", "c"])
        #expect(known.labels == [0, 1] && known.classes.count == 3)
        for (text, rows, problem) in [("a.jpg dog", false, "line 1: expected a picture, a tab"), ("", true, "no labels")] {
            #expect { try LabelledSet(lines: Array(text.utf8), file: "y", rows: rows) } throws: { "\($0)".contains(problem) }
        }
        #expect { try LabelledSet(lines: Array("d".utf8), file: "y", rows: true, classes: ["a"]) } throws: { "\($0)".contains("is \"d\"") }
    }

    @Test func classesOfAnotherSetAreTaken() throws {
        let set = try LabelledSet(items: ["x", "y"], labels: [0, 1], classes: ["cat", "dog"])
        #expect(try set.relabelled(["ant", "cat", "dog"], as: "the training set").labels == [1, 2])
        #expect { try set.relabelled(["cat"], as: "the training set") } throws: {
            "\($0)".contains("\"dog\" isn't among those of the training set")
        }
    }

    @Test func eachClassIsSplit() throws {
        let labels = (0..<50).map { $0 % 5 == 4 ? 1 : 0 } + [2]
        let set = try LabelledSet(items: labels.map(String.init), labels: labels, classes: ["a", "b", "c"])
        let (first, second) = set.split(share: 0.2, seed: 1)
        #expect(first.count + second.count == 51 && Set(first).isDisjoint(with: second))
        #expect(second.count { labels[$0] == 0 } == 8 && second.count { labels[$0] == 1 } == 2 && !second.contains(50))
        #expect(set.split(share: 0.2, seed: 1).second == second && set.split(share: 0.2, seed: 2).second != second)
    }
}
