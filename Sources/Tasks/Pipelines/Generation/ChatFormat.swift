import ModelKit
import Tokenizers

/// One turn of a conversation.
public struct ChatMessage: Sendable, Equatable {
    public enum Role: String, Sendable, CaseIterable { case system, user, assistant }
    public var role: Role
    public var text: String

    public init(_ role: Role, _ text: String) { (self.role, self.text) = (role, text) }
}

/// How a chat model wants a conversation written. It is told from the tokens that the vocabulary has; the texts of the turns are encoded
/// by themselves, so that nobody can end a turn by writing its mark.
public struct ChatFormat: Sendable {
    private enum Style: Sendable {
        /// `<|im_start|>role\ntext<|im_end|>\n` (ChatML: SmolLM2, Qwen).
        case chatML
        /// `<|start_header_id|>role<|end_header_id|>\n\ntext<|eot_id|>` (Llama 3).
        case llama3
    }

    private let tokenizer: Tokenizer
    private let style: Style
    /// Marks of the text's begin, of a turn's begin, of what follows its role, and of its end.
    private let first: [Int32]
    private let open: Int32
    private let middle: Int32?
    private let close: Int32
    /// Spellings of marks, which a text must not hold as tokens.
    private let marks: [String]

    /// Throws `RoleError` for a model without a known format.
    public init(_ tokenizer: Tokenizer, name: String) throws(RoleError) {
        self.tokenizer = tokenizer
        if let open = tokenizer.id(of: "<|im_start|>"), let close = tokenizer.id(of: "<|im_end|>") {
            (style, first, self.open, middle, self.close) = (.chatML, [], open, nil, close)
            marks = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
        } else if let open = tokenizer.id(of: "<|start_header_id|>"), let middle = tokenizer.id(of: "<|end_header_id|>"),
            let close = tokenizer.id(of: "<|eot_id|>")
        {
            (style, self.open, self.middle, self.close) = (.llama3, open, middle, close)
            first = tokenizer.id(of: "<|begin_of_text|>").map { [$0] } ?? []
            marks = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>"]
        } else {
            throw RoleError(
                model: name, role: "chat model",
                reason: "its vocabulary has the marks of no known format (ChatML, Llama 3); `generate` continues texts")
        }
    }

    /// Tokens that end an answer.
    public var endTokens: [Int32] { [close] }

    /// The conversation and the begin of the answer.
    public func tokens(_ messages: [ChatMessage]) -> [Int32] {
        var ids = first
        for message in messages {
            ids += turn(message.role, message.text) + [close]
            if style == .chatML { ids += plain("\n") }
        }
        return ids + turn(.assistant, "")
    }

    /// Role and text go through the tokenizer together where nothing stands between them but line ends.
    private func turn(_ role: ChatMessage.Role, _ text: String) -> [Int32] {
        switch style {
        case .chatML: [open] + plain(role.rawValue + "\n" + text)
        case .llama3: [open] + plain(role.rawValue) + (middle.map { [$0] } ?? []) + plain("\n\n" + text)
        }
    }

    /// Tokens of a text in which marks are only letters: each is taken apart after its first character.
    private func plain(_ text: String) -> [Int32] {
        var pieces = [text]
        for mark in marks {
            pieces = pieces.flatMap { piece -> [String] in
                let parts = piece.split(separator: mark, omittingEmptySubsequences: false).map(String.init)
                guard parts.count > 1 else { return [piece] }
                var result = [parts[0] + mark.prefix(1)]
                for part in parts.dropFirst().dropLast() { result.append(mark.dropFirst() + part + mark.prefix(1)) }
                return result + [mark.dropFirst() + parts[parts.count - 1]]
            }
        }
        return pieces.flatMap { tokenizer.encode($0, addSpecialTokens: false).ids }
    }
}
