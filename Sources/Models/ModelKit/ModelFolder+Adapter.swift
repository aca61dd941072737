import Checkpoints

extension ModelFolder {
    /// This model with an adapter, not merged: the base's weights stay where and as they lie.
    /// Throws for a GGUF file, whose rows may be in another order than those the adapter was trained on.
    public func adapted(by adapter: AdapterFolder) throws -> ModelFolder {
        guard !(source is GGUFFile) else {
            throw CheckpointError.unsupported(
                file: path, key: "adapter \(adapter.path)", found: "a GGUF file as its base",
                advice: "use the Hugging Face folder; --precision q4_0 rounds it")
        }
        let fitted = adapter.fitted(to: source)
        return replacing(source: OverlaySource(source, replaced: fitted.saved, adapters: Adapters(fitted.layers)))
    }
}
