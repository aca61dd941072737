"""llama.cpp through its Python package; a peer of language.py in a process of its own: `language_peer.py MODEL.gguf THREADS`.

Requests: "prompt", a text cut to so many tokens, and "generate", which reads a prompt and continues it greedily, timing both.
"""
import sys
import time

import llama_cpp

import conversation

CONTEXT, CHUNK = 1024, 512


def main():
    path, threads = sys.argv[1], int(sys.argv[2])
    model = llama_cpp.Llama(path, n_ctx=CONTEXT, n_batch=CHUNK, n_ubatch=CHUNK, n_threads=threads, n_threads_batch=threads, verbose=False)

    def tokens_of(text):
        return model.tokenize(text.encode(), special=True)

    def prompt(text, count):
        """The longest beginning of the text, whole words, with at most so many tokens."""
        words, low, high = text.split(), 0, len(text.split())
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(tokens_of(" ".join(words[:middle]))) <= count else (low, middle - 1)
        chosen = " ".join(words[:low])
        return {"text": chosen, "tokens": len(tokens_of(chosen))}

    def generate(text, limit):
        ids = tokens_of(text)
        conversation.forget_peak()
        model.reset()
        started = time.perf_counter()
        model.eval(ids)
        token = model.sample(temp=0, repeat_penalty=1.0)
        read, tokens = time.perf_counter(), []
        while len(tokens) < limit and not llama_cpp.llama_vocab_is_eog(model._model.vocab, token):
            tokens.append(token)
            if len(tokens) == limit:
                break
            model.eval([token])
            token = model.sample(temp=0, repeat_penalty=1.0)
        ended = time.perf_counter()
        # The first token came with the prompt.
        steps = max(len(tokens) - 1, 1)
        return {"prompt_tokens": len(ids), "prompt_tokens_per_second": len(ids) / (read - started), "tokens": len(tokens),
                "tokens_per_second": steps / (ended - read), "text": model.detokenize(tokens).decode(errors="replace"),
                "memory": conversation.peak()}

    conversation.serve({"prompt": prompt, "generate": generate})


if __name__ == "__main__":
    main()
