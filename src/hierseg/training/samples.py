"""The samples of an epoch as pictures, before normalisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hierseg import assembly as build
from hierseg.config import Experiment
from hierseg.data import Draw, TrainingSamples
from hierseg.files import FolderLock, remove_leftovers, shorten_name
from hierseg.jobs import LEGEND, write_legend
from hierseg.labels import LabelSpace
from hierseg.media import Picture, render_color, write_picture
from hierseg.ownership import FileRecord
from hierseg.recipes import settle_experiment
from hierseg.training.indexing import index_sources
from hierseg.training.loading import EpochBatches, build_sampler

STRIPE = 8
"""Pixels of a stripe of the pattern that stands for ignored labels."""
GAP = 4
ROW = 22
PAPER = 255
FONT, FONT_SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


def write_samples(
    experiment: Experiment,
    out: Path,
    count: int,
    epoch: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``eNNN-PPPPP-NAME.png``, named by epoch and position in it, and ``legend.json``.

    The samples are those of the run itself, to the last pixel: drawn by the same sampler,
    changed by the same transform, from the same seed.

    Args:
        experiment: The experiment of the run; no network is built.
        out: The folder; created if it does not exist.
        count: Write at most the first ``count`` samples of the epoch.
        epoch: The epoch, counted from 0.
        on_progress: Called with (samples done, samples in all).
        overwrite: Replace files that hierseg did not write.

    Returns:
        The pictures, in the epoch's order.

    Raises:
        UsageError: Settings exclude each other, or files with the samples' names exist that hierseg
            did not write.
        UserError: The data cannot be read, or another run is writing to ``out``.
    """
    experiment = settle_experiment(experiment)
    # A run folder is no matter here; a run would ask for one.
    runtime = dataclasses.replace(experiment.runtime, out=out)
    build.check_experiment(dataclasses.replace(experiment, runtime=runtime))
    data = build.build_datasets(experiment)
    centroids = index_sources(experiment.data, data)
    space = data.train.label_space
    transform = build.build_transform(experiment, space)
    samples = TrainingSamples(data.train, transform, runtime.seed, data.further)
    batches = EpochBatches(build_sampler(experiment, data, centroids), experiment.data.batch)
    batches.start(epoch)
    draws = [draw for batch in batches for draw in batch][:count]
    with FolderLock(out):
        remove_leftovers(out)
        written = FileRecord(out, "samples")
        names = [_name(samples, draw) for draw in draws]
        written.require([LEGEND, *names], "--out", overwrite)
        written.add(LEGEND, *names)
        write_legend(space, out)
        paths = []
        for done, (draw, name) in enumerate(zip(draws, names, strict=True), start=1):
            paths.append(_write(samples, draw, space, out / name))
            if on_progress is not None:
                on_progress(done, len(draws))
    return paths


def _name(samples: TrainingSamples, draw: Draw) -> str:
    sample = samples.sources[draw.source].samples[draw.index]
    name = f"e{draw.epoch + 1:03}-{draw.position:05}-{sample.name.replace('/', '_')}"
    return f"{shorten_name(name)}.png"


def _write(samples: TrainingSamples, draw: Draw, space: LabelSpace, path: Path) -> Path:
    item = samples[draw]
    image = np.ascontiguousarray(item["image"].permute(1, 2, 0).numpy())
    picture = render_sample(image, item["labels"].numpy().astype(np.uint8), space)
    return write_picture(path, picture)


def render_sample(image: Picture, labels: npt.NDArray[np.uint8], space: LabelSpace) -> Picture:
    """Image and labels side by side, and below them a legend of the classes that occur.

    Args:
        image: (h, w, 3) uint8 RGB.
        labels: (h, w) train ids; ignored pixels are shown as grey stripes.
        space: Names and colours of the classes.

    Returns:
        (h + height of the legend, 2 w + a gap, 3) uint8 RGB.
    """
    colors = render_color(labels, space)
    ignored = labels == space.ignore
    rows, columns = np.indices(labels.shape)
    stripes = np.where((rows + columns) // STRIPE % 2, 110, 190).astype(np.uint8)
    colors[ignored] = stripes[ignored][:, None]
    gap = np.full((len(image), GAP, 3), PAPER, np.uint8)
    pair = np.concatenate([image, gap, colors], axis=1)
    there = np.bincount(labels.ravel(), minlength=256)
    entries = [
        (f"{name} {100 * there[train] / labels.size:.1f}%", color)
        for train, (name, color) in enumerate(zip(space.names, space.colors, strict=True))
        if there[train]
    ]
    if ignored.any():
        entries.append((f"ignored {100 * ignored.mean():.1f}%", (150, 150, 150)))
    return np.concatenate([pair, _draw_legend(entries, pair.shape[1])])


def _draw_legend(entries: list[tuple[str, tuple[int, int, int]]], width: int) -> Picture:
    """(h, width, 3): swatches and texts, wrapped."""
    places, x, y = [], GAP, 0
    for text, color in entries:
        wide = cv2.getTextSize(text, FONT, FONT_SIZE, 1)[0][0] + 2 * ROW
        if x + wide > width and x > GAP:
            x, y = GAP, y + ROW
        places.append((x, y, text, color))
        x += wide
    legend = np.full((y + ROW, width, 3), PAPER, np.uint8)
    for x, y, text, color in places:
        legend[y + 5 : y + ROW - 5, x : x + ROW - 8] = color
        cv2.putText(
            legend, text, (x + ROW - 2, y + ROW - 7), FONT, FONT_SIZE, (0, 0, 0), 1, cv2.LINE_AA
        )
    return legend
