"""What an image needs of memory: measured, looked for, and what is done where it is not there."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hierseg.checkpoint.load import load_model
from hierseg.engines import memory
from hierseg.engines.memory import read_taken_memory
from hierseg.errors import UserError
from hierseg.inference import footprint as footprint_module
from hierseg.inference.footprint import BANDS, CONSTANT, KEPT, KERNELS, OWN, Footprint
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.pipeline import Pipeline, Reading
from hierseg.labels import LabelSpace
from hierseg.models.registry import create_model
from hierseg.options import RunOptions
from hierseg.size import Size

Pixels = npt.NDArray[np.uint8]
RATE = 1000.0


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Bytes that are free, for a test to set; a pixel takes a thousand."""
    there = {"bytes": 1e12}
    monkeypatch.setattr(memory, "read_free_memory", lambda _: there["bytes"])
    monkeypatch.setattr(Footprint, "per_pixel", lambda *_: RATE)
    return there


def _need(height: int, width: int, edge: int) -> float:
    run = (height * edge // max(height, width)) * (width * edge // max(height, width))
    resized = 3 * run if edge != max(height, width) else 0
    return KERNELS * RATE * run + resized + OWN * height * width + CONSTANT


def test_what_fits_is_run_as_it_was_to_be(predictor: Predictor, free: dict[str, float]) -> None:
    fit = Footprint(predictor).fit(1000, 1200, 4)
    assert (fit.together, fit.long_edge, fit.tight) == (4, 1200, False)
    need = _need(1000, 1200, 1200)
    free["bytes"] = 2.5 * need
    fit = Footprint(predictor).fit(1000, 1200, 4)
    assert (fit.together, fit.long_edge, fit.tight) == (2, 1200, True)
    free["bytes"] = need * KEPT * 1.01
    assert Footprint(predictor).fit(1000, 1200, 1).tight is False
    free["bytes"] = need * 1.01
    fit = Footprint(predictor).fit(1000, 1200, 1)
    assert (fit.together, fit.tight) == (1, True)


def test_what_does_not_fit_is_run_at_the_longest_edge_that_does(
    predictor: Predictor, free: dict[str, float]
) -> None:
    free["bytes"] = _need(3000, 4000, 4000) / 10
    fit = Footprint(predictor).fit(3000, 4000, 1)
    assert fit.together == 0
    assert fit.long_edge % 32 == 0
    assert _need(3000, 4000, fit.long_edge) <= free["bytes"]
    assert _need(3000, 4000, fit.long_edge + 32) > free["bytes"]
    assert fit.describe(3000, 4000) == (
        "3000x4000 pixels need about 14.0 GB of memory, and 1.4 GB are free"
    )
    free["bytes"] = OWN * 12e6 + CONSTANT  # nothing is left for the network
    assert Footprint(predictor).fit(3000, 4000, 1).long_edge == 0
    # The shorter side of a panorama would be under what a network takes.
    free["bytes"] = _need(100, 10000, 2000)
    assert Footprint(predictor).fit(100, 10000, 1).long_edge == 0


def test_nothing_is_measured_where_it_does_not_matter(network: Any, space: LabelSpace) -> None:
    Footprint(Predictor(network, label_space=space)).fit(40, 60, 2)
    assert network.calls == []


def test_bytes_a_pixel_are_counted_on_a_small_image() -> None:
    """1,030 measured as VmHWM of a process that keeps nothing of what it frees."""
    small = Size(128, 128)
    assert 900 < Footprint(Predictor(load_model(), long_edge=None)).per_pixel(small) < 1030
    one_scale = Footprint(Predictor(load_model(), (1.0,), long_edge=None)).per_pixel(small)
    assert 200 < one_scale < 320


def test_the_bands_of_large_images_are_counted_without_numbers(
    space: LabelSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the head is computed in bands, a pixel takes less."""
    monkeypatch.setattr(footprint_module, "LARGE", 256)
    monkeypatch.setattr("hierseg.models.ocr.BAND_BYTES", 2**20)
    network = create_model("hrnet18s-ocr-hier", space.num_classes)
    footprint = Footprint(Predictor(network, (1.0,), label_space=space))
    small, large = (footprint.per_pixel(Size(side, side)) for side in (128, 2048))
    assert 0.4 * small < large < 0.9 * small


class _Seen:
    def __init__(self, network: Any) -> None:
        self.network = network
        self.done: list[tuple[str, tuple[int, ...]]] = []
        self.skipped: dict[str, str] = {}
        self.divided: dict[str, tuple[str, str]] = {}

    def write(
        self, item: str, prediction: Prediction | None, seconds: float
    ) -> tuple[str, tuple[int, ...]]:
        assert prediction is not None
        return item, prediction.labels.shape

    def skip(self, item: str, reason: str) -> None:
        self.skipped[item] = reason

    def divide(self, item: str, how: str, reason: str) -> None:
        assert item not in [name for name, _ in self.done]  # before it is run
        self.divided[item] = (how, reason)


def _run(predictor: Predictor, names: str, batch: int = 1, divide: bool = True) -> _Seen:
    seen = _Seen(predictor.network)
    pixels = np.full((600, 800, 3), 9, np.uint8)
    Pipeline(
        predictor, batch, seen.write, seen.done.append, seen.skip, seen.divide if divide else None
    ).run(Reading(name, pixels) for name in names)
    return seen


def _fits_windows_of(side: int) -> float:
    """Bytes for a part of a 600x800 image that two windows of a size see, and for bands."""
    bands = BANDS * 4 * 3 * 600 * 800
    return KERNELS * (2 * RATE * side**2 + bands) + OWN * 600 * 800 + CONSTANT + 1e6


def test_an_image_that_does_not_fit_is_run_by_windows_and_said(
    predictor: Predictor, free: dict[str, float]
) -> None:
    free["bytes"] = _fits_windows_of(256)
    seen = _run(predictor, "ab")
    assert seen.done == [("a", (600, 800)), ("b", (600, 800))]
    shapes = [shape for shape, _, _ in seen.network.calls]
    assert set(shapes) == {(1, 3, 256, 384), (1, 3, 256, 256)}
    assert shapes.count((1, 3, 256, 384)) == 1  # of one size it is compared once
    how, reason = seen.divided["a"]
    assert how == (
        "windows 256x256 overlapping by 0.5 (on a part of 256x384, 100.00 % of the labels are the "
        "whole's)"
    )
    assert "600x800 pixels need about 0.7 GB" in reason
    assert seen.divided["b"] == seen.divided["a"]


def test_windows_and_the_part_that_is_run_whole_fit(
    predictor: Predictor, free: dict[str, float]
) -> None:
    footprint = Footprint(predictor)
    free["bytes"] = 9e9
    fit = footprint.fit(4000, 3000, 1)
    assert fit.windows is not None
    assert fit.windows.size == Size(1792, 1792)
    assert fit.windows.overlap == 128 / 1792
    assert 2 * KERNELS * RATE * 1792**2 < free["bytes"] < 2 * KERNELS * RATE * 2048**2 + 1e9
    free["bytes"] = 2e8  # not even the smallest
    assert footprint.fit(4000, 3000, 1).windows is None


def test_windows_that_are_asked_for_become_smaller(
    network: Any, space: LabelSpace, free: dict[str, float]
) -> None:
    options = RunOptions(mode="slide", window=Size(320, 400))
    predictor = Predictor(network, label_space=space, options=options)
    free["bytes"] = _fits_windows_of(300)
    assert Footprint(predictor).fit(600, 800, 1).together == 1
    free["bytes"] = _fits_windows_of(200)
    windows = Footprint(predictor).fit(600, 800, 1).windows
    assert windows is not None
    assert windows.size == Size(192, 192)


def test_the_options_limit_what_is_taken(network: Any, space: LabelSpace, free: Any) -> None:
    taken = read_taken_memory()
    assert 1e8 < taken < 1e11
    need = _need(600, 800, 800)
    for limit, fits in ((taken + 3 * need, True), (taken + need / 2, False), ("1T", True)):
        given = limit if isinstance(limit, str) else int(limit)
        predictor = Predictor(network, label_space=space, options=RunOptions(memory=given))
        assert (Footprint(predictor).fit(600, 800, 1).together == 1) is fits


def test_images_of_one_size_go_on_by_the_same_windows(
    predictor: Predictor, free: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames of a clip would flicker, as free memory comes and goes."""
    left = iter([_fits_windows_of(256)] * 2 + [1e12] * 9)
    monkeypatch.setattr(memory, "read_free_memory", lambda _: next(left))
    seen = _run(predictor, "abc")
    assert {how[:15] for how, _ in seen.divided.values()} == {"windows 256x256"}
    assert list(seen.divided) == ["a", "b", "c"]


def test_what_would_be_too_small_to_be_of_use_is_skipped_with_the_cure(
    predictor: Predictor, free: dict[str, float]
) -> None:
    free["bytes"] = _fits_windows_of(60)
    seen = _run(predictor, "a")
    assert seen.done == []
    assert seen.skipped["a"].endswith("GB are free; give --long-edge 224")
    assert seen.network.calls == []


def test_labels_for_training_do_not_depend_on_the_memory(
    predictor: Predictor, free: dict[str, float]
) -> None:
    free["bytes"] = _need(600, 800, 420)
    seen = _run(predictor, "a", divide=False)
    assert seen.skipped["a"].endswith("GB are free; give --long-edge 416")
    assert seen.network.calls == []


def test_no_more_images_are_run_at_once_than_fit(
    predictor: Predictor, free: dict[str, float]
) -> None:
    free["bytes"] = 2.2 * _need(600, 800, 800)
    seen = _run(predictor, "abcd", batch=4)
    assert [shape[0] for shape, _, _ in seen.network.calls] == [2, 2]
    assert [name for name, _ in seen.done] == list("abcd")


def test_where_memory_fails_none_the_less_an_image_is_run_by_windows(
    predictor: Predictor, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = network.forward

    def small(image: torch.Tensor, **named: Any) -> Any:
        if image.shape[-1] > 400:
            raise RuntimeError("could not create a primitive")
        return forward(image, **named)

    monkeypatch.setattr(network, "forward", small)
    seen = _run(predictor, "a")
    assert seen.divided["a"][0].startswith("windows 150x200 overlapping by 0.25")
    assert seen.done == [("a", (600, 800))]


def test_what_fails_otherwise_is_said_of_the_image_itself(
    predictor: Predictor, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "read_free_memory", lambda _: 1e8)

    def fail(image: torch.Tensor, **named: Any) -> Any:
        raise UserError("no numbers.")

    monkeypatch.setattr(network, "forward", fail)
    assert _run(predictor, "a").done == []


PEAK = """
import sys
import numpy as np
from pathlib import Path
from hierseg.checkpoint import load_model
from hierseg.inference import Predictor
from hierseg.inference.footprint import Footprint
from hierseg.engines.memory import keep_freed_memory
from hierseg.size import Size

def read(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

kept = sys.argv[1] == "kept"
if kept:
    keep_freed_memory()
predictor = Predictor(load_model(), long_edge=None)
before = read("VmRSS")
predictor(np.random.default_rng(0).integers(0, 255, (600, 800, 3)).astype(np.uint8))
taken = read("VmHWM") - before
footprint = Footprint(predictor)
print(taken, footprint._need(Size(600, 800), 800, None) * (1.75 if kept else 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="VmHWM is Linux's")
@pytest.mark.parametrize("how", ["kept", "returned"])
def test_the_estimate_is_not_below_what_is_taken(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", PEAK, how], capture_output=True, check=True)
    taken, estimated = map(float, done.stdout.split())
    assert 0.9 * taken < estimated < 2 * taken


def test_ample_memory_is_not_read_for_every_image(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    footprint, clock, read = Footprint(predictor), {"now": 100.0}, []
    free = {"bytes": 1e12}

    def look(_: object) -> float:
        read.append(clock["now"])
        return free["bytes"]

    monkeypatch.setattr(memory, "read_free_memory", look)
    monkeypatch.setattr("hierseg.inference.footprint.time.monotonic", lambda: clock["now"])
    monkeypatch.setattr(Footprint, "per_pixel", lambda *_: RATE)
    for clock["now"] in (100.0, 100.2, 100.4):
        assert footprint.fit(100, 100, 1).together == 1
    assert read == [100.0]
    free["bytes"], clock["now"] = 0.0, 101.0  # later it is read anew
    assert footprint.fit(100, 100, 1).together == 0
    count = len(read)
    free["bytes"] = 1e12  # where memory was scarce the next image asks again
    assert footprint.fit(100, 100, 1).together == 1
    assert len(read) > count
