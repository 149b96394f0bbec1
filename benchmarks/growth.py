"""How a folder run grows with the number of its images: the seconds outside of the network.

    python -m benchmarks.growth [--counts 500 1000 2500 5000]

Images of 64x64 with streets-lite0 at scale 1, page and summary included. What grows linearly takes
the same milliseconds an image at every count. One thread runs the network, so that its time and
that of reading and writing, which other threads do, can be told apart by processor seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.folder import write_frames
from hierseg import Predictor, load_model
from hierseg.jobs import RunSettings, run_folder, write_run_page
from hierseg.size import Size


class Watch:
    """Clock and processor seconds that a network's forward passes take; of one thread."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.clock = self.processor = 0.0
        for part in network.children():  # a predictor calls them one by one, at each scale
            part.register_forward_pre_hook(self._begin)
            part.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self._began = time.perf_counter(), time.thread_time()

    def _end(self, *_: object) -> None:
        self.clock += time.perf_counter() - self._began[0]
        self.processor += time.thread_time() - self._began[1]


def measure(frames: list[Path], out: Path) -> tuple[float, float]:
    """Clock and processor seconds outside of the network, of a run over all frames."""
    network = load_model("streets-lite0")
    watch = Watch(network)
    start, used = time.perf_counter(), time.process_time()
    predictor = Predictor(network, scales=(1.0,))
    summary = run_folder(predictor, frames, out, RunSettings(save=("overlay", "labels")))
    write_run_page(summary, predictor.label_space, out)
    assert len(summary.records) == len(frames)
    clock, processor = time.perf_counter() - start, time.process_time() - used
    return clock - watch.clock, processor - watch.processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="*", default=[500, 1000, 2500, 5000])
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames = write_frames(folder / "in", max(options.counts), Size(64, 64))
        measure(frames[:100], folder / "warm")
        for count in options.counts:
            clock, processor = measure(frames[:count], folder / f"out{count}")
            print(
                f"{count} images: outside the network {1000 * clock / count:.2f} ms an image by "
                f"the clock, {1000 * processor / count:.2f} by the processors",
                flush=True,
            )


if __name__ == "__main__":
    main()
