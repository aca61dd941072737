#!/usr/bin/env python3
"""Sends damaged requests to a running service for some minutes and looks what it says.

    python3 tools/fuzz_service.py [--sensorium .build/release/sensorium] [--minutes 4]

Half of the time requests of our own are changed: JSON bodies value by value, filters out of the words that the language has, forms, pictures,
addresses and header lines byte by byte, over the socket and with the connection left open or cut. The other half is schemathesis's (in
.build/fuzz/venv, installed with pip; without it the first half takes all), which makes requests out of /openapi.json. Wrong is an answer of
5xx but 503 and 507, an error that isn't of the one shape that errors have, an end of the program, a service that doesn't answer any more, and
memory that grows beyond a gigabyte. What did it is kept under .build/fuzz/found/service.
"""
import argparse
import base64
import collections
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from soak import Content, png

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build/fuzz"
SCHEMATHESIS = "schemathesis==4.23.0"
MEMORY = 1 << 30
WHERE = (["width", "height", "pixels", "size", "format", "taken", "modified", "camera", "make", "model", "lat", "lon", "title", "description",
          "tag", "path", "name", "folder", "orientation", "aspect", "text", "nothing"] * 2
         + ["=", "!=", "<", "<=", ">", ">=", "like", "contains", "in", "not in", "==", "<>", "is", "between"] * 3
         + ["and", "or", "not", "(", ")", ",", "(", ")"] * 3
         + ["1000", "0", "-1", "1e308", "1e999", "9223372036854775808", "0x10", "1.5MB", "99999999999GB", "2020", "2020-02-30", "2020-13",
            "2020-01-01T25:00:00", "jpeg", "landscape", "'a'", "\"b c\"", "'", "\"", "'%_\\'", "海边", "\u0000", "\ud7ff", "\U0001f600",
            "a" * 3000, "%" * 200, "true", "null", ";", "--", "/*", "#", "\n", "\\"])
VALUES = [None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 1e-320, 2**31, 2**63, -2**63, 2**64, 10**30, "", "a", "海边", "\u0000", "\ud800",
          "x" * 5000, [], {}, [[]], [None], {"": None}, "data:image/png;base64,AAAA", "file:///etc/passwd", "https://localhost/x.png",
          "http://169.254.169.254/", "../../etc/passwd", "-q", "2: ", " + - + ", "\"", [0] * 512, ["a"] * 300, [1e38] * 512, "NaN"]


class Service:
    def __init__(self, given, folder):
        self.given, self.folder = given, folder
        pictures = folder / "pictures"
        pictures.mkdir()
        random_ = random.Random(5)
        for number in range(12):
            (pictures / f"picture{number}.png").write_bytes(Content(random_).bytes)
            (pictures / f"picture{number}.txt").write_text(f"a picture of number {number} 海边\n")
        library = folder / "library"
        subprocess.run([given.sensorium, "index", "--quiet", "--library", library, "--model", given.model, pictures], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # A chat is cut short, so that its route is tried as often as the others.
        command = [given.sensorium, "serve", "--quiet", "--port", str(self.port), "--library", library, "--keys", folder / "keys",
                   "--set", "limits.requests_per_second=0", "--set", "limits.tokens=4", "--set", "limits.body=2MB",
                   "--set", "limits.body_seconds=2", "--set", "limits.idle_seconds=5", "--set", f"fetch.folders={pictures}"]
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while not self.answers():
            if time.monotonic() > end or self.process.poll() is not None:
                sys.exit(f"fuzz: the service doesn't start: {(folder / 'log').read_text(errors='replace')[-500:]}")
            time.sleep(0.1)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def memory(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))

    def problems(self):
        log = (self.folder / "log").read_text(errors="replace").splitlines()
        found = [line[:400] for line in log if "unforeseen" in line or "Fatal error" in line]
        if self.process.poll() is not None:
            found.append(f"the program ended with {self.process.returncode}: {' | '.join(log[-5:])}")
        elif not self.answers():
            found.append("the service doesn't answer any more")
        elif self.memory() > MEMORY:
            found.append(f"the service holds {self.memory() >> 20} MiB")
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()


