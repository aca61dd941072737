#!/usr/bin/env python3
"""A Milvus server for tests and for trying things: the one that Milvus' own makers put into the Python registry (Apache-2.0, 58 MB).

    tools/milvus.py fetch             fetches it (checked against a pinned digest) and unpacks it into the user's cache, 257 MB
    tools/milvus.py run FOLDER        runs it on this machine alone, its data in FOLDER, until its input ends or Ctrl-C
        --port N                      on this port (default: a free one); the first line of output says "ready PORT"
        --remove                      removes FOLDER afterwards

It is one process without a cluster; Milvus' documentation says how real ones are run."""
import argparse
import ctypes
import hashlib
import lzma
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

VERSION = "2.3.5"
DIGEST = "69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04"
CACHE = pathlib.Path(os.environ.get("SENSORIUM_CACHE") or pathlib.Path.home() / ".cache/sensorium") / f"milvus-{VERSION}"


def fetch():
    if (CACHE / "bin/milvus").exists():
        return
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as scratch:
        folder = pathlib.Path(scratch)
        print(f"milvus: fetching milvus=={VERSION} (58 MB) for the tests", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary=:all:",
                   "--dest", scratch, f"milvus=={VERSION}"]
        if subprocess.run(command).returncode != 0:
            sys.exit("milvus: `pip download` failed; the tests that need a Milvus server are left out without it")
        wheel = next(folder.glob("milvus-*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != DIGEST:
            sys.exit(f"milvus: {wheel.name} isn't the file that was expected")
        fresh = folder / "milvus"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(fresh / "wheel")
        (fresh / "bin").mkdir()
        for packed in (fresh / "wheel/milvus/data/bin").glob("*.lzma"):
            target = fresh / "bin" / packed.name[:-5]
            with lzma.open(packed) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
            target.chmod(0o755)
            packed.unlink()
        fresh.rename(CACHE)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start(folder, port):
    """Its settings are those of its makers, but for folders, ports, and that it listens on this machine alone."""
    sys.path.insert(0, str(CACHE / "wheel"))
    from milvus import MilvusServerConfig

    config = MilvusServerConfig(data_dir=str(folder))
    config.update(**{name: free_port() for name in config.configurable_items if name.endswith("_port")})
    config.update(proxy_port=port)
    for name in ("proxy", "rootCoord", "dataCoord", "queryCoord", "queryNode", "indexNode", "dataNode"):
        config.set(f"{name}.ip", "127.0.0.1")
    config.resolve()
    metrics = free_port()
    environment = dict(
        os.environ, DEPLOY_MODE="STANDALONE", METRICS_PORT=str(metrics), MILVUS_RUN_DIR=str(folder / "run"),
        LD_LIBRARY_PATH=str(CACHE / "bin"))

    def with_parent():
        os.setsid()
        # Ends with this process, however that ends.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    log = open(folder / "logs/output.log", "wb")
    server = subprocess.Popen(
        [str(CACHE / "bin/milvus"), "run", "standalone"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        preexec_fn=with_parent)
    return server, metrics


def wait_until_ready(server, metrics, folder):
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/healthz", timeout=5) as answer:
                if b"OK" in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    sys.stderr.write((folder / "logs/output.log").read_text(errors="replace")[-4000:])
    sys.exit(f"milvus: the server ended with status {server.returncode}")


def run(folder, port, remove):
    if not (CACHE / "bin/milvus").exists():
        sys.exit("milvus: it isn't there yet; run tools/milvus.py fetch")
    folder = pathlib.Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = None
    try:
        port = port or free_port()
        server, metrics = start(folder, port)
        wait_until_ready(server, metrics, folder)
        print(f"ready {port}", flush=True)
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        pass
    finally:
        if server and server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL if remove else signal.SIGTERM)
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
        if remove:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch")
    runner = commands.add_parser("run")
    runner.add_argument("folder")
    runner.add_argument("--port", type=int, default=0)
    runner.add_argument("--remove", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        fetch()
    else:
        run(arguments.folder, arguments.port, arguments.remove)
