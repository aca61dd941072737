"""rapidocr in a process of its own: `reading_peer.py THREADS`.

Requests: "read" some pictures, and "time" reading them all; they are decoded before.
"""
import functools
import logging
import sys

import conversation


def main():
    threads = int(sys.argv[1])
    from rapidocr import RapidOCR
    logging.disable(logging.CRITICAL)
    import cv2
    cv2.setNumThreads(threads)
    engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": threads,
                              "EngineConfig.onnxruntime.inter_op_num_threads": 1, "Global.log_level": "critical"})

    @functools.lru_cache(maxsize=64)
    def opened(path):
        return engine.load_img(path)

    def read(pictures):
        return {"lines": [list(engine(opened(path)).txts or []) for path in pictures]}

    def time(pictures, rounds):
        arrays = [opened(path) for path in pictures]
        return conversation.timed(lambda: [engine(array) for array in arrays], rounds)

    conversation.serve({"read": read, "time": time})


if __name__ == "__main__":
    main()
