import Testing

@testable import Checkpoints

@Suite struct ConfigReaderTests {
    private let config: ConfigReader

    init() throws {
        config = try ConfigReader(
            text: """
                {"hidden_size": 768, "eps": 1e-05, "quoted": "1e-06", "whole": 12.0, "nothing": null, "flag": true, "act": "gelu",
                 "sizes": [1, 2, 3], "mixed": [1, "x"], "mean": [0.5, 1], "vision_config": {"depth": 3.5}, "list": [{"a": 1}], "big": 1e300}
                """, file: "config.json")
    }

    @Test func values() throws {
        #expect(try config.int("hidden_size") == 768)
        #expect(try config.int("whole") == 12)
        #expect(try config.int("nothing", default: 7) == 7)
        #expect(try config.double("eps") == 1e-5)
        #expect(try config.float("quoted") == 1e-6)
        #expect(try config.bool("flag"))
        #expect(try config.string("act", among: ["gelu", "relu"]) == "gelu")
        #expect(try config.ints("sizes") == [1, 2, 3])
        #expect(try config.floats("mean") == [0.5, 1])
        #expect(try config.sections("list")[0].int("a") == 1)
        #expect(try config.sectionOrEmpty("text_config").int("depth", default: 2) == 2)
        #expect(!config.has("nothing") && config.fields.contains("nothing"))
    }

    @Test func errorsNameFileFieldAndValue() {
        #expect(
            message { _ = try config.int("width") }
                == "config.json: field width: expected a whole number from -1048576 to 1048576, found nothing")
        #expect(
            message { _ = try config.section("vision_config").int("depth") }.hasPrefix(
                "config.json: field vision_config.depth: expected a whole"))
        #expect(message { _ = try config.section("vision_config").int("depth") }.hasSuffix("found 3.5"))
        #expect(message { _ = try config.ints("mixed") }.contains("found a list of 2"))
        #expect(message { _ = try config.int("big") }.contains("found 1e+300"))
        #expect(message { _ = try config.int("hidden_size", in: 1...100) }.contains("from 1 to 100, found 768"))
        #expect(message { _ = try config.string("act", among: ["relu"]) }.contains("one of relu, found \"gelu\""))
        #expect(message { _ = try config.bool("act", default: true) }.contains("true or false"))
        #expect(message { _ = try ConfigReader(text: "[1]", file: "x.json") }.contains("expected an object, found a list of 1"))
        #expect(message { _ = try ConfigReader(text: "{\"a\": 1,}", file: "x.json") }.contains("x.json: JSON at byte 8"))
        #expect(
            message { _ = try ConfigReader(text: String(repeating: "{\"a\":", count: 70), file: "x.json") }.contains(
                "nested deeper than 64"))
    }

    @Test func textsAndNumbers() throws {
        #expect(try JSONValue.parse(#""a\u00e9\ud83d\ude00\ud800\"\/""#, file: "x") == .string("aé😀\u{FFFD}\"/"))
        #expect(try JSONValue.parse("9223372036854775807", file: "x") == .int(.max))
        #expect(try JSONValue.parse("9223372036854775808", file: "x") == .number(9.223372036854775808e18))
        #expect(try JSONValue.parse("-Infinity", file: "x") == .number(-.infinity))
        #expect(JSONText.quoted("a\"\\\n\u{1}中") == "\"a\\\"\\\\\\n\\u0001中\"")
    }
}
