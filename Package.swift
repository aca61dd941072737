// swift-tools-version: 6.1
import PackageDescription

// One loop sets the flags of every target: Swift 6 language mode, warnings as errors in our code,
// C at -O3 because the kernels rely on full unrolling.
let swiftFlags: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"]), .enableUpcomingFeature("ExistentialAny"),
]

func library(_ name: String, _ folder: String, _ needs: [String] = [], products: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: needs.map { .init(stringLiteral: $0) } + products, path: "Sources/\(folder)/\(name)",
            exclude: [], swiftSettings: swiftFlags)
}

func tests(_ name: String, _ needs: [String] = [], products: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: ([name, "TestSupport"] + needs).map { .init(stringLiteral: $0) } + products,
                path: "Tests/\(name)Tests", resources: resources, swiftSettings: swiftFlags)
}

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "Sensorium",
    products: [.executable(name: "sensorium", targets: ["sensorium"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .target(name: "CKernels", path: "Sources/C/CKernels",
                cSettings: [.unsafeFlags(["-O3", "-Wall", "-Werror", "-Wno-psabi", "-ffp-contract=off"])],
                linkerSettings: [.linkedLibrary("pthread"), .linkedLibrary("m")]),
        .systemLibrary(name: "CVips", path: "Sources/C/CVips", pkgConfig: "vips", providers: [.apt(["libvips-dev"])]),
        .systemLibrary(name: "CZlib", path: "Sources/C/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        library("Tensors", "Core", ["CKernels"]),
        library("Checkpoints", "Core", ["Tensors", "CZlib"]),
        library("Layers", "Core", ["Tensors", "Checkpoints"]),

        library("Tokenizers", "Input"),
        library("Imaging", "Input", ["Tensors", "CVips"]),

        library("ModelKit", "Models", ["Layers", "Imaging", "Tokenizers"]),
        library("Vision", "Models", ["ModelKit"]),
        library("Text", "Models", ["ModelKit"]),
        library("DualEncoder", "Models", ["ModelKit", "Vision", "Text"]),
        library("Catalog", "Models", ["Vision", "Text", "DualEncoder"]),

        library("Pipelines", "Tasks", ["ModelKit"]),
        library("VectorIndex", "Tasks", ["Tensors"]),
        library("PictureLibrary", "Tasks", ["Pipelines", "VectorIndex"], products: [grdb]),

        .executableTarget(name: "sensorium", dependencies: ["Catalog", "PictureLibrary", "Pipelines", arguments],
                          path: "Sources/App/sensorium", swiftSettings: swiftFlags),

        .target(name: "TestSupport", dependencies: ["Checkpoints", "ModelKit", "VectorIndex"], path: "Sources/TestSupport",
                swiftSettings: swiftFlags),
        tests("Tensors"), tests("Checkpoints"), tests("Tokenizers"), tests("Imaging"), tests("Catalog"),
        tests("VectorIndex"), tests("PictureLibrary"), tests("sensorium"),
    ]
)
