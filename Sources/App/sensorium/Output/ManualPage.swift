import Foundation

/// The manual page in mdoc, out of the argument parser's description of the commands.
struct ManualPage {
    let text: String

    /// - Parameter dump: what `--experimental-dump-help` prints.
    init(dump: String) throws {
        let tool = try JSONDecoder().decode(Tool.self, from: Data(dump.utf8))
        var page = [
            ".Dd \(Self.date)", ".Dt SENSORIUM 1", ".Os", ".Sh NAME", ".Nm sensorium", ".Nd " + Self.escaped(tool.command.abstract ?? ""),
            ".Sh SYNOPSIS",
            ".Nm", ".Ar command", ".Op Ar options", ".Op Ar arguments", ".Sh DESCRIPTION",
        ]
        page += Self.prose(tool.command.discussion ?? "")
        page.append(".Sh COMMANDS")
        for command in tool.command.subcommands ?? [] where command.shouldDisplay ?? true && command.commandName != "help" {
            page += Self.section(command, name: command.commandName)
        }
        text = page.joined(separator: "\n")
    }

    /// Of this version, so that the page doesn't change by itself.
    private static let date = "November 21, 2026"

    private static func section(_ command: Command, name: String) -> [String] {
        var lines = [".Ss sensorium \(name)", escaped(command.abstract ?? ""), ".Pp"]
        lines += prose(command.discussion ?? "")
        let arguments = (command.arguments ?? []).filter {
            ($0.shouldDisplay ?? true) && !["help", "version"].contains($0.names?.first?.name ?? "")
        }
        if !arguments.isEmpty {
            lines.append(".Bl -tag -width 4n")
            for argument in arguments {
                lines.append(".It " + head(argument))
                var help = argument.abstract ?? ""
                if let value = argument.defaultValue { help += " (default: \(value))" }
                lines.append(escaped(help))
            }
            lines.append(".El")
        }
        for inner in command.subcommands ?? [] where inner.shouldDisplay ?? true && inner.commandName != "help" {
            lines += section(inner, name: "\(name) \(inner.commandName)")
        }
        return lines
    }

    private static func head(_ argument: Argument) -> String {
        let names = (argument.names ?? []).map { $0.kind == "short" ? "-" + $0.name : "--" + $0.name }
        let value = argument.valueName ?? "value"
        if names.isEmpty { return "Ar \(value)" + ((argument.isRepeating ?? false) ? " ..." : "") }
        // `\-` is a hyphen that can be searched for and copied.
        let escapedNames = names.map { "Cm " + $0.replacing("-", with: "\\-") }.joined(separator: " , ")
        return argument.kind == "option" ? "\(escapedNames) Ar \(value)" : escapedNames
    }

    /// Paragraphs; indented lines, as examples are, stay as they are; lines in capitals are headings.
    private static func prose(_ discussion: String) -> [String] {
        var lines: [String] = []
        var isLiteral = false
        for line in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
            let wantsLiteral = line.hasPrefix("  ")
            if wantsLiteral != isLiteral { lines.append(wantsLiteral ? ".Bd -literal -compact" : ".Ed") }
            isLiteral = wantsLiteral
            if line.isEmpty { lines.append(".Pp") } else { lines.append(escaped(String(line))) }
        }
        if isLiteral { lines.append(".Ed") }
        return lines + [".Pp"]
    }

    /// A line of text that no formatter takes for a request.
    private static func escaped(_ text: String) -> String {
        let plain = text.replacing("\\", with: "\\e").replacing("--", with: "\\-\\-")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain
    }

    private struct Tool: Decodable { var command: Command }

    private struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool?
        var subcommands: [Command]?
        var arguments: [Argument]?
    }

    private struct Argument: Decodable {
        var kind: String
        var shouldDisplay: Bool?
        var isRepeating: Bool?
        var names: [Name]?
        var valueName: String?
        var defaultValue: String?
        var abstract: String?
    }

    private struct Name: Decodable {
        var kind: String
        var name: String
    }
}
