"""Makes the wheel that the tests of fetching read."""
import gzip
import zipfile
from pathlib import Path

with zipfile.ZipFile(Path(__file__).parent / "tiny_texts-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for name, data in {"words.txt": b"words\n", "words.txt.gz": gzip.compress(b"words\n", mtime=0)}.items():
        wheel.writestr(zipfile.ZipInfo("tiny_texts/" + name), data)
