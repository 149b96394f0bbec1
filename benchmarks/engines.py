"""The engine that is chosen against eager float32 without channels last, with the labels of both.

    python -m benchmarks.engines [--model hrnet48-ocr-hier] [--size 512x1024] [--scales 0.5 1 2]
        [--weights streetlite] [--file-size 360x480] [--rounds 5] [--engine auto]

First the network from pixels to labels, then the packaged weights from image file to label file.
Both sides run in one process, in turns; medians, and their ratio. Goals: 2.4 times as fast for
the network, with 99.5 % of the labels equal, and 2.5 times for the file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks._ending import run_main
from benchmarks._predictors import (
    add_engine_flags,
    load_plain,
    name_engine,
    open_predictor,
    save_random,
)
from benchmarks.folder import write_frames
from hierseg import Predictor, load_model
from hierseg.engines import keep_freed_memory
from hierseg.media import write_picture
from hierseg.size import Size
from hierseg.streets import draw_street

Labels = npt.NDArray[np.uint8]
Run = Callable[[Predictor], Labels]


def compare(what: str, run: Run, plain: Predictor, chosen: Predictor, rounds: int) -> None:
    """Print the medians of both sides, which take turns, their ratio, and the share of equal
    labels.
    """
    expected = run(plain)
    for _ in range(2):  # warm; an engine that chooses for itself does so with the second
        found = run(chosen)
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        seconds = []
        for predictor in (plain, chosen):
            start = time.perf_counter()
            run(predictor)
            seconds.append(time.perf_counter() - start)
        taken.append((seconds[0], seconds[1]))
    slow, fast = (statistics.median(side) for side in zip(*taken, strict=True))
    equal = float((expected == found).mean())
    print(
        f"{what}: eager float32 {slow:.3f} s, {name_engine(chosen)} {fast:.3f} s, "
        f"{slow / fast:.2f} times as fast, {100 * equal:.2f} % of the labels equal",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hrnet48-ocr-hier")
    parser.add_argument("--size", default="512x1024")
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument("--weights", default="streetlite")
    parser.add_argument("--file-size", default="360x480")
    parser.add_argument("--rounds", type=int, default=5)
    add_engine_flags(parser, "auto")
    options = parser.parse_args()
    keep_freed_memory()
    print(f"{torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        saved = save_random(options.model, folder)
        sides = [
            open_predictor(load_plain(saved), scales=options.scales),
            open_predictor(load_model(saved), options.engine, options.precision, options.scales),
        ]
        image, _ = draw_street(0, Size.parse(options.size))
        what = f"{options.model} {options.size}, pixels to labels"
        compare(what, lambda predictor: predictor(image).labels, *sides, options.rounds)
        del sides
        (path,) = write_frames(folder / "in", 1, Size.parse(options.file_size))

        def segment_file(predictor: Predictor) -> Labels:
            labels = predictor(path).labels
            write_picture(folder / "labels.png", labels)
            return labels

        plain = open_predictor(load_plain(options.weights))
        chosen = open_predictor(load_model(options.weights), options.engine, options.precision)
        what = f"{options.weights} {options.file_size}, file to label file"
        compare(what, segment_file, plain, chosen, 3 * options.rounds)


if __name__ == "__main__":
    run_main(main)
