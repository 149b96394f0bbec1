"""From an image file to a label file: what somebody waits for who segments one picture.

    python -m benchmarks.latency [--weights streetlite] [--sizes 360x480 512x1024 720x960]
        [--images 15] [--threads 2] [--scales 0.5 1 2]

For each size: JPEGs of Miniature Streets are read, segmented at the checkpoint's scales and written
as label maps, one after the other, in a warm process. Beside the median by the clock stand the
network's own median on the same pixels, in turns with it, their ratio, which hardly depends on the
machine, and the processor seconds of both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks._ending import run_main
from benchmarks.folder import Spent, spent_since, write_frames
from hierseg.checkpoint import load_model
from hierseg.engines import keep_freed_memory
from hierseg.inference import Predictor
from hierseg.media import read_image, write_picture
from hierseg.size import Size

WARM = 2  # files before the clock starts


def time_file(predictor: Predictor, path: Path, out: Path) -> Spent:
    """Read, segment and write one file."""
    start = time.perf_counter(), time.process_time()
    written = write_picture(out / f"{path.stem}_labels.png", predictor(path).labels)
    spent = spent_since(*start)
    assert written.is_file()
    return spent


@torch.inference_mode()
def time_network(predictor: Predictor, path: Path) -> Spent:
    """The forward pass over the same pixels alone."""
    image = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None]
    start = time.perf_counter(), time.process_time()
    predictor.network(image, scales=predictor.scales)
    return spent_since(*start)


def measure(predictor: Predictor, size: Size, images: int, folder: Path) -> None:
    """Print a line of the table."""
    paths = write_frames(folder / str(size), images + WARM, size)
    whole, network = [], []
    for path in paths:
        whole.append(time_file(predictor, path, folder))
        network.append(time_network(predictor, path))
    clock, processor = (
        [statistics.median(spent[i] for spent in side[WARM:]) for side in (whole, network)]
        for i in range(2)
    )
    print(
        f"| {size} | {clock[0]:.3f} | {clock[1]:.3f} | {clock[0] / clock[1]:.2f} | "
        f"{processor[0]:.3f} | {processor[1]:.3f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--sizes", nargs="+", default=["360x480", "512x1024", "720x960"])
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scales", type=float, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    predictor = Predictor(load_model(options.weights), options.scales, long_edge=None)
    scales = " ".join(f"{s:g}" for s in predictor.scales)
    print(f"seconds an image, median of {options.images}, {options.threads} threads, at {scales}\n")
    print("| size | file to file | network | ratio | file to file, CPU | network, CPU |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for size in options.sizes:
            measure(predictor, Size.parse(size), options.images, Path(temporary))


if __name__ == "__main__":
    run_main(main)
