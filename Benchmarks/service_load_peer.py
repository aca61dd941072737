"""clip-retrieval's backend over folders in its layout; a peer of service_load.py.

    python3 Benchmarks/service_load_peer.py MODEL PORT '{"NAME": "FOLDER", ...}'

Only what would have to be downloaded is switched off: models of safety and taste, and the multilingual text tower. The package's own
`__init__` imports all of its pipeline (wandb, img2dataset, autofaiss ...), which the backend doesn't need; it is passed over.
"""
import importlib.util
import json
import sys
import tempfile
import types


def main():
    model, port, folders = sys.argv[1:]
    package = types.ModuleType("clip_retrieval")
    package.__path__ = list(importlib.util.find_spec("clip_retrieval").submodule_search_locations)
    sys.modules["clip_retrieval"] = package
    from clip_retrieval.clip_back import clip_back
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(json.loads(folders), file)
        file.flush()
        clip_back(indices_paths=file.name, port=int(port), clip_model=f"hf_clip:{model}", enable_mclip_option=False,
                  provide_aesthetic_embeddings=False, provide_safety_model=False, provide_violence_detector=False)


if __name__ == "__main__":
    main()
