"""How `hierseg serve` bears 20 clients that send 200 files at once, hostile ones among them.

    python experiments/serve_load.py [--requests 200] [--clients 20] [--pictures FOLDER]

Starts the server, has each client send its files one after the other (told to come again, it does),
and prints how each kind was answered, p50 and p95 of those that were segmented, and the memory that
the server and its decoder took.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image

from ending import run_main

GOOD = 4
"""Of five files, so many are pictures."""
SMALL = ["--scales", "0.5", "1", "--long-edge", "320", "--engine", "torch", "--max-bytes", "16M"]


LARGE_HEADER, HEADERS = "HTTP header of 200 kB", {"x-large": "x" * 200_000}


class Answer(NamedTuple):
    """What a client got for a file: its kind, the status, seconds from its first try, and tries."""

    kind: str
    status: int
    seconds: float
    tries: int
    said: str


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def make_png(width: int, height: int, rows: bytes, bits: int = 8, extra: bytes = b"") -> bytes:
    """A grey PNG that says it has that size, whatever its compressed rows hold."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pack_zeros(count: int) -> bytes:
    """So many zeros, compressed."""
    packer, parts = zlib.compressobj(6), list[bytes]()
    for start in range(0, count, 1 << 20):
        parts.append(packer.compress(bytes(min(1 << 20, count - start))))
    return b"".join([*parts, packer.flush()])


def make_hostile(picture: bytes) -> dict[str, tuple[str, bytes]]:
    """Kind -> name and content of what a server must not fall over."""
    rows = pack_zeros(64 * 65)
    text = b"Comment\0\0" + pack_zeros(300 * 2**20)
    small = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(small, "PNG")
    return {
        "30000x30000 PNG": ("large.png", make_png(30000, 30000, pack_zeros(3751 * 30000), 1)),
        "header of 2^31 pixels a side": ("giant.png", make_png(2**31 - 1, 2**31 - 1, rows)),
        "text of 300 MB, packed": ("text.png", make_png(64, 64, rows, 8, chunk(b"zTXt", text))),
        "40 such texts": ("texts.png", make_png(64, 64, rows, 8, 40 * chunk(b"zTXt", text))),
        "rows that unpack to 1 GB": ("rows.png", make_png(64, 64, pack_zeros(2**30))),
        "JPEG cut short": ("cut.jpg", picture[: len(picture) // 2]),
        "PNG cut short": ("cut.png", small.getvalue()[:-30]),
        "text named .png": ("notes.png", b"only text\n" * 100),
        "random bytes named .mp4": ("clip.mp4", np.random.default_rng(0).bytes(50_000)),
        "empty file": ("empty.jpg", b""),
        "20 MB, more than is taken": ("heavy.jpg", picture + bytes(20 * 2**20)),
    }


def ask(
    address: str, kind: str, name: str, content: bytes, headers: dict[str, str] | None = None
) -> Answer:
    """Send a file until it is answered otherwise than by "come again"."""
    start = time.perf_counter()
    tries = 0
    while True:
        tries += 1
        answer = httpx.post(
            f"{address}predict",
            files={"file": (name, content)},
            headers=headers,
            timeout=300,
            trust_env=False,
        )
        if "retry-after" not in answer.headers:
            break
        time.sleep(float(answer.headers["retry-after"]))
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    said = answer.json().get("error", "") if is_json else answer.text
    return Answer(kind, answer.status_code, time.perf_counter() - start, tries, said)


def run_clients(
    address: str, pictures: Sequence[bytes], requests: int, clients: int
) -> list[Answer]:
    """What so many clients get for so many files, one in five of which is hostile."""
    hostile = list(make_hostile(pictures[0]).items())
    work: list[Callable[[], Answer]] = []
    for number in range(requests):
        if number % (GOOD + 1):
            content = pictures[number % len(pictures)]
            work.append(lambda content=content: ask(address, "picture", "a.jpg", content))  # type: ignore[misc]
            continue
        place = number // (GOOD + 1) % (len(hostile) + 1)
        if place == len(hostile):
            work.append(lambda: ask(address, LARGE_HEADER, "a.jpg", pictures[0], HEADERS))
        else:
            kind, (name, content) = hostile[place]
            work.append(lambda k=kind, n=name, c=content: ask(address, k, n, c))  # type: ignore[misc]
    with ThreadPoolExecutor(clients) as pool:
        return [one.result() for one in [pool.submit(each) for each in work]]


class Memory:
    """The most that a process and its children hold, in MB, looked at all the time."""

    def __init__(self, process: int) -> None:
        self._process, self._ended = process, threading.Event()
        self.server = self.decoder = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self.server = max(self.server, _read(self._process))
            children = Path(f"/proc/{self._process}/task").glob("*/children")
            for child in [number for path in children for number in _list(path)]:
                self.decoder = max(self.decoder, _read(child))


def _list(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError:
        return []


def _read(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^VmRSS:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Start the server, ask, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--pictures", type=Path, default=Path("../shared/camvid/val"))
    parser.add_argument("--queue", default="32")
    given = parser.parse_args()
    found = sorted(given.pictures.glob("*.jpg"))[:20]
    if not found:
        sys.exit(f"{given.pictures} holds no .jpg; name a folder of them with --pictures.")
    pictures = [path.read_bytes() for path in found]
    command = [sys.executable, "-m", "hierseg", "serve", "--port", "0", "--queue", given.queue]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    process = subprocess.Popen(
        [*command, *SMALL], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    address = re.search(r"http://\S+", process.stdout.readline())
    assert address is not None
    try:
        ask(address[0], "picture", "a.jpg", pictures[0])
        before, memory = _read(process.pid), Memory(process.pid)
        start = time.perf_counter()
        answers = run_clients(address[0], pictures, given.requests, given.clients)
        seconds = time.perf_counter() - start
        memory.end()
    finally:
        process.terminate()
        process.wait(60)
    kinds, said = defaultdict[str, Counter[int]](Counter), dict[str, str]()
    for answer in answers:
        kinds[answer.kind][answer.status] += 1
        said[answer.kind] = answer.said
    for kind, statuses in kinds.items():
        print(f"{kind:32}{dict(statuses)!s:20}{said[kind]}")
    times = [answer.seconds for answer in answers if answer.status == 200]
    p50, p95 = np.percentile(times, [50, 95])
    again = sum(answer.tries > 1 for answer in answers)
    print(
        f"{len(answers)} answered in {seconds:.0f} s, {again} told to come again first; pictures: "
        f"p50 {p50:.2f} s, p95 {p95:.2f} s; server {before:.0f} MB before, {memory.server:.0f} MB "
        f"at most, decoder {memory.decoder:.0f} MB at most; ended with {process.returncode}"
    )


if __name__ == "__main__":
    run_main(main)
