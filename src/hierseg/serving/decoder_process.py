"""The process that decodes uploads: ``python -m hierseg.serving.decoder_process BYTES``.

It reads orders, one line of JSON each, and answers with lines of JSON, some followed by pixels. It
may allocate BYTES beyond its memory at the start, can write no file, and ends when its input does.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.media import Clip, Video, pixels_counted_here, read_image

TOO_LARGE = "pixels are more than"


def main(memory: int) -> None:
    """Carry out orders until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the server ends this one
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library's output must not look like an answer
    importlib.import_module("hierseg.data")
    _limit(memory)
    orders = sys.stdin.buffer
    with pixels_counted_here():
        _say(answers, {"ready": True})
        while line := orders.readline():
            order = json.loads(line)
            try:
                if order.get("clip") is None:
                    _give(answers, read_image(Path(order["path"]), order["max_pixels"]), {})
                else:
                    _give_clip(orders, answers, order)
            except UserError as error:
                reason = str(getattr(error, "reason", error)).rstrip(".")
                _say(answers, {"error": reason, "too_large": TOO_LARGE in reason})
            except MemoryError:
                _say(answers, {"error": "it needs more memory than decoding may take here"})
            except BrokenPipeError:
                return
            except Exception as error:  # damage may raise any exception
                _say(answers, {"error": f"it is damaged ({type(error).__name__})"})


def _give_clip(orders: IO[bytes], answers: IO[bytes], order: Mapping[str, Any]) -> None:
    """Send the frames of a clip one by one, each after the one before was read."""
    video = Video(Path(order["path"]), order["max_pixels"])
    clip = Clip(*order["clip"])
    _say(
        answers,
        {"rate": [video.rate.numerator, video.rate.denominator], "count": video.count(clip)},
    )
    for frame in video.frames(clip):
        shape = Fraction(frame.pixel_shape)
        about = {
            "index": frame.index,
            "time": frame.time,
            "pixel_shape": [shape.numerator, shape.denominator],
        }
        _give(answers, frame.pixels, about)
        if orders.readline().strip() != b"next":
            _say(answers, {"end": True, "damage": None})
            return
    _say(answers, {"end": True, "damage": video.damage})


def _give(answers: IO[bytes], pixels: npt.NDArray[np.uint8], about: Mapping[str, Any]) -> None:
    height, width = pixels.shape[:2]
    _say(answers, {**about, "height": height, "width": width})
    answers.write(np.ascontiguousarray(pixels).data.cast("B"))
    answers.flush()


def _say(answers: IO[bytes], content: Mapping[str, Any]) -> None:
    answers.write(json.dumps(content).encode() + b"\n")
    answers.flush()


def _limit(memory: int) -> None:
    """Limit the memory, and forbid files and core dumps."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows knows no such limits
        return
    found = re.search(r"^VmSize:\s*(\d+) kB", _read_status(), re.MULTILINE)
    if found:
        most = int(found[1]) * 1024 + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


def _read_status() -> str:
    try:
        return Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
