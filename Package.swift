// swift-tools-version: 6.1
import Foundation
import PackageDescription

// One loop sets the flags of every target: Swift 6 language mode, warnings as errors in our code,
// C at -O3 because the kernels rely on full unrolling.
let swiftFlags: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"]), .enableUpcomingFeature("ExistentialAny"),
]

/// What lies in a target's folder beside its source: references in Python, stored outputs and fixtures. Tests read them from the
/// checkout.
func data(in path: String) -> [String] {
    let root = URL(fileURLWithPath: Context.packageDirectory).appendingPathComponent(path)
    var found: [String] = []
    func walk(_ folder: URL, _ prefix: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? [] {
            let place = folder.appendingPathComponent(name)
            if ["golden", "fixtures", "Fixtures"].contains(name) || name.hasSuffix(".py") || name == "__pycache__" {
                found.append(prefix + name)
            } else if (try? FileManager.default.attributesOfItem(atPath: place.path))?[.type] as? FileAttributeType == .typeDirectory {
                walk(place, prefix + name + "/")
            }
        }
    }
    walk(root, "")
    return found
}

func library(
    _ name: String, _ folder: String, _ needs: [String] = [], products: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
    let path = "Sources/\(folder)/\(name)"
    return .target(
        name: name, dependencies: needs.map { .init(stringLiteral: $0) } + products, path: path, exclude: data(in: path),
        resources: resources, swiftSettings: swiftFlags)
}

func tests(_ name: String, _ needs: [String] = [], products: [Target.Dependency] = []) -> Target {
    let path = "Tests/\(name)Tests"
    return .testTarget(
        name: name + "Tests", dependencies: ([name] + needs).map { .init(stringLiteral: $0) } + products, path: path,
        exclude: data(in: path),
        swiftSettings: swiftFlags)
}

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")

func nio(_ name: String, _ package: String = "swift-nio") -> Target.Dependency { .product(name: name, package: package) }

let package = Package(
    name: "Sensorium",
    products: [.executable(name: "sensorium", targets: ["sensorium"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        // Under Hummingbird and async-http-client, too.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    ],
    targets: [
        .target(
            name: "CKernels", path: "Sources/C/CKernels",
            cSettings: [.unsafeFlags(["-O3", "-Wall", "-Werror", "-Wno-psabi", "-ffp-contract=off"])],
            linkerSettings: [.linkedLibrary("pthread"), .linkedLibrary("m")]),
        .systemLibrary(name: "CVips", path: "Sources/C/CVips", pkgConfig: "vips", providers: [.apt(["libvips-dev"])]),
        .target(
            name: "CJPEG", path: "Sources/C/CJPEG", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Werror"])],
            linkerSettings: [.linkedLibrary("jpeg")]),
        .systemLibrary(name: "CZlib", path: "Sources/C/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", path: "Sources/C/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        library("Tensors", "Core", ["CKernels"]),
        library("Autograd", "Core", ["Tensors", "CKernels"]),
        library("Checkpoints", "Core", ["Tensors", "CZlib", "CZstd"]),
        library("Layers", "Core", ["Tensors", "Checkpoints"]),

        library("Tokenizers", "Input"),
        library("Imaging", "Input", ["Tensors", "CVips", "CJPEG", "CKernels"]),

        library("ModelKit", "Models", ["Layers", "Imaging", "Tokenizers"]),
        library("Vision", "Models", ["ModelKit"]),
        library("Text", "Models", ["ModelKit"]),
        library("Language", "Models", ["ModelKit"]),
        library("DualEncoder", "Models", ["ModelKit", "Vision", "Text"]),
        library("Catalog", "Models", ["Vision", "Text", "Language", "DualEncoder"], resources: [.copy("Shipped")]),

        library("Pipelines", "Tasks", ["ModelKit"]),
        library("Evaluation", "Tasks", ["Pipelines"]),
        library("Training", "Tasks", ["Autograd", "ModelKit", "TrainingData", "CKernels"], products: [yams]),
        library("VectorIndex", "Tasks", ["Tensors", "CKernels"]),
        library(
            "MilvusIndex", "Tasks", ["VectorIndex", "Tensors"],
            products: [
                nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP2", "swift-nio-http2"), nio("NIOHPACK", "swift-nio-http2"),
                nio("NIOSSL", "swift-nio-ssl"),
            ]),
        library("TrainingData", "Tasks", ["Imaging", "Checkpoints", "Tensors", "CZlib"]),
        library("PictureLibrary", "Tasks", ["Pipelines", "VectorIndex", "MilvusIndex", "Imaging"], products: [grdb]),

        library(
            "HTTPService", "App", ["Catalog", "PictureLibrary", "Pipelines", "Training"], products: [hummingbird, httpClient],
            resources: [.copy("WebUI")]),
        .executableTarget(
            name: "sensorium",
            dependencies: [
                "Catalog", "Evaluation", "MilvusIndex", "PictureLibrary", "Pipelines", "Training", "TrainingData", "Autograd",
                "HTTPService", arguments,
            ],
            path: "Sources/App/sensorium", swiftSettings: swiftFlags),

        .target(
            name: "TestSupport", dependencies: ["Checkpoints", "ModelKit", "VectorIndex"], path: "Sources/TestSupport",
            swiftSettings: swiftFlags),
        .executableTarget(
            name: "bench-vector-search", dependencies: ["VectorIndex"], path: "Benchmarks/VectorSearch", swiftSettings: swiftFlags),
        .executableTarget(
            name: "bench-milvus", dependencies: ["MilvusIndex", "VectorIndex", "Tensors"], path: "Benchmarks/Milvus",
            swiftSettings: swiftFlags),
        .executableTarget(
            name: "bench-training-data", dependencies: ["TrainingData", "Tensors"], path: "Benchmarks/TrainingData",
            swiftSettings: swiftFlags),
        .executableTarget(
            name: "bench-quantised-product", dependencies: ["CKernels"], path: "Benchmarks/QuantisedProduct", swiftSettings: swiftFlags),
        // Driven by libFuzzer: tools/fuzz.py.
        .executableTarget(
            name: "fuzz-parsers", dependencies: ["Checkpoints", "Tokenizers", "Imaging", "TrainingData", "VectorIndex", "Tensors"],
            path: "tools/FuzzParsers", swiftSettings: swiftFlags),

        tests("Tensors", ["Checkpoints", "TestSupport"]), tests("Autograd", ["Layers", "TestSupport"]),
        tests("Training", ["Catalog", "TestSupport"]), tests("Checkpoints"), tests("Layers"), tests("Tokenizers"),
        tests("Imaging", ["CKernels"]),
        tests("Catalog", ["Pipelines", "TestSupport"]), tests("Language", ["Catalog", "Evaluation", "TestSupport"]),
        tests("Evaluation", ["Checkpoints"]), tests("TrainingData", ["Imaging", "Checkpoints", "Tensors", "CZlib"]),
        tests(
            "MilvusIndex", ["PictureLibrary", "VectorIndex", "TestSupport"],
            products: [
                nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP2", "swift-nio-http2"), nio("NIOHPACK", "swift-nio-http2"),
            ]),
        tests("VectorIndex", ["TestSupport"]), tests("PictureLibrary", ["TestSupport"]),
        tests("HTTPService", ["Catalog", "TestSupport"], products: [hummingbirdTesting]),
        tests("sensorium", ["TestSupport"]),
    ]
)
