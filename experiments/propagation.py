"""How good propagated labels are, by steps, flow and mode, on drawn clips with exact labels.

    python experiments/propagation.py --out runs/propagation [--clips 24] [--flow dis exact]
    python experiments/propagation.py --out runs/propagation --chart docs/images/propagation.svg

Each clip is eleven frames of `hierseg streets`, of which the sixth is labelled; its labels are
propagated by `propagate_frame` five steps in both directions. `exact` is the flow of the drawing
itself; any word of `hierseg propagate --flow` may stand beside it. For each step (both directions
together) `OUT/propagation.csv` gets, over all clips in one confusion matrix:

- `truth`: mIoU of the propagated labels against the labels of the frame that they stand for;
- `shown`: mIoU of the labels against what the image that they are paired with shows. Joint: the
  labelled frame's classes, moved bilinearly and by the same flows as the image was, the strongest
  of them at each pixel. Labels alone: the real frame, so that it equals `truth`;
- `kept`: share of the labelled pixels that keep a label.

`labels` says whether all were kept, or those that fail the check were taken out. Clips that are in
the file are not measured again. Pixels that either side leaves without a label are not counted.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ending import run_main
from hierseg.checkpoint import open_flow
from hierseg.flow import FlowEstimator, Pair, warp
from hierseg.labels import CITYSCAPES
from hierseg.metrics import ConfusionMatrix
from hierseg.propagation import Rules, propagate_frame
from hierseg.propagation.frames import Frame, MissingFrameError
from hierseg.size import Size
from hierseg.streets import film_street

MATRICES, TABLE = "matrices", "propagation.csv"
FRAMES, LABELLED, STEPS = 11, 5, 5
CLASSES = len(CITYSCAPES.names)
IGNORE, VOID = CITYSCAPES.ignore, 0
COLUMNS = ("flow", "mode", "labels", "step", "clips", "truth", "shown", "kept")
COLORS = {"dis": "#1b6ca8", "exact": "#2a9d5c", "sdcnet": "#d1651a", "raft": "#8a5cc2"}


class Film:
    """A drawn clip, as `propagate_frame` reads it, and as an estimator of its exact flow."""

    name, needs_before = "exact", False

    def __init__(self, seed: int, size: Size) -> None:
        self.frames = list(film_street(seed, size, FRAMES))

    def fingerprint(self) -> str:
        """See ``FlowEstimator``."""
        return "exact"

    def read(self, step: int) -> Frame:
        """The frame so many steps from the labelled one."""
        number = LABELLED + step
        if not 0 <= number < FRAMES:
            raise MissingFrameError(f"frame {number}", step)
        return Frame(f"frame {number}", str(number), self.frames[number].image)

    def estimate(
        self, source: Any, target: Any, before: Any = None, *, where: Pair | None = None
    ) -> Any:
        """See ``FlowEstimator``."""
        assert where is not None
        frame = self.frames[int(where.target)]
        flow = frame.after if int(where.source) > int(where.target) else frame.before
        assert flow is not None
        return flow.flow


class Remembering:
    """An estimator that keeps what it has answered: both modes have the same flows."""

    def __init__(self, estimator: FlowEstimator) -> None:
        self.estimator = estimator
        self.name, self.needs_before = estimator.name, estimator.needs_before
        self.flows: dict[tuple[str, str], Any] = {}

    def fingerprint(self) -> str:
        """See ``FlowEstimator``."""
        return self.estimator.fingerprint()

    def estimate(
        self, source: Any, target: Any, before: Any = None, *, where: Pair | None = None
    ) -> Any:
        """See ``FlowEstimator``."""
        assert where is not None
        key = where.source, where.target
        if key not in self.flows:
            self.flows[key] = self.estimator.estimate(source, target, before, where=where)
        return self.flows[key]


class Measured(NamedTuple):
    """Of one step: which row it is of, its labels, the truth, what the image shows, shares."""

    step: int
    labels: str
    found: Any
    truth: Any
    shown: Any


def measure_clip(film: Film, estimator: Remembering) -> Iterator[Measured]:
    """Labels of all steps of a clip, with and without those that fail the check."""
    raw = film.frames[LABELLED].labels
    start = CITYSCAPES.encode(raw)
    chain = propagate_frame(
        film.read, raw, start == IGNORE, VOID, estimator, Rules(STEPS), lambda said: print(said)
    )
    soft: dict[int, Tensor] = {0: one_hot(start)}
    for made in chain:
        if made.step == 0:
            continue
        way = 1 if made.step > 0 else -1
        source, target = LABELLED + made.step - way, LABELLED + made.step
        flow = torch.from_numpy(estimator.flows[str(source), str(target)].transpose(2, 0, 1)[None])
        soft[made.step] = warp(soft[made.step - way], flow)
        shown = soft[made.step][0].argmax(0).numpy().astype(np.uint8)
        shown[shown == CLASSES] = IGNORE
        truth = CITYSCAPES.encode(film.frames[target].labels)
        for name, ids in (("all", made.all_labels), ("checked", made.labels)):
            yield Measured(abs(made.step), name, CITYSCAPES.encode(ids), truth, shown)


def one_hot(train: Any) -> Tensor:
    """(1, K + 1, H, W) float; the last channel is what has no class."""
    places = torch.from_numpy(np.where(train == IGNORE, CLASSES, train).astype(np.int64))
    return torch.nn.functional.one_hot(places, CLASSES + 1).permute(2, 0, 1)[None].float()


def count(found: Any, truth: Any) -> Any:
    """(K, K) confusion of what both label."""
    both = (found != IGNORE) & (truth != IGNORE)
    pairs = truth[both].astype(np.int64) * CLASSES + found[both]
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def measure(out: Path, asked: list[str], clips: int, size: Size, seed: int) -> None:
    """Measure the clips that have not been measured, and write the table."""
    folder = out / MATRICES
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(clips):
        waiting = [word for word in asked if not _file(folder, word, size, seed + number).exists()]
        if not waiting:
            continue
        film = Film(seed + number, size)
        for word in waiting:
            inner: Any = film if word == "exact" else open_flow(word)
            content: dict[str, Any] = {}
            for one in measure_clip(film, Remembering(inner)):
                key = f"{one.labels}/{one.step}"
                parts = {
                    "truth": count(one.found, one.truth),
                    "shown": count(one.found, one.shown),
                    "kept": np.array([(one.found != IGNORE).sum(), (one.truth != IGNORE).sum()]),
                }
                for name, value in parts.items():
                    content[f"{key}/{name}"] = content.get(f"{key}/{name}", 0) + value
            np.savez_compressed(_file(folder, word, size, seed + number), **content)
        print(f"{number + 1} of {clips} clips", flush=True)
    write_table(out, asked, clips, size, seed)


def _file(folder: Path, word: str, size: Size, seed: int) -> Path:
    return folder / f"{word.replace('/', '_').replace(':', '_')}-{size}-{seed}.npz"


def write_table(out: Path, asked: list[str], clips: int, size: Size, seed: int) -> None:
    """Add the clips up, and write and print the rows."""
    rows = []
    for word in asked:
        found = [np.load(_file(out / MATRICES, word, size, seed + n)) for n in range(clips)]
        for labels in ("all", "checked"):
            for step in range(1, STEPS + 1):
                key = f"{labels}/{step}"
                truth, shown = (
                    score(sum(one[f"{key}/{name}"] for one in found)) for name in ("truth", "shown")
                )
                kept, total = sum(one[f"{key}/kept"] for one in found)
                for mode, agreement in (("joint", shown), ("labels", truth)):
                    figures = (f"{truth:.2f}", f"{agreement:.2f}", f"{100 * kept / total:.1f}")
                    flow = word.partition(":")[0]
                    rows.append((flow, mode, labels, step, clips, *figures))
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def score(matrix: Any) -> float:
    """mIoU in per cent, over the classes that occur."""
    confusion = ConfusionMatrix(CLASSES)
    confusion.matrix += torch.from_numpy(matrix)
    return 100 * confusion.scores(CITYSCAPES.names).miou


def draw_chart(table: Path, path: Path) -> None:
    """Two panels: against the truth of the frame, and against what the paired image shows."""
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["labels"] == "all"]
    values = [float(row[key]) for row in rows for key in ("truth", "shown")]
    low = 10 * int(min(values) / 10)
    panels = [
        _panel(rows, "truth", "mIoU against the labels of the frame", 60, low),
        _panel(rows, "shown", "mIoU against what the paired image shows", 480, low),
    ]
    kinds = list(dict.fromkeys((row["flow"], row["mode"]) for row in rows))
    legend = "".join(
        f'<g transform="translate({60 + 250 * (place // 2)} {338 + 24 * (place % 2)})">'
        f'<line x2="26" stroke="{COLORS[flow]}" stroke-width="2.4" {_dash(mode)}/>'
        f'<text x="33" y="4">{flow}, {"joint" if mode == "joint" else "labels alone"}</text></g>'
        for place, (flow, mode) in enumerate(kinds)
    )
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 384" font-family="sans-serif" '
        'font-size="13"><rect width="880" height="384" fill="#fff"/>'
        + "".join(panels) + legend + "</svg>\n",
        encoding="utf-8",
    )  # fmt: skip


def _dash(mode: str) -> str:
    return "" if mode == "joint" else 'stroke-dasharray="6 4"'


def _panel(rows: list[dict[str, str]], key: str, title: str, left: int, low: int) -> str:
    wide, high, top = 360, 240, 46

    def place(step: float, value: float) -> tuple[float, float]:
        return left + wide * (step - 1) / (STEPS - 1), top + high * (100 - value) / (100 - low)

    parts = [f'<text x="{left}" y="24" font-weight="bold">{title}</text>']
    for value in range(low, 101, 10):
        y = place(1, value)[1]
        parts.append(
            f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{value}</text>'
        )
    for step in range(1, STEPS + 1):
        x = place(step, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{top + high + 20}" text-anchor="middle">{step}</text>')
    for flow, mode in dict.fromkeys((row["flow"], row["mode"]) for row in rows):
        own = [row for row in rows if (row["flow"], row["mode"]) == (flow, mode)]
        points = " ".join(
            "{:.1f},{:.1f}".format(*place(int(r["step"]), float(r[key]))) for r in own
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{COLORS[flow]}" stroke-width="2.4" '
            f"{_dash(mode)}/>"
        )
    parts.append(
        f'<text x="{left + wide / 2}" y="{top + high + 38}" text-anchor="middle" fill="#555">'
        "steps from the labelled frame</text>"
    )
    return "".join(parts)


def main() -> None:
    """Measure, or draw the chart of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--flow", nargs="+", default=["dis", "exact"])
    parser.add_argument("--size", type=Size.parse, default=Size(128, 256))
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--chart", type=Path)
    asked = parser.parse_args()
    if asked.chart is not None:
        draw_chart(asked.out / TABLE, asked.chart)
        return
    torch.set_num_threads(1)
    measure(asked.out, asked.flow, asked.clips, asked.size, asked.seed)


if __name__ == "__main__":
    run_main(main)
