#!/usr/bin/env python3
"""Uses a service for a while as people do, kills it now and then, and holds every answer against what is known.

    python3 tools/soak.py [--sensorium .build/release/sensorium] [--minutes 30] [--model sensorium-clip-mini] [--rate 4] [--kills 3]

Pictures are made, changed and deleted in a folder of their own, and the service is told to index them; meanwhile others search by words, by
uploaded pictures, by vectors and by filters, and fetch files, thumbnails and lists. The program is killed (SIGKILL) while it works and
started again on the same library. A violation is

- a wrong answer: a picture that isn't there, one that should be and isn't, a cosine or an order that differs from what the model's own
  vectors give, a file with other bytes, hits that the filter forbids;
- a change that was acknowledged (an indexing that said `done`, a DELETE that was answered) and isn't there, also after a kill;
- an answer of 5xx but 503 and 507, an end of the program that nobody asked for, a stopped service that doesn't come back;
- memory, open files or threads that grow: what the last life holds at its end beside what it held when it had warmed up.

Prints a summary and ends with 1 after any violation. Needs nothing but Python; the weights of the model must be here
(`sensorium models pull`).
"""
import argparse
import base64
import collections
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOLERANCE = 2e-4  # of cosines: the program adds products in another order
GROWTH, SPARE_MIB = 1.05, 12  # of memory from the warm state to the end
WARM = 0.35  # the part of the last life after which it is warm


def png(width, height, colours):
    """A picture of blocks of 16 pixels."""
    across = -(-width // 16)
    rows = []
    for y in range(height):
        first = y // 16 * across
        row = b"".join(bytes(colours[(first + x) % len(colours)]) * 16 for x in range(across))
        rows.append(b"\0" + row[:3 * width])

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(rows), 1)) + chunk(b"IEND", b"")


def word(random_):
    """A word that no other picture has and that is no beginning of another."""
    return "".join(random_.choice("bdfgklmnprtvz") + random_.choice("aeiou") for _ in range(6)) + "x"


class Content:
    """What a picture is: bytes, size, a caption with a word of its own."""

    def __init__(self, random_):
        self.width, self.height = random_.randrange(48, 200), random_.randrange(48, 160)
        self.bytes = png(self.width, self.height, [[random_.randrange(256) for _ in range(3)] for _ in range(random_.randrange(3, 40))])
        self.word = word(random_)
        self.vector = None


class Entry:
    """A name in the folder. `state` is "there", "gone" or "open" (on its way from one to the other); `version` grows with every change."""

    def __init__(self, path):
        self.path, self.content, self.state, self.version, self.since = path, None, "open", 0, 0
        self.id = None


class Refused(Exception):
    """The service isn't there: allowed around a kill only."""


