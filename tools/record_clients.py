#!/usr/bin/env python3
"""Records what real clients send: python tools/record_clients.py FOLDER writes a .http file for each request, for Tests/HTTPServiceTests.

Needs the packages of tools/service_clients.py. A listener on loopback takes one request, keeps its bytes and closes the connection.
"""

import pathlib
import socket
import sys
import threading

import openai

from service_clients import clip_client

MESSAGES = [{"role": "user", "content": "Say hello."}]
CLIP, CHAT = "sensorium-clip-base", "smollm2-135m-instruct"


def record(call):
    listener = socket.create_server(("127.0.0.1", 0))
    taken = bytearray()

    def take():
        connection, _ = listener.accept()
        connection.settimeout(1)
        try:
            while piece := connection.recv(65536):
                taken.extend(piece)
                head, _, body = bytes(taken).partition(b"\r\n\r\n")
                length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                if b"\r\n\r\n" in taken and len(body) >= (length or [0])[0]:
                    break
        except TimeoutError:
            pass
        connection.close()

    thread = threading.Thread(target=take)
    thread.start()
    url = "http://127.0.0.1:%d" % listener.getsockname()[1]
    try:
        call(url)
    except Exception:
        pass  # nobody answers
    thread.join()
    return bytes(taken)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    service = lambda url: openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    calls = {
        "openai-models": lambda url: list(service(url).models.list()),
        "openai-embeddings": lambda url: service(url).embeddings.create(model=CLIP, input=["a red bicycle", "红色的自行车"]),
        "openai-chat": lambda url: service(url).chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=4),
        "openai-chat-stream": lambda url: service(url).chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=4, stream=True),
        "clip-retrieval-text": lambda url: clip_client()(url=url + "/knn-service", indice_name=CLIP, num_images=2).query(text="a red bicycle"),
    }
    for name, call in calls.items():
        (folder / (name + ".http")).write_bytes(record(call))


if __name__ == "__main__":
    main()
