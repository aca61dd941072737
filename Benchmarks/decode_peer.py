"""Files of pictures to pixels with Pillow and numpy; a peer of decode.py in a process of its own: `decode_peer.py THREADS`.

Pillow decodes and resizes without Python's lock, so its threads do work side by side.
"""
import concurrent.futures
import io
import pathlib
import sys

import numpy as np
from PIL import Image

import conversation
from preparation import CLIP, Preparation


def main():
    threads, preparation, files = int(sys.argv[1]), Preparation(CLIP), {}
    pool = concurrent.futures.ThreadPoolExecutor(threads)

    def pixels(content, draft):
        with Image.open(io.BytesIO(content)) as picture:
            if draft:
                # As ours: both sides stay at least twice as long as they will be.
                picture.draft("RGB", (2 * preparation.short, 2 * preparation.short))
            return preparation(picture)

    def all_pixels(paths, draft):
        contents = [files.setdefault(path, pathlib.Path(path).read_bytes()) for path in paths]
        if threads == 1:
            return [pixels(content, draft) for content in contents]
        return list(pool.map(lambda content: pixels(content, draft), contents))

    def save(paths, draft, output):
        np.save(output, np.stack(all_pixels(paths, draft)))
        return {}

    conversation.serve({"save": save, "time": lambda paths, draft, rounds: conversation.timed(lambda: all_pixels(paths, draft), rounds)})


if __name__ == "__main__":
    main()