class Soak:
    def __init__(self, given, folder):
        self.given, self.folder = given, folder
        self.pictures, self.library = folder / "pictures", folder / "library"
        self.pictures.mkdir()
        self.random = random.Random(given.seed)
        self.entries, self.lock = {}, threading.RLock()
        self.violations, self.counts, self.waits = [], collections.Counter(), collections.defaultdict(list)
        self.epoch, self.ending = 0, threading.Event()
        self.process, self.port, self.changes = None, None, 0
        self.samples, self.lives = [], []
        self.log = open(folder / "log", "ab")

    # The program

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [self.given.sensorium, "serve", "--quiet", "--port", str(port), "--library", str(self.library), "--keys",
                   str(self.folder / "keys"), "--set", f"index_folders={self.pictures}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.port = port
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.request("GET", "/health")
                self.lives.append(time.monotonic())
                return
            except Refused:
                time.sleep(0.1)
        sys.exit(f"soak: the service doesn't start; {self.folder / 'log'} says why")

    def kill(self):
        with self.lock:
            self.epoch += 1
            self.process.kill()
            self.process.wait()
        self.counts["kills"] += 1
        with self.lock:
            self.start()
            self.epoch += 1

    def wrong(self, what):
        with self.lock:
            self.violations.append(what)
        print(f"soak: VIOLATION {what}", file=sys.stderr, flush=True)

    def request(self, method, path, body=None, kind=None, raw=False):
        """Status and body. Raises Refused where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Content-Type": kind} if kind else {}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"{method} {path[:100]}: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= 500 and answer.status not in (503, 507):
            self.wrong(f"{method} {path[:200]} got {answer.status}: {data[:300]!r}")
        return answer.status, data if raw else (json.loads(data) if data else None)

    def ask(self, name, method, path, body=None, kind=None, raw=False):
        """As `request`, counted. None where the service was killed meanwhile."""
        epoch, start = self.epoch, time.monotonic()
        try:
            found = self.request(method, path, body, kind, raw)
        except Refused as error:
            if epoch == self.epoch and epoch % 2 == 0 and not self.ending.is_set():
                # The kill may have begun and not yet been told.
                time.sleep(0.5)
                if epoch == self.epoch:
                    self.wrong(f"nobody answers: {error}")
            return None
        self.counts[name] += 1
        self.waits[name].append(time.monotonic() - start)
        return found

    # What is known

    def snapshot(self):
        with self.lock:
            return {path: (entry.state, entry.version, entry.content, entry.id) for path, entry in self.entries.items()}

    def certain(self, before):
        """Entries whose state was one and the same since `before`: path -> content, None for what is gone."""
        with self.lock:
            return {path: (content if state == "there" else None) for path, (state, version, content, _) in before.items()
                    if state != "open" and self.entries[path].state == state and self.entries[path].version == version}

    def open(self, entry):
        self.changes += 1
        entry.state, entry.version, entry.since = "open", entry.version + 1, self.changes

    def vector(self, content):
        """The model's vector of a picture, from the address that embeds: kept, for models give the same every time."""
        if content.vector is None:
            part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(content.bytes).decode()}}
            body = json.dumps({"model": self.given.model, "input": [{"content": [part]}]})
            found = self.ask("embed", "POST", "/v1/embeddings", body, "application/json")
            if found is None or found[0] != 200:
                if found and found[0] != 503:
                    self.wrong(f"/v1/embeddings got {found[0]}: {found[1]}")
                return None
            content.vector = found[1]["data"][0]["embedding"]
        return content.vector

    # Changes: one after another, as the library takes them

    def write(self, entry):
        entry.content = Content(self.random)
        path = pathlib.Path(entry.path)
        path.with_suffix(".txt").write_text(f"{entry.content.word}\nA picture of blocks.\n")
        fresh = path.with_suffix(".part")
        fresh.write_bytes(entry.content.bytes)
        fresh.replace(path)

    def unlink(self, entry):
        path = pathlib.Path(entry.path)
        path.unlink(missing_ok=True)
        path.with_suffix(".txt").unlink(missing_ok=True)
        entry.content = None

    def change_files(self):
        with self.lock:
            there = [entry for entry in self.entries.values() if entry.content]
            room = self.given.pictures - len(there)
            for _ in range(min(20, max(2, room))):
                entry = Entry(str(self.pictures / f"{word(self.random)}.png"))
                self.open(entry)
                self.write(entry)
                self.entries[entry.path] = entry
            if room < 4:
                for entry in self.random.sample(there, 6):
                    self.open(entry)
                    if self.random.random() < 0.5:
                        self.unlink(entry)
                    else:
                        self.write(entry)

    def index(self, everything=False):
        """An indexing; what it acknowledged is certain from then on."""
        with self.lock:
            changes = self.changes
        body = json.dumps({"model": self.given.model, "reread": everything})
        started = self.ask("index", "POST", "/api/jobs", body, "application/json")
        if started is None:
            return
        status, job = started
        if status != 202:
            return self.wrong(f"POST /api/jobs got {status}: {job}")
        while not self.ending.is_set():
            time.sleep(0.3)
            found = self.ask("job", "GET", f"/api/jobs/{job['id']}")
            if found is None:
                return
            if found[0] == 404:
                return  # started again meanwhile
            if found[1]["outcome"] != "running":
                break
        else:
            return
        if found[1]["outcome"] != "done" or found[1]["problem_count"]:
            return self.wrong(f"the indexing ended so: {found[1]}")
        with self.lock:
            for entry in self.entries.values():
                if entry.state == "open" and entry.since <= changes:
                    entry.state = "there" if entry.content else "gone"
                    entry.id = None
        self.counts["indexings done"] += 1

    def delete(self):
        with self.lock:
            there = [entry for entry in self.entries.values() if entry.state == "there"]
            if len(there) < self.given.pictures // 2:
                return
            entry = self.random.choice(there)
            content = entry.content
        found = self.ask("words", "GET", "/api/search?limit=5&q=" + content.word)
        if found is None:
            return
        ids = [hit["id"] for hit in found[1]["hits"] if hit["path"] == entry.path]
        if not ids:
            return self.wrong(f"{entry.path} isn't found by its word {content.word}")
        with self.lock:
            self.open(entry)
            since = entry.since
            self.unlink(entry)
        found = self.ask("delete", "DELETE", f"/api/pictures/{ids[0]}")
        if found is None:
            return  # it may have been taken out or not; the next indexing will say
        if found[0] != 200 or found[1]["files"] != 1:
            return self.wrong(f"DELETE of {entry.path} got {found}")
        with self.lock:
            if entry.since == since:
                entry.state = "gone"
        self.counts["deletions acknowledged"] += 1

    def changer(self):
        turn = 0
        while not self.ending.is_set():
            try:
                turn += 1
                self.change_files()
                self.index(everything=turn % 8 == 0)
                for _ in range(3):
                    self.delete()
                    self.ending.wait(3 / self.given.rate)
            except Exception as error:  # noqa: BLE001 (a failure of the soak itself is told, too)
                self.wrong(f"the soak's own changer: {error!r}")
            self.ending.wait(12 / self.given.rate)

    # Answers that are held against what is known

    def check_hits(self, what, hits, certain, filter_=None):
        for hit in hits:
            content = certain.get(hit["path"], "unknown")
            if content is None:
                self.wrong(f"{what}: {hit['path']} was deleted")
            elif content != "unknown":
                if (hit["width"], hit["height"]) != (content.width, content.height) or hit["title"] != content.word:
                    self.wrong(f"{what}: {hit} isn't what lies there")
                if filter_ and not filter_(content):
                    self.wrong(f"{what}: the filter forbids {hit}")
            elif hit["path"] not in self.entries:
                self.wrong(f"{what}: {hit['path']} never was")
        paths = [hit["path"] for hit in hits]
        if len(set(paths)) != len(paths):
            self.wrong(f"{what}: a picture twice")

    def check_cosines(self, what, hits, vector, certain, skip=None):
        """Similarities, their order, and that nothing nearer was left out."""
        told = [hit["similarity"] for hit in hits]
        if any(a < b - 1e-6 for a, b in zip(told, told[1:])):
            self.wrong(f"{what}: hits aren't in order: {told}")
        found = {hit["path"]: hit["similarity"] for hit in hits}
        least = told[-1] if told else -1
        for path, content in certain.items():
            if content is None or content.vector is None or path == skip:
                continue
            cosine = sum(a * b for a, b in zip(vector, content.vector))
            if path in found and abs(found[path] - cosine) > TOLERANCE:
                self.wrong(f"{what}: {path} has {found[path]}, the model's vectors give {cosine}")
            if path not in found and cosine > least + TOLERANCE:
                self.wrong(f"{what}: {path} with {cosine} was left out, the last hit has {least}")

    def some(self):
        before = self.snapshot()
        there = [(path, content) for path, (state, _, content, _) in before.items() if state == "there"]
        return before, random.choice(there) if there else None

    def by_words(self):
        before, one = self.some()
        if not one:
            return
        found = self.ask("words", "GET", "/api/search?limit=10&q=" + one[1].word)
        if not found or found[0] != 200:
            return self.expect(found, "words")
        certain = self.certain(before)
        self.check_hits("words", found[1]["hits"], certain)
        if one[0] in certain and one[0] not in [hit["path"] for hit in found[1]["hits"]]:
            self.wrong(f"words: {one[1].word} doesn't find {one[0]}")

    def by_upload(self):
        before, one = self.some()
        content = one[1] if one and random.random() < 0.6 else Content(random)
        vector = self.vector(content)
        if vector is None:
            return
        found = self.ask("upload", "POST", "/api/search?limit=10", content.bytes, "image/png")
        if not found or found[0] != 200:
            return self.expect(found, "upload")
        certain = self.certain(before)
        self.check_hits("upload", found[1]["hits"], certain)
        self.check_cosines("upload", found[1]["hits"], vector, certain)

    def by_vector(self):
        before, one = self.some()
        if not one or not (vector := self.vector(one[1])):
            return
        body = json.dumps({"embedding_input": vector, "modality": "image", "num_images": 10, "indice_name": self.given.model})
        found = self.ask("knn-service", "POST", "/knn-service", body, "application/json")
        if not found or found[0] != 200:
            return self.expect(found, "knn-service")
        certain = self.certain(before)
        hits = [{**hit, "path": hit["image_path"], "title": hit["caption"]} for hit in found[1]]
        self.check_hits("knn-service", hits, certain)
        self.check_cosines("knn-service", hits, vector, certain)

    def by_likeness(self):
        before, one = self.some()
        if not one or not (vector := self.vector(one[1])):
            return
        listed = self.ask("words", "GET", "/api/search?limit=5&q=" + one[1].word)
        if not listed or listed[0] != 200:
            return self.expect(listed, "words")
        ids = [hit["id"] for hit in listed[1]["hits"] if hit["path"] == one[0]]
        found = self.ask("similar", "GET", f"/api/pictures/{ids[0]}/similar?limit=10") if ids else None
        certain = self.certain(before)
        if not found or one[0] not in certain:
            return
        if found[0] != 200:
            return self.expect(found, "similar")
        if one[0] in [hit["path"] for hit in found[1]["hits"]]:
            self.wrong("similar: the picture itself is among those like it")
        self.check_hits("similar", found[1]["hits"], certain)
        self.check_cosines("similar", found[1]["hits"], vector, certain, skip=one[0])

    def by_filter(self):
        before, least = self.snapshot(), random.randrange(48, 200)
        where = urllib.parse.quote(f"width >= {least}")
        listed, after = [], 0
        while True:
            found = self.ask("list", "GET", f"/api/pictures?limit=40&after={after}&where={where}")
            if not found or found[0] != 200:
                return self.expect(found, "list")
            listed += found[1]["pictures"]
            after = found[1].get("next")
            if not after:
                break
        certain = self.certain(before)
        self.check_hits("list", listed, certain, lambda content: content.width >= least)
        paths = {entry["path"] for entry in listed}
        for path, content in certain.items():
            if content and content.width >= least and path not in paths:
                self.wrong(f"list: {path} is missing among those of width >= {least}")
        found = self.ask("filtered", "GET", f"/api/search?limit=20&q=blocks&where={where}")
        if found and found[0] == 200:
            self.check_hits("filtered", found[1]["hits"], self.certain(before), lambda content: content.width >= least)
        else:
            self.expect(found, "filtered")

    def by_file(self):
        before, one = self.some()
        if not one:
            return
        listed = self.ask("words", "GET", "/api/search?limit=5&q=" + one[1].word)
        if not listed or listed[0] != 200:
            return self.expect(listed, "words")
        ids = [hit["id"] for hit in listed[1]["hits"] if hit["path"] == one[0]]
        if not ids:
            return
        for name in "file", "thumbnail":
            found = self.ask(name, "GET", f"/api/pictures/{ids[0]}/{name}", raw=True)
            if one[0] not in self.certain(before) or not found:
                return
            if found[0] != 200:
                return self.wrong(f"{name} of {one[0]} got {found[0]}: {found[1][:200]!r}")
            if name == "file" and found[1] != one[1].bytes:
                self.wrong(f"file: {one[0]} has other bytes")
            if name == "thumbnail" and found[1][:2] != b"\xff\xd8":
                self.wrong(f"thumbnail: {one[0]} is no JPEG")

    def by_counts(self):
        before = self.snapshot()
        found = self.ask("facets", "GET", "/api/library/facets")
        if not found or found[0] != 200:
            return self.expect(found, "facets")
        certain = self.certain(before)
        with self.lock:
            isQuiet = len(certain) == len(self.entries)
        told = sum(entry["count"] for entry in found[1]["formats"])
        if isQuiet and told != sum(content is not None for content in certain.values()):
            self.wrong(f"facets: {told} files, and there are {sum(content is not None for content in certain.values())}")

    def expect(self, found, what):
        """What isn't 200 is too much work at once, or a library that isn't there yet."""
        if found and found[0] not in (503, 429) and not (found[0] in (404, 409) and not self.counts["indexings done"]):
            self.wrong(f"{what} got {found[0]}: {found[1]}")

    def reader(self):
        ways = [self.by_words] * 4 + [self.by_upload] * 3 + [self.by_vector, self.by_likeness, self.by_filter, self.by_file, self.by_counts]
        while not self.ending.is_set():
            try:
                if self.epoch % 2 == 0:
                    random.choice(ways)()
            except Exception as error:  # noqa: BLE001
                self.wrong(f"the soak's own reader: {error!r}")
            self.ending.wait(random.expovariate(self.given.rate / self.given.readers))

    # Memory

    def sample(self):
        """Anonymous memory in MiB (mapped weights belong to the system), open files, threads."""
        try:
            place = pathlib.Path(f"/proc/{self.process.pid}")
            fields = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
            return {"time": time.monotonic(), "life": len(self.lives), "memory": int(fields["RssAnon"].split()[0]) / 1024,
                    "threads": int(fields["Threads"]), "files": len(os.listdir(place / "fd"))}
        except (OSError, KeyError):
            return None

    def check_growth(self):
        life = [sample for sample in self.samples if sample["life"] == len(self.lives)]
        if len(life) < 20:
            return {}
        span = life[-1]["time"] - life[0]["time"]
        warm = [sample for sample in life if WARM <= (sample["time"] - life[0]["time"]) / span <= WARM + 0.25]
        end = [sample for sample in life if (sample["time"] - life[0]["time"]) / span >= 0.85]
        found = {}
        for name, spare in ("memory", SPARE_MIB), ("files", 16), ("threads", 16):
            first, last = max(sample[name] for sample in warm), statistics.median(sample[name] for sample in end)
            found[name] = [round(statistics.median(sample[name] for sample in warm), 1), round(last, 1)]
            if last > first * GROWTH + spare:
                self.wrong(f"{name} grew in the last {span / 60:.0f} minutes: {first:.0f} at most when warm, {last:.0f} at the end")
        return found

    # The whole

    def run(self):
        self.start()
        began, seconds = time.monotonic(), self.given.minutes * 60
        threads = [threading.Thread(target=self.changer, daemon=True)]
        threads += [threading.Thread(target=self.reader, daemon=True) for _ in range(self.given.readers)]
        for thread in threads:
            thread.start()
        # The last life is the longest: it shows whether memory grows.
        kills = [began + seconds * 0.5 * (number + 1) / max(1, self.given.kills) for number in range(self.given.kills)]
        while time.monotonic() - began < seconds:
            time.sleep(1)
            if self.process.poll() is not None:
                self.wrong(f"the program ended by itself with {self.process.returncode}")
                break
            if sample := self.sample():
                self.samples.append(sample)
            if kills and time.monotonic() > kills[0]:
                kills.pop(0)
                time.sleep(random.random())
                self.kill()
        self.ending.set()
        for thread in threads:
            thread.join(150)
        self.finish(time.monotonic() - began)

    def finish(self, seconds):
        growth = self.check_growth()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wrong("the program doesn't end when it is told to")
        self.log.flush()
        for line in (self.folder / "log").read_text(errors="replace").splitlines():
            if any(sign in line for sign in ("unforeseen", "Fatal error", "error:", " critical ")):
                self.wrong(f"the log says: {line[:300]}")
        done = subprocess.run([self.given.sensorium, "status", "--json", "--library", str(self.library)], capture_output=True, text=True)
        if done.returncode != 0:
            self.wrong(f"the library can't be read afterwards: {done.stderr[:300]}")
        print(f"soak: {seconds / 60:.1f} minutes, {self.counts['kills']} kills, model {self.given.model}")
        for name, count in sorted(self.counts.items()):
            waits = sorted(self.waits.get(name, []))
            times = f", p50 {waits[len(waits) // 2] * 1e3:.0f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:.0f} ms" if waits else ""
            print(f"  {name}: {count}{times}")
        there = sum(entry.state == "there" for entry in self.entries.values())
        print(f"  pictures: {len(self.entries)} in all, {there} at the end")
        for name, (first, last) in growth.items():
            print(f"  {name} of the last life{' (MiB)' if name == 'memory' else ''}: {first} when warm, {last} at the end")
        print(f"soak: {len(self.violations)} violations" if self.violations else "soak: no violation")
        if self.given.json:
            told = {"minutes": round(seconds / 60, 1), "model": self.given.model, "counts": dict(self.counts), "growth": growth,
                    "violations": self.violations}
            pathlib.Path(self.given.json).write_text(json.dumps(told, indent=1) + "\n")
        sys.exit(1 if self.violations else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sensorium", default=str(ROOT / ".build/release/sensorium"))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", default="sensorium-clip-mini", help="it must know words and pictures")
    parser.add_argument("--rate", type=float, default=4, help="requests a second, all readers together")
    parser.add_argument("--readers", type=int, default=3, help="how many ask at once")
    parser.add_argument("--pictures", type=int, default=150, help="how many there are, about")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="FOLDER", help="keep pictures, library and log there")
    parser.add_argument("--json", metavar="FILE", help="write the summary there, too")
    given = parser.parse_args()
    if not os.access(given.sensorium, os.X_OK):
        sys.exit(f"soak: there is no program {given.sensorium}; `make build` makes it, --sensorium names another")
    with tempfile.TemporaryDirectory(prefix="sensorium-soak-") as temporary:
        folder = pathlib.Path(given.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        Soak(given, folder).run()


if __name__ == "__main__":
    main()
