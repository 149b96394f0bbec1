"""A folder run against the engine's own time: what reading, deciding and writing add to it.

    python -m benchmarks.folder [--images 200] [--size 360x480] [--weights FILE|NAME] [--batch 1]
        [--engine auto] [--precision PRECISION] [--workers 2] [--save overlay labels]

Both sides run in one process, in turns, by the same engine, over the same frames of Miniature
Streets. The engine's own time is that of its runs over frames that are in memory; the folder run
reads JPEGs, decides, and writes overlays, label maps, the pictures of the page, the page and the
summary. The goal is a ratio of at most 1.1; the median of the turns counts, as an engine's own time
changes by half within a minute on a machine that others share. Without packaged weights a network
of random ones is measured: the time is the same, the outlines of its overlays are more.

Beside the clock stand the processor seconds of both sides, of all threads: on a machine with other
jobs the clock measures those as well.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from benchmarks._ending import run_main
from benchmarks._predictors import add_engine_flags, name_engine, open_predictor, save_random
from hierseg import Predictor, UserError, load_model
from hierseg.checkpoint import find_weights
from hierseg.engines import keep_freed_memory
from hierseg.jobs import RunSettings, run_folder, write_run_page
from hierseg.models import SegmentationNetwork
from hierseg.size import Size
from hierseg.streets import draw_street

DISTINCT = 8  # scenes that are drawn; each file is another cut of one


def write_frames(folder: Path, count: int, size: Size) -> list[Path]:
    """JPEG frames in a folder."""
    scenes = [draw_street(seed, size)[0] for seed in range(DISTINCT)]
    folder.mkdir()
    paths = [folder / f"frame{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        shifted = np.roll(scenes[number % DISTINCT], 7 * number, axis=1)
        cv2.imwrite(str(path), cv2.cvtColor(shifted, cv2.COLOR_RGB2BGR))
    return paths


def load_network(weights: str | None, folder: Path) -> SegmentationNetwork:
    """The weights named, or the packaged ones, or where there are none random ones."""
    try:
        network = load_model(weights or find_weights())
    except UserError:
        if weights is not None:
            raise
        network = load_model(save_random("lite0-ocr-hier", folder))
        print("no packaged weights here: lite0-ocr-hier with random ones")
    return network.eval()


class Spent(NamedTuple):
    """Seconds by the clock, and by the processors."""

    clock: float
    processor: float


def spent_since(clock: float, processor: float) -> Spent:
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


@torch.inference_mode()
def time_engine(predictor: Predictor, frames: list[Path], batch: int) -> Spent:
    """What the engine takes for all frames, which are read before."""
    images = [torch.from_numpy(cv2.imread(str(path))).permute(2, 0, 1) for path in frames]
    stacks = [torch.stack(images[i : i + batch]) for i in range(0, len(images), batch)]
    start = time.perf_counter(), time.process_time()
    for stack in stacks:
        predictor.segmenter.run_tensor(stack)
    return spent_since(*start)


def time_folder(
    predictor: Predictor, frames: list[Path], settings: RunSettings, out: Path
) -> Spent:
    """What the whole run over the same frames takes."""
    start = time.perf_counter(), time.process_time()
    summary = run_folder(predictor, frames, out, settings)
    write_run_page(summary, predictor.label_space, out)
    spent = spent_since(*start)
    assert len(summary.records) == len(frames)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", default="360x480")
    parser.add_argument("--weights")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", nargs="+", default=["overlay", "labels"])
    add_engine_flags(parser, "auto")
    options = parser.parse_args()
    keep_freed_memory()
    settings = RunSettings(tuple(options.save), batch=options.batch, workers=options.workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames = write_frames(folder / "in", options.images, Size.parse(options.size))
        network = load_network(options.weights, folder)
        predictor = open_predictor(network, options.engine, options.precision)
        for _ in range(2):  # warm; an engine that chooses for itself does so with the second
            time_engine(predictor, frames[: 2 * options.batch], options.batch)
        print(f"{name_engine(predictor)}, {torch.get_num_threads()} threads")
        sides = []
        for turn in range(options.repeats):
            own = time_engine(predictor, frames, options.batch)
            whole = time_folder(predictor, frames, settings, folder / f"out{turn}")
            sides.append((own, whole))
            print(
                f"{len(frames)} frames of {options.size}: engine {own.clock:.2f} s, folder run "
                f"{whole.clock:.2f} s, ratio {whole.clock / own.clock:.3f} by the clock, "
                f"{whole.processor / own.processor:.3f} by the processors",
                flush=True,
            )
    for index, name in enumerate(Spent._fields):
        ratios = [whole[index] / own[index] for own, whole in sides]
        engine = min(own[index] for own, _ in sides) / len(frames) * 1000
        print(
            f"by the {name}: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to "
            f"{max(ratios):.3f} ({engine:.1f} ms an image for the engine at best)"
        )


if __name__ == "__main__":
    run_main(main)
