"""Where models and pictures lie; imports nothing large."""
import os
import pathlib

import turns


def cache():
    """Where `sensorium models pull` puts things."""
    given = os.environ.get("SENSORIUM_CACHE")
    return pathlib.Path(given or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sensorium")


def folder_of(model):
    """A model's folder: a path, or a name that `sensorium models pull` put into the cache."""
    folder = pathlib.Path(model) if os.path.isdir(model) else cache() / "models" / model
    if not folder.is_dir():
        raise turns.Failed(f"{model} isn't here: sensorium models pull {model}")
    return folder


def photographs():
    found = sorted((cache() / "photographs" / "coco45").glob("*.jpg"))
    if not found:
        raise turns.Failed("the photographs aren't here: sensorium models pull photographs/coco45")
    return found
