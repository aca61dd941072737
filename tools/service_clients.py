#!/usr/bin/env python3
"""Real clients against a running service: the openai package and clip-retrieval's client.

    python tools/service_clients.py http://127.0.0.1:8421 PICTURE [--key KEY] [--embed MODEL] [--chat MODEL]

PICTURE is a picture of the library. Needs `openai`, `numpy`, `requests` and `clip-retrieval` (whose client module is loaded alone, so that
the rest of its packages needn't be there). Ends with status 0 and the line "all clients agree", or with the assertion that failed.
"""

import argparse
import base64
import importlib.util
import pathlib

import numpy
import openai
import requests


def clip_client():
    place = importlib.util.find_spec("clip_retrieval").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("clip_client", pathlib.Path(place) / "clip_client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ClipClient


def embeddings(client, model, picture):
    texts = ["a red bicycle", "红色的自行车", "a dog"]
    # The package asks for base64 by itself and turns it into numbers.
    first = client.embeddings.create(model=model, input=texts)
    assert [item.index for item in first.data] == [0, 1, 2] and first.usage.prompt_tokens > 0
    vectors = numpy.array([item.embedding for item in first.data])
    assert numpy.allclose(numpy.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert numpy.allclose(vectors, [item.embedding for item in plain.data], atol=1e-6)
    single = client.embeddings.create(model=model, input=texts[0])
    assert numpy.allclose(vectors[0], single.data[0].embedding, atol=1e-5)

    address = "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode()
    part = {"type": "image_url", "image_url": {"url": address}}
    content = client.embeddings.create(model=model, input=[{"content": [part]}])
    messages = client.embeddings.create(model=model, input=openai.NOT_GIVEN, extra_body={"messages": [{"role": "user", "content": [part]}]})
    assert numpy.allclose(content.data[0].embedding, messages.data[0].embedding, atol=1e-6)
    assert len(content.data[0].embedding) == vectors.shape[1]
    return content.data[0].embedding


def chat(client, model):
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Say hello."}]
    whole = client.chat.completions.create(model=model, messages=messages, max_tokens=8, temperature=0)
    assert whole.choices[0].message.role == "assistant" and whole.choices[0].finish_reason in ("stop", "length")
    assert 0 < whole.usage.total_tokens and whole.usage.completion_tokens <= 8
    stream = client.chat.completions.create(
        model=model, messages=messages, max_tokens=8, temperature=0, stream=True, stream_options={"include_usage": True})
    text, usage, ending = "", None, None
    for chunk in stream:
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            ending = choice.finish_reason or ending
    assert text == whole.choices[0].message.content and ending == whole.choices[0].finish_reason
    assert usage.completion_tokens == whole.usage.completion_tokens
    try:
        client.chat.completions.create(
            model=model, max_tokens=8,
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}])
        raise AssertionError("a picture was taken by a text model")
    except openai.BadRequestError as error:
        assert error.code == "no_vision_model", error


def retrieval(url, picture, vector):
    (index,) = requests.get(url + "/indices-list").json()
    make = clip_client()
    client = make(url=url + "/knn-service", indice_name=index, num_images=5, deduplicate=False)
    by_picture = client.query(image=str(picture))
    assert by_picture[0]["image_path"].endswith(picture.name) and by_picture[0]["similarity"] > 0.99, by_picture[:1]
    by_vector = client.query(embedding_input=list(vector))
    assert [hit["id"] for hit in by_vector] == [hit["id"] for hit in by_picture]
    by_text = client.query(text="a red bicycle")
    assert 0 < len(by_text) <= 5 and by_text[0]["similarity"] >= by_text[-1]["similarity"]
    assert requests.get(by_picture[0]["url"]).content == picture.read_bytes()
    once = make(url=url + "/knn-service", indice_name=index, num_images=5, deduplicate=True).query(image=str(picture))
    assert once[0]["id"] == by_picture[0]["id"] and len(once) <= len(by_picture)
    ids = [hit["id"] for hit in by_picture]
    metadata = requests.post(url + "/metadata", json={"ids": ids, "indice_name": index}).json()
    assert [entry["id"] for entry in metadata] == ids
    assert metadata[0]["metadata"]["image_path"] == by_picture[0]["image_path"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--key", default="none")
    parser.add_argument("--embed", default="sensorium-clip-base")
    parser.add_argument("--chat", default="smollm2-135m-instruct")
    options = parser.parse_args()
    client = openai.OpenAI(base_url=options.url + "/v1", api_key=options.key, max_retries=0)
    names = [model.id for model in client.models.list()]
    assert options.embed in names and options.chat in names, names
    assert client.models.retrieve(options.chat).id == options.chat
    try:
        client.embeddings.create(model="nothing", input="a")
        raise AssertionError("a model that isn't there answered")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    vector = embeddings(client, options.embed, options.picture)
    chat(client, options.chat)
    retrieval(options.url, options.picture, vector)
    print("all clients agree")


if __name__ == "__main__":
    main()
