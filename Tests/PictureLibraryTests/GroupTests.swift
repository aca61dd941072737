import Foundation
import Imaging
import Tensors
import Testing

@testable import PictureLibrary

/// Pictures that belong together, and pictures that are there twice.
@Suite struct GroupTests {
    let scratch: Scratch
    let library: Library
    let pictures: FilePath
    let embedder = ColorEmbedder(name: "dual", text: true)

    init() async throws {
        scratch = try Scratch()
        library = try Library(at: scratch.library, create: true)
        pictures = try scratch.folder("pictures")
        let kinds = [
            ("rose", "red", "A rose in the garden", 9), ("sea", "blue", "Waves of the sea. 大海的波浪", 6),
            ("leaf", "lime", "A leaf in the garden", 4),
        ]
        for (name, color, caption, count) in kinds {
            for number in 0..<count {
                let path = pictures.appending("\(name)\(number).png")
                try makePicture(path, color, width: 20 + number, seed: number + 1)
                try write(caption, to: pictures.appending("\(name)\(number).txt"))
            }
        }
        _ = try await library.indexAll([pictures], embedder)
    }

    private func names(_ cluster: PictureCluster) -> Set<String> { Set(cluster.pictures.map { String($0.path.stem.display.dropLast()) }) }

    @Test func clustersAreByWhatPicturesShowAndNamedByTheirWords() throws {
        let found = try library.clusters(count: 3)
        #expect(found.clustered == 19 && found.pictures == 19)
        #expect(found.clusters.map { $0.pictures.count } == [9, 6, 4])
        #expect(found.clusters.map(names) == [["rose"], ["sea"], ["leaf"]])
        #expect(found.clusters[0].words.first == "rose" && found.clusters[2].words.first == "leaf")
        #expect(Set(found.clusters[1].words).isSubset(of: ["sea", "waves", "大海", "波浪"]) && found.clusters[1].words.count == 3)
        #expect(JSONLine(found.clusters[0], number: 1, most: 2).text.hasPrefix(#"{"cluster":1,"words":["rose""#))
        // The same each time, by another value of the library as well.
        let again = try Library(at: scratch.library)
        #expect(try library.clusters(count: 3) == found && again.clusters(count: 3) == found)
        #expect(try library.clusters().clusters.count == Library.clusterCount(19) && Library.clusterCount(19) == 3)
        #expect(Library.clusterCount(1) == 1 && Library.clusterCount(2_000) == 32 && Library.clusterCount(5_000_000) == 64)
        #expect(try library.clusters(count: 200).clusters.allSatisfy { !$0.pictures.isEmpty })
        #expect(throws: LibraryError.self) { try library.clusters(count: 0) }
    }

    @Test func groupsFollowTheLibrary() async throws {
        #expect(try library.clusters(count: 3).clustered == 19)
        #expect(try library.duplicates().groups.count == 3)
        try makePicture(pictures.appending("new.png"), "yellow", width: 90, seed: 77)
        _ = try await library.indexAll([pictures], embedder)
        #expect(try library.clusters(count: 3).clustered == 20)
        try library.remove([pictures.appending("sea0.png"), pictures.appending("sea1.png")])
        #expect(try library.clusters(count: 3).clustered == 18 && library.duplicates().groups.map(\.members.count) == [9, 4, 4])
        // New captions are new names.
        for number in 0..<9 { try write("a tomato", to: pictures.appending("rose\(number).txt")) }
        _ = try await library.indexAll([pictures], embedder)
        #expect(try library.clusters(count: 4).clusters[0].words == ["tomato"])
    }

    @Test func withoutWordsTheModelNamesThem() async throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: pictures.display) where name.hasSuffix(".txt") {
            try FileManager.default.removeItem(atPath: pictures.appending(name).display)
        }
        for (place, name) in ["a", "b", "c"].enumerated() { try makePicture(pictures.appending("\(name).png"), "white", width: 60 + place) }
        _ = try await library.indexAll([pictures], embedder)
        // The folder's name is everywhere, so it tells nothing; nothing else is written.
        let bare = try library.clusters(count: 3)
        #expect(bare.clusters.allSatisfy { $0.words.isEmpty })
        let named = try library.clusters(count: 3, embedder: embedder)
        #expect(named.clusters.allSatisfy { $0.words.count == 2 && Set($0.words).isSubset(of: ClusterNames.subjects) })
        #expect(named.clusters.map(\.pictures) == bare.clusters.map(\.pictures))
        let texts = ClusterNames.words([["; ; ", "; ; "], ["; ; "]])
        #expect(texts == [[], []])
        #expect(
            ClusterNames.words(of: "A Red-bicycle, IMG_0042 & 红色的自行车停在街上 x") == ["red", "bicycle", "img", "红色", "自行车停", "街上"])
    }

    @Test func duplicatesAreGroupsWithTheLargestFirst() async throws {
        try FileManager.default.copyItem(atPath: pictures.appending("leaf0.png").display, toPath: pictures.appending("copy.png").display)
        try makePicture(pictures.appending("alone.png"), "black", width: 50)
        try FileManager.default.copyItem(atPath: pictures.appending("alone.png").display, toPath: pictures.appending("alone2.png").display)
        _ = try await library.indexAll([pictures], embedder)
        let found = try library.duplicates()
        #expect(found.compared == 20 && found.pictures == 20)
        #expect(found.groups.map(\.members.count) == [9, 6, 5, 2])
        let leaves = try #require(found.groups.first { $0.members.count == 5 }).members
        #expect(leaves[0].picture.path.stem.display == "leaf3" && leaves[0].similarity == 1 && leaves[0].size > 0)
        #expect(leaves.allSatisfy { $0.similarity > 0.95 } && leaves.contains { $0.picture.path.stem.display == "copy" })
        #expect(Set(found.groups[3].members.map { $0.picture.path.stem.display }) == ["alone", "alone2"])
        #expect(found.groups[3].members.allSatisfy { $0.similarity == 1 })
        #expect(try library.duplicates(threshold: 1).groups.map(\.members.count).contains(2))
        #expect(throws: LibraryError.self) { try library.duplicates(threshold: 0) }
        #expect(throws: LibraryError.self) { try library.duplicates(threshold: 1.01) }
        #expect(JSONLine(found.groups[3]).text.hasPrefix(#"{"count":2,"pictures":[{"id":"#))
    }

    @Test func anEmptyLibraryHasNone() throws {
        let empty = try Library(at: scratch.path.appending("empty"), create: true)
        #expect(throws: LibraryError.self) { try empty.clusters() }
        #expect(throws: LibraryError.self) { try empty.duplicates() }
    }

    @Test func setsAreJoined() {
        var sets = DisjointSets()
        sets.add(9)
        for (a, b) in [(4, 2), (7, 8), (2, 1), (8, 4)] { sets.join(Int64(a), Int64(b)) }
        #expect(sets.groups == [[1, 2, 4, 7, 8], [9]])
    }
}