# Requests that are right: method, path, content type, body

def right(model):
    picture = png(40, 30, [[200, 10, 30], [0, 90, 200]])
    address = "data:image/png;base64," + base64.b64encode(picture).decode()
    form = (b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\npicture\r\n'
            b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + picture + b"\r\n--b--\r\n")
    bodies = {
        "/api/search": {"q": "2: picture - number", "terms": [{"text": "sea", "weight": -1}, {"picture": 1, "region": [0, 0, 0.5, 0.5]},
                                                               {"image": address}, {"vector": [0.1] * 512}],
                        "where": "width >= 10 and tag in ('a', 'b')", "color": "#c02020", "in": "/tmp", "limit": 5, "min_score": 0.1,
                        "text_weight": 0.5},
        "/v1/embeddings": {"model": model, "input": ["a", {"content": [{"type": "image_url", "image_url": {"url": address}}]}],
                           "encoding_format": "base64", "dimensions": None, "user": "x"},
        "/v1/chat/completions": {"model": "smollm2-135m-instruct", "messages": [{"role": "system", "content": "x"},
                                                                                {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
                                 "max_tokens": 2, "temperature": 0.7, "top_p": 0.9, "stop": ["x"], "stream": True, "seed": 3},
        "/v1/rerank": {"model": model, "query": "a dog", "documents": ["a cat", {"text": "x"}], "top_n": 1, "return_documents": True},
        "/knn-service": {"text": "sea", "modality": "image", "num_images": 3, "num_result_ids": 9, "indice_name": model, "deduplicate": True},
        "/metadata": {"ids": [1, 2, 999], "indice_name": model},
    }
    requests = [("POST", path, "application/json", body) for path, body in bodies.items()]
    requests += [("POST", "/api/search?limit=3", "image/png", picture), ("POST", "/api/search", "multipart/form-data; boundary=b", form)]
    for path in ("/api/search?q=picture&limit=3&where={where}", "/api/search?color=red&min_score=0.2&in=%2Ftmp&where={where}",
                 "/api/pictures?limit=4&after=2&where={where}", "/api/pictures/1/similar?limit=3&copies=true&where={where}",
                 "/api/search?picture=1&region=0,0,0.5,0.5", "/api/pictures/1", "/api/pictures/2/file", "/api/pictures/3/thumbnail?side=64",
                 "/api/library", "/api/library/facets?limit=3", "/api/library/problems", "/api/jobs", "/api/jobs/1", "/api/jobs/1/events",
                 "/api/models", "/v1/models", f"/v1/models/{model}", "/indices-list", "/health", "/metrics", "/openapi.json", "/", "/ui/app.js"):
        requests.append(("GET", path, None, None))
    return requests + [("DELETE", "/api/pictures/99999", None, None), ("DELETE", "/api/jobs/1", None, None)]


def changed_json(value, depth=0):
    """The value with one part of it replaced, left out, doubled or nested."""
    if random.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
        choice = random.choice(VALUES)
        return [choice] * random.choice([1, 1, 1, 2, 40]) if random.random() < 0.1 else choice
    if isinstance(value, dict):
        value, key = dict(value), random.choice(list(value))
        way = random.random()
        if way < 0.1:
            del value[key]
        elif way < 0.15:
            value[random.choice(["", "x", key + "s", "海", "q" * 100])] = value[key]
        elif key == "where" and way < 0.7:
            value[key] = where()
        else:
            value[key] = changed_json(value[key], depth + 1)
        return value
    value, place = list(value), random.randrange(len(value))
    way = random.random()
    if way < 0.1:
        del value[place]
    elif way < 0.2:
        value.insert(place, value[place])
    else:
        value[place] = changed_json(value[place], depth + 1)
    return value


def where():
    kind = random.random()
    if kind < 0.05:
        return "(" * random.choice([60, 70, 5000]) + "width = 1" + ")" * random.choice([60, 70, 5000])
    if kind < 0.1:
        return " or ".join(f"width = {number}" for number in range(random.choice([10, 199, 300])))
    if kind < 0.5:
        # Mostly right.
        clause = lambda: " ".join(random.choice(part) for part in (WHERE[:22], WHERE[44:58], WHERE[-34:]))  # noqa: E731
        return random.choice([" and ", " or ", " and not "]).join(clause() for _ in range(random.randrange(1, 5)))
    return " ".join(random.choice(WHERE) for _ in range(random.randrange(1, 14)))


def changed_bytes(data, most=8):
    data = bytearray(data)
    for _ in range(random.randrange(1, most)):
        place, way = random.randrange(len(data) + 1), random.random()
        if way < 0.4 and place < len(data):
            data[place] = random.randrange(256)
        elif way < 0.6:
            del data[place:place + random.randrange(1, 9)]
        elif way < 0.8:
            data[place:place] = random.choice([b"\0", b"\r\n", b"\xff", b"%", b"%00", b"..", b"&", b"=", b"\"", b"{", b"[", b"--", bytes(300)])
        else:
            end = place + random.randrange(1, 40)
            data[place:place] = data[place:end]
    return bytes(data)


def made(requests):
    """One damaged request as bytes of HTTP, and whether its frame is whole, so that an answer must come."""
    method, path, kind, body = random.choice(requests)
    isWhole = True
    path = path.replace("{where}", urllib.parse.quote(where()))
    way = random.random()
    if isinstance(body, dict):
        text = json.dumps(changed_json(body) if way < 0.85 else body, ensure_ascii=random.random() < 0.5)
        body = text.encode("utf-8", "surrogatepass")
        if way > 0.8:
            body = changed_bytes(body)
    elif body is not None:
        body = changed_bytes(body, 20)
        if way < 0.1:
            kind = random.choice(["image/jpeg", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300, "application/json", ""])
    elif way < 0.6:
        path = changed_bytes(path.encode(), 4).decode("latin-1")
        if way < 0.4:
            # Still an address of HTTP: what isn't is escaped.
            path = urllib.parse.quote(path, safe="/?&=%,.:-_~")
        else:
            isWhole = False
    if not path.startswith("/"):
        isWhole = False
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if kind:
        head.append(f"Content-Type: {kind}")
    if body is not None:
        if random.random() < 0.1:
            head.append("Transfer-Encoding: chunked")
            body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n" if body else b"0\r\n\r\n"
        else:
            head.append(f"Content-Length: {len(body)}")
    if random.random() < 0.1:
        head.append(random.choice(["Range: bytes=0-1", "Expect: 100-continue", "If-None-Match: *", "Authorization: Bearer x", "Origin: http://evil.example",
                                   "Accept-Encoding: gzip", "X: " + "y" * 4000, "Connection: upgrade", "Upgrade: websocket", "Content-Encoding: gzip"]))
    head.append("Connection: close")
    data = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + (body or b"")
    if random.random() < 0.05:
        data, isWhole = changed_bytes(data), False
    return data, isWhole


def send(port, data, cuts):
    """The answer's bytes; what is cut off gets none."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(data)
            if cuts:
                return b""
            connection.shutdown(socket.SHUT_WR) if random.random() < 0.02 else None
            answer = b""
            while piece := connection.recv(1 << 16):
                answer += piece
                if len(answer) > 1 << 22:
                    break
            return answer
        except (ConnectionError, TimeoutError):
            return None


def wrong(answer, isWhole):
    """What is wrong with an answer; None where nothing is."""
    if answer is None or not answer:
        return "no answer" if isWhole and answer == b"" else None
    try:
        status = int(answer[9:12])
    except ValueError:
        return f"no HTTP: {answer[:60]!r}"
    if status >= 500 and status not in (503, 507):
        return f"{status}: {answer.rpartition(b'{')[2][:300]!r}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if status >= 400 and body and b"application/json" in head.lower() and b'"error":{"message":' not in body:
        return f"an error of another shape: {body[:200]!r}"
    return None


def own(service, seconds, found):
    requests, counts, end, count = right(service.given.model), collections.Counter(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data, isWhole = made(requests)
        cuts = random.random() < 0.02
        try:
            answer = send(service.port, data, cuts)
        except OSError as error:
            answer, problem = None, f"no connection: {error}"
        else:
            problem = None if cuts else wrong(answer, isWhole)
        counts[answer[9:12].decode("latin-1") if answer else "none"] += 1
        count += 1
        if problem is None and count % 500 == 0:
            problem = next(iter(service.problems()), None)
        if problem:
            found.tell(problem, data)
            if service.process.poll() is not None:
                break
    print(f"fuzz: service: {count} requests, answers {dict(sorted(counts.items()))}", flush=True)


class Found:
    def __init__(self):
        self.folder, self.problems = BUILD / "found/service", []
        self.folder.mkdir(parents=True, exist_ok=True)

    def tell(self, problem, data=b""):
        self.problems.append(problem)
        if len(self.problems) > 50:
            return
        place = self.folder / f"{len(self.problems):03}.http"
        place.write_bytes(data)
        print(f"fuzz: service: {problem} ({place})", flush=True)


def schemathesis():
    """The program, installed where it isn't; None where it can't be."""
    venv = BUILD / "venv"
    program = venv / "bin/schemathesis"
    if not program.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        for command in ([sys.executable, "-m", "venv", venv], [venv / "bin/python", "-m", "pip", "install", "--quiet", SCHEMATHESIS]):
            if subprocess.run([str(part) for part in command]).returncode:
                return None
    return program


def described(service, program, seconds, found):
    """schemathesis on /openapi.json, until its examples or the time are spent."""
    settings = service.folder / "schemathesis.toml"
    settings.write_text('[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", "503", "507"]\n')
    command = [program, "--config-file", settings, "run", f"http://127.0.0.1:{service.port}/openapi.json", "--checks", "not_a_server_error",
               "--phases", "examples,coverage,fuzzing", "--max-examples", "100000", "--continue-on-failure", "--request-timeout", "60",
               "--exclude-path-regex", "/events$", "--no-color", "--generation-database", ":memory:"]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               cwd=service.folder)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # As Ctrl-C: it then tells what it has.
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    (found.folder / "schemathesis.txt").write_text(output)
    lines = output.splitlines()
    for line in lines:
        if any(sign in line for sign in ("generated", "Test cases", "tested", "Server error", "seed")):
            print(f"fuzz: schemathesis: {line.strip()}", flush=True)
    if "Server error" in output:
        found.tell(f"schemathesis: {sum('Server error' in line for line in lines)} server errors, in {found.folder / 'schemathesis.txt'}")
    elif not any(sign in output for sign in ("generated", "Test cases", "SUMMARY")):
        found.tell("schemathesis didn't run: " + " | ".join(lines[-4:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sensorium", default=str(ROOT / ".build/release/sensorium"))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--model", default="sensorium-clip-base")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--own-only", action="store_true", help="without schemathesis")
    given = parser.parse_args()
    random.seed(given.seed)
    program, found = None if given.own_only else schemathesis(), Found()
    if not program and not given.own_only:
        print("fuzz: schemathesis can't be installed; our own requests take all of the time", flush=True)
    with tempfile.TemporaryDirectory(prefix="sensorium-fuzz-") as folder:
        service = Service(given, pathlib.Path(folder))
        try:
            own(service, given.minutes * 60 * (0.5 if program else 1), found)
            if program and service.process.poll() is None:
                described(service, program, given.minutes * 60 * 0.5, found)
            for problem in service.problems():
                found.tell(problem)
        finally:
            service.stop()
            (found.folder / "log").write_bytes((service.folder / "log").read_bytes())
    sys.exit(1 if found.problems else 0)


if __name__ == "__main__":
    main()
