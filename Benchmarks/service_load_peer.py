"""clip-retrieval's backend over folders in its layout; a peer of service_load.py.

    python3 Benchmarks/service_load_peer.py MODEL PORT '{"NAME": "FOLDER", ...}'

Only what would have to be downloaded is switched off: models of safety and taste, and the multilingual text tower.
"""
import json
import sys
import tempfile

from clip_retrieval.clip_back import clip_back


def main():
    model, port, folders = sys.argv[1:]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(json.loads(folders), file)
        file.flush()
        clip_back(indices_paths=file.name, port=int(port), clip_model=f"hf_clip:{model}", enable_mclip_option=False,
                  provide_aesthetic_embeddings=False, provide_safety_model=False, provide_violence_detector=False)


if __name__ == "__main__":
    main()
