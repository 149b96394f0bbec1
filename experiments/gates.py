"""What gated scales cost and give: mIoU, boundary IoU and time, by gate and share of tiles.

    python experiments/gates.py CAMVID --out runs/gates [--weights W] [--every 3]
    python experiments/gates.py CAMVID --out runs/gates --time
    python experiments/gates.py --out runs/gates --chart docs/images/gates.svg

The first measures on CamVid val, `--every`-th frame, at 0.5 1 2. `OUT/cache` keeps what the
network gave for each frame and tile, so that another gate, a learned one of other weights say,
costs little; frames that are measured by a gate are not measured by it again. Two kinds of rows
come out, in `OUT/gates.csv`:

- `kind` labels: each 60-pixel tile's labels are those of (0.5, 1) or those of (0.5, 1, 2), both run
  whole. It compares gates with nothing else in the way.
- `kind` run: what `--budget` runs, tiles with halo and the region vectors of the whole image.

`oracle` values a tile by its labels: pixels that 2.0x corrects less those that it spoils. The
second command times each engine with and without a gate, at 360x480 and at 720x960 (the frames
enlarged), alternating, and writes `OUT/gates-time.csv`. The third draws the curves of both files.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ending import run_main
from gates_chart import draw_chart
from hierseg.checkpoint.load import load_model
from hierseg.data.catalog import open_dataset
from hierseg.engines.gated import GatedRun, draw_values, value_tiles
from hierseg.engines.gated_tiles import lay_tiles
from hierseg.engines.opening import open_engine
from hierseg.metrics.bands import band_width, count_bands
from hierseg.metrics.confusion import ConfusionMatrix
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import ScaleOutput
from hierseg.options import RunOptions
from hierseg.size import Size

CSV, TIMES = "gates.csv", "gates-time.csv"
SCALES = (0.5, 1.0, 2.0)
GATES = ("learned", "disagreement", "product", "entropy", "weight", "random", "oracle")
SHARES = (0.1, 0.2, 0.3, 0.35, 0.5)
SIDE = 60  # pixels of a tile whose labels are taken from one answer or the other
REPEATS = 5
BUDGETS = (None, 0.43, 0.61, 0.79)
ENGINES: Mapping[str, tuple[Any, Any]] = {
    "modules": (None, None),
    "torch float32": ("torch", "float32"),
    "openvino float32": ("openvino", "float32"),
    "openvino bf16": ("openvino", "bf16"),
}

Counts = npt.NDArray[np.int64]


class Memory:
    """Runs a scale, or answers with what it gave for the same pixels before; kept in a file."""

    def __init__(self, network: SegmentationNetwork, path: Path) -> None:
        self.network, self.path = network, path
        kept = torch.load(path) if path.is_file() else {}
        self.known = {key: ScaleOutput(*values) for key, values in kept.items()}
        self.is_new = False

    def __call__(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """As ``ScaleRunner.run_scale``."""
        key = zlib.crc32(image.contiguous().numpy().tobytes(), int(regions is not None))
        if key not in self.known:
            found = self.network.forward_scale(image, regions, attention=attention)
            if regions is not None or not attention:
                found = found._replace(features=None, regions=None)
            self.known[key] = found._replace(auxiliary=None)
            self.is_new = True
        return self.known[key]

    def save(self) -> None:
        """Write what was added."""
        if self.is_new:
            torch.save({key: tuple(output) for key, output in self.known.items()}, self.path)


class Frame:
    """One frame's answers and what each gate says of its tiles."""

    def __init__(self, record: Any, network: SegmentationNetwork, memory: Memory) -> None:
        self.labels: npt.NDArray[np.uint8] = record.labels
        self.network = network
        images = torch.from_numpy(np.ascontiguousarray(record.image)).permute(2, 0, 1)[None]
        self.images = images
        self.run = GatedRun(network, images, SCALES, memory)
        self.without = self._label(torch.zeros(1, self.run.layout.count, dtype=torch.bool))
        self.full = (
            network.run_scales(images, SCALES, False, memory)
            .logits.argmax(1)[0]
            .numpy()
            .astype(np.uint8)
        )
        every = torch.ones(1, self.run.layout.count, dtype=torch.bool)
        every[0, -1] = False  # of all, the whole would be run
        tiled = self._label(every)
        row, column = self.run.layout.spans(self.run.layout.count - 1)
        tiled[row.low // 2 :, column.low // 2 :] = self.full[row.low // 2 :, column.low // 2 :]
        self.tiled = tiled

    def _label(self, chosen: Tensor) -> npt.NDArray[np.uint8]:
        return self.run.complete(chosen).finish().logits.argmax(1)[0].numpy().astype(np.uint8)

    def gain(self, other: npt.NDArray[np.uint8]) -> Tensor:
        """(1, 1, H, W): 1 where another answer corrects that of the smaller scales, -1 where it
        spoils it.
        """
        gain = (other == self.labels).astype(np.float32) - (self.without == self.labels)
        return torch.from_numpy(gain)[None, None]

    def values(self, gate: str, pooled: bool) -> Tensor:
        """(N,) values of the engine's tiles, or of those of ``SIDE`` where ``pooled``."""
        height, width = self.labels.shape
        grid = (height // SIDE, width // SIDE)
        if gate == "random":
            drawn = draw_values(self.images, self.run.layout)[0]
            if not pooled:
                return drawn
            seed = zlib.crc32(self.images.numpy().tobytes())
            return torch.rand(grid, generator=torch.Generator().manual_seed(seed)).flatten()
        if gate == "oracle":
            if not pooled:
                return self.run.layout.average(self.gain(self.tiled))[0]
            return F.adaptive_avg_pool2d(self.gain(self.full), grid).flatten()
        own = self.network.gate
        if not pooled:
            return value_tiles(self.run.layout, self.run.evidence, gate, own)[0]
        whole = _WholeMap()
        return F.adaptive_avg_pool2d(
            value_tiles(whole, self.run.evidence, gate, own),
            grid,  # type: ignore[arg-type]
        ).flatten()

    def mix(self, values: Tensor, share: float) -> npt.NDArray[np.uint8]:
        """Labels of the full answer on the best tiles of ``SIDE``, else of the smaller scales."""
        height, width = self.labels.shape
        best = values.argsort(descending=True, stable=True)[: round(share * len(values))]
        chosen = np.zeros(len(values), bool)
        chosen[best.numpy()] = True
        mask = np.kron(chosen.reshape(height // SIDE, width // SIDE), np.ones((SIDE, SIDE), bool))
        return np.where(mask, self.full, self.without)

    def gate(self, values: Tensor, share: float) -> npt.NDArray[np.uint8]:
        """Labels of a run whose largest scale has the best tiles."""
        best = values.argsort(descending=True, stable=True)[: round(share * len(values))]
        chosen = torch.zeros(1, len(values), dtype=torch.bool)
        chosen[0, best] = True
        return self._label(chosen)


class _WholeMap:
    """A layout that leaves a gate's map as it is."""

    def average(self, values: Tensor) -> Tensor:
        return values


def count(labels: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], classes: int) -> Counts:
    """(K + 2, K): the confusion matrix, then intersections and unions of the bands."""
    matrix = ConfusionMatrix(classes)
    matrix.update(torch.from_numpy(labels), torch.from_numpy(truth))
    left_out = truth == 255
    predicted, true = np.where(left_out, classes, labels), np.where(left_out, classes, truth)
    bands = count_bands(
        predicted.astype(np.uint8), true.astype(np.uint8), classes, band_width(*truth.shape)
    )
    return np.concatenate([matrix.matrix.numpy(), bands.both[None], bands.either[None]])


@torch.inference_mode()
def measure(camvid: Path, out: Path, weights: str, every: int) -> None:
    """Measure every frame by every gate that it lacks, and write the table."""
    network = load_model(weights)
    dataset = open_dataset("camvid", camvid, "val")
    gates = [gate for gate in GATES if gate != "learned" or network.gate is not None]
    for part in ("cache", "frames"):
        (out / part).mkdir(parents=True, exist_ok=True)
    totals: dict[str, Counts] = {}
    begun = time.monotonic()
    for index in range(0, len(dataset), every):
        name = dataset.samples[index].name.replace("/", "_")
        path = out / "frames" / f"{name}.npz"
        found = dict(np.load(path)) if path.is_file() else {}
        missing = [gate for gate in gates if f"run {gate} {SHARES[0]}" not in found]
        if missing:
            memory = Memory(network, out / "cache" / f"{name}.pt")
            found |= measure_frame(Frame(dataset.read(index), network, memory), missing)
            memory.save()
            np.savez(path, **found)
            print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        for key, counts in found.items():
            totals[key] = totals.get(key, 0) + counts
    write_table(out / CSV, totals, costs())


def measure_frame(frame: Frame, gates: list[str]) -> dict[str, Counts]:
    """``KIND GATE SHARE`` -> counts of one frame."""
    classes = frame.network.num_classes

    def counted(labels: npt.NDArray[np.uint8]) -> Counts:
        return count(labels, frame.labels, classes)

    found = {"run none 0": counted(frame.without), "run full 1": counted(frame.full)}
    found["run tiles 1"] = counted(frame.tiled)
    for gate in gates:
        tiles, pooled = frame.values(gate, False), frame.values(gate, True)
        done: dict[int, Counts] = {}
        for share in SHARES:
            number = round(share * len(tiles))
            if number not in done:
                done[number] = counted(frame.gate(tiles, share))
            found[f"run {gate} {share}"] = done[number]
            found[f"labels {gate} {share}"] = counted(frame.mix(pooled, share))
    return found


def costs() -> dict[str, float]:
    """Share of tiles -> work of a run at 360x480 over that of all scales whole."""
    layout = lay_tiles(Size(720, 960), (4, 8, 16, 32))
    return {
        str(share): (1.25 + 4 * round(share * layout.count) * layout.cost) / 5.25
        for share in (*SHARES, 1)
    }


def write_table(path: Path, totals: Mapping[str, Counts], work: Mapping[str, float]) -> None:
    """The csv, a row for each kind, gate and share."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "gate", "tiles", "work", "miou", "boundary_iou"])
        for key, counts in sorted(totals.items()):
            kind, gate, share = key.split()
            matrix, both, either = counts[:-2], counts[-2], counts[-1]
            hits = np.diag(matrix)
            union = matrix.sum(0) + matrix.sum(1) - hits
            miou = np.mean(hits[union > 0] / union[union > 0])
            boundary = np.mean(both[either > 0] / either[either > 0])
            cost = {"none": 1.25 / 5.25, "full": 1.0}.get(gate, work.get(share, 0))
            shown = f"{cost:.4f}" if kind == "run" else ""
            writer.writerow([kind, gate, share, shown, f"{miou:.6f}", f"{boundary:.6f}"])


def measure_time(camvid: Path, out: Path, weights: str) -> None:
    """Alternate runs of each engine without a gate and with several budgets; medians, and their
    ratios to the same engine's without a gate, and to the modules as they are without a gate.
    """
    network = load_model(weights)
    engines = {
        name: open_engine(network, RunOptions(engine=engine, precision=precision))
        for name, (engine, precision) in ENGINES.items()
    }
    record = open_dataset("camvid", camvid, "val").read(0)
    frame = torch.from_numpy(np.ascontiguousarray(record.image)).permute(2, 0, 1)[None]
    rows: list[list[object]] = []
    for factor in (1, 2):
        images = frame
        if factor == 2:
            images = F.interpolate(frame.float(), scale_factor=2, mode="bicubic")
            images = images.clamp(0, 255).byte()
        kinds = [(name, budget) for name in engines for budget in BUDGETS]
        taken: dict[tuple[str, float | None], list[tuple[float, float]]] = {k: [] for k in kinds}
        for _ in range(REPEATS + 1):
            for name, budget in kinds:
                begun, worked = time.perf_counter(), time.process_time()
                engines[name].run(images, RunOptions(scales=SCALES, budget=budget))
                spent = (time.perf_counter() - begun, time.process_time() - worked)
                taken[name, budget].append(spent)
        size = "x".join(map(str, images.shape[-2:]))
        medians = {kind: _take_medians(spent) for kind, spent in taken.items()}
        for name, budget in kinds:
            wall, work = medians[name, budget]
            own, plain = medians[name, None], medians["modules", None]
            ratios = [own[0] / wall, own[1] / work, plain[0] / wall]
            shown = [f"{ratio:.2f}" for ratio in ratios]
            rows.append([size, name, budget or 1, f"{1000 * wall:.0f}", f"{1000 * work:.0f}"])
            rows[-1] += shown
            print(*rows[-1], flush=True)
    head = ["size", "engine", "budget", "ms", "cpu_ms", "times_as_fast", "times_as_fast_by_cpu"]
    with (out / TIMES).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*head, "times_the_modules"], *rows])


def _take_medians(taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Of wall-clock and of processor time, the first run left out."""
    walls, works = zip(*taken[1:], strict=True)
    return statistics.median(walls), statistics.median(works)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("camvid", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", default="streetlite")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--chart", type=Path)
    asked = parser.parse_args()
    if asked.chart is not None:
        draw_chart(asked.out / CSV, asked.chart)
    elif asked.time:
        measure_time(asked.camvid, asked.out, asked.weights)
    else:
        measure(asked.camvid, asked.out, asked.weights, asked.every)


if __name__ == "__main__":
    run_main(main)
