"""Corruptions: seeded by image alone, worse with each severity, and kept as they are measured."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from hierseg.data.base import SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.corruptions.catalog import (
    CORRUPTIONS,
    SEVERITIES,
    CorruptedDataset,
    choose_corruptions,
    corrupt,
)
from hierseg.evaluation.corruptions.report import CorruptionReport
from hierseg.evaluation.corruptions.robustness import check_folder, run_corruptions
from hierseg.evaluation.corruptions.sheet import draw_sheet
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.result import Evaluation
from hierseg.models.outputs import SegmentationOutput
from hierseg.size import Size
from hierseg.streets.rendering import draw_street

from .conftest import SPACE, STEP, MemoryDataset, ReadingNetwork


@pytest.fixture(scope="module")
def street() -> npt.NDArray[np.uint8]:
    return draw_street(3, Size(64, 128))[0]


class TolerantNetwork(ReadingNetwork):
    """Takes red of any strength."""

    def forward(self, image: Tensor, *rest: Any, **named: Any) -> SegmentationOutput:
        red = image[:, :1].clamp(max=STEP * (SPACE.num_classes - 1))
        return super().forward(torch.cat([red, image[:, 1:]], 1), *rest, **named)


@pytest.fixture
def network() -> TolerantNetwork:
    return TolerantNetwork()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_corrupted_alike_and_more_with_each_severity(
    name: str, street: npt.NDArray[np.uint8]
) -> None:
    before = street.copy()
    found = [corrupt(street, name, severity, "a", 5) for severity in SEVERITIES]
    assert np.array_equal(street, before)
    for image, severity in zip(found, SEVERITIES, strict=True):
        assert image.shape == street.shape
        assert image.dtype == np.uint8
        assert np.array_equal(image, corrupt(street, name, severity, "a", 5))
    errors = [np.abs(image.astype(float) - street).mean() for image in found]
    assert 1 < errors[0] < errors[1] < errors[2]
    assert np.unique(found[2]).size > 6  # something of the scene is left
    drawn_by_lot = name not in ("defocus-blur", "jpeg", "brightness", "contrast")
    for other in (corrupt(street, name, 2, "b", 5), corrupt(street, name, 2, "a", 6)):
        assert np.array_equal(other, found[1]) != drawn_by_lot


def test_a_level_means_the_same_at_any_size() -> None:
    small = draw_street(3, Size(96, 192))[0]
    large = np.repeat(np.repeat(small, 3, axis=0), 3, axis=1)
    for name in ("defocus-blur", "motion-blur", "fog", "occlusion", "contrast", "rain"):
        errors = [
            np.abs(corrupt(image, name, 3, "a").astype(float) - image).mean()
            for image in (small, large)
        ]
        assert errors[1] == pytest.approx(errors[0], rel=0.25), name


@pytest.mark.parametrize("size", [(32, 32), (33, 90), (90, 33)])
def test_small_and_odd_sizes_are_taken(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for name in CORRUPTIONS:
        assert corrupt(image, name, 3, "x").shape == image.shape
        flat = corrupt(np.zeros_like(image), name, 3, "x")
        assert flat.shape == image.shape


def test_dirt_covers_the_share_that_it_says(street: npt.NDArray[np.uint8]) -> None:
    large = np.full((200, 400, 3), 255, np.uint8)
    for severity, share in zip(SEVERITIES, (0.08, 0.20, 0.40), strict=True):
        covered = (corrupt(large, "occlusion", severity, "a").mean(2) < 150).mean()
        assert covered == pytest.approx(share, abs=0.02)


def test_a_split_is_corrupted_by_name_and_its_labels_stay(maps: list[Any]) -> None:
    dataset = MemoryDataset(maps)
    dataset.note = "a note"
    corrupted = CorruptedDataset(dataset, "shot-noise", 2, seed=4)
    record, plain = corrupted.read(1), dataset.read(1)
    assert np.array_equal(record.image, corrupt(plain.image, "shot-noise", 2, "1", 4))
    assert record.labels is not None
    assert np.array_equal(record.labels, maps[1])
    assert corrupted.note == "a note"
    assert len(corrupted) == 3


def test_names_are_chosen_in_the_order_of_tables() -> None:
    assert choose_corruptions(()) == tuple(CORRUPTIONS)
    assert choose_corruptions(("fog", "jpeg", "fog")) == ("jpeg", "fog")
    with pytest.raises(UsageError, match="no 'frog', the nearest is 'fog'"):
        choose_corruptions(("jpeg", "frog"))


class Measure:
    """Evaluates a split, and keeps what it was asked for; interrupted after so many times."""

    def __init__(self, network: Any, stop_after: int = 1000) -> None:
        self.network, self.stop_after = network, stop_after
        self.asked: list[tuple[str, int]] = []

    def __call__(
        self, dataset: SegmentationDataset, on_progress: Callable[[int, int], None] | None = None
    ) -> Evaluation:
        if isinstance(dataset, CorruptedDataset):
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append((dataset.corruption, dataset.severity))
        return evaluate(self.network, dataset, on_progress=on_progress)


def run(
    measure: Measure, dataset: MemoryDataset, names: Sequence[str], out: Path, **changes: Any
) -> CorruptionReport:
    return run_corruptions(
        measure, dataset, measure(dataset), names, out, **{"weights": "abc", **changes}
    )


def test_what_was_measured_before_an_interruption_is_kept(
    network: Any, maps: list[Any], tmp_path: Path
) -> None:
    dataset, names = MemoryDataset([m % 3 for m in maps]), ("gaussian-noise", "contrast")
    steps: list[tuple[int, int]] = []
    whole = run(
        Measure(network), dataset, names, tmp_path / "whole",
        on_progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert steps == [(done, 18) for done in range(1, 19)]
    first = Measure(network, stop_after=4)
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted; 4 results are in .*corruptions.json"
    ):
        run(first, dataset, names, tmp_path / "cut")
    kept = json.loads((tmp_path / "cut" / "corruptions.json").read_text())
    assert list(kept["corruptions"]["contrast"]) == ["1"]
    assert (tmp_path / "cut" / "corruptions.png").is_file()
    second = Measure(network)
    again = run(second, dataset, names, tmp_path / "cut")
    assert first.asked == [(name, s) for name in names for s in SEVERITIES][:4]
    assert second.asked == [("contrast", 2), ("contrast", 3)]
    assert again.to_json() == whole.to_json()
    files = [(tmp_path / place / "corruptions.json").read_bytes() for place in ("cut", "whole")]
    assert files[0] == files[1]
    # More names later go into the same file.
    assert len(run(Measure(network), dataset, ("jpeg",), tmp_path / "cut").miou) == 3


def test_shares_are_of_the_clean_figure(network: Any, maps: list[Any], tmp_path: Path) -> None:
    dataset = MemoryDataset(maps)
    measure = Measure(network)
    report = run(measure, dataset, ("gaussian-noise",), tmp_path)
    assert report.clean == 1
    report.clean = 0.8
    rows = report.miou["gaussian-noise"]
    assert rows[3] < rows[1] < 0.8
    assert report.kept("gaussian-noise", 2) == pytest.approx(rows[2] / 0.8)
    mean = sum(rows.values()) / 3 / 0.8
    assert report.mean_kept("gaussian-noise") == report.mean_kept() == pytest.approx(mean)
    content = report.to_json()
    assert content["clean_miou"] == 0.8
    assert content["corruptions"]["gaussian-noise"]["2"]["kept"] == pytest.approx(rows[2] / 0.8)
    table = report.format()
    assert "share kept of 80.00 without corruption" in table
    assert f"{100 * rows[2]:.2f} ({100 * rows[2] / 0.8:.0f} %)" in table
    assert f"mean share kept {100 * mean:.1f} %" in table
    picture = report.draw()
    dark = (picture[:, 150:] == (35, 65, 120)).all(2)
    assert dark.any(0).sum() == pytest.approx(520 * rows[3] / 0.8, abs=2)


def test_figures_of_other_settings_are_not_mixed(
    network: Any, maps: list[Any], tmp_path: Path
) -> None:
    dataset, names = MemoryDataset(maps), ("contrast",)
    run(Measure(network), dataset, names, tmp_path)
    with pytest.raises(UsageError, match=r"other settings \(weights\); remove it"):
        run(Measure(network), dataset, names, tmp_path, weights="abd")
    with pytest.raises(UsageError, match=r"\(seed\)"):
        run(Measure(network), dataset, names, tmp_path, seed=1)
    with pytest.raises(UsageError, match=r"\(image_names, images\)"):
        run(Measure(network), MemoryDataset(maps[:2]), names, tmp_path)
    found = Measure(network)(dataset)
    for clean, said in (
        (dataclasses.replace(found, gate="budget 0.6 by product"), "gate"),
        (dataclasses.replace(found, fusion="average"), "fusion"),
    ):
        with pytest.raises(UsageError, match=rf"other settings \({said}"):
            run_corruptions(Measure(network), dataset, clean, names, tmp_path, "abc")
    for split, weights in (("val", "abd"), ("train", "abc")):  # before anything is measured
        other = MemoryDataset(maps)
        other.split = split
        with pytest.raises(UsageError, match="weights" if split == dataset.split else "split"):
            check_folder(tmp_path, other, weights)
    check_folder(tmp_path, dataset, "abc")
    check_folder(tmp_path / "none", dataset, "abd")
    good = json.loads((tmp_path / "corruptions.json").read_text())
    for damage in (
        "{", "[]", '{"settings": 3}',
        json.dumps(good | {"corruptions": []}),
        json.dumps(good | {"corruptions": {"fog": {"1": {"miou": "0.5"}}}}),
        json.dumps(good | {"corruptions": {"fog": {"1": {"miou": 7}}}}),
    ):  # fmt: skip
        (tmp_path / "corruptions.json").write_text(damage)
        with pytest.raises(UserError, match=r"not a corruptions.json of hierseg"):
            run(Measure(network), dataset, names, tmp_path)


def test_a_network_that_is_right_nowhere_keeps_no_share(tmp_path: Path) -> None:
    report = CorruptionReport(tmp_path / "x.json", {}, 0.0, {"fog": {1: 0.0}})
    assert report.to_json()["corruptions"]["fog"]["1"] == {"miou": 0.0, "kept": None}
    assert "0.00 (- %)" in report.format()
    assert report.draw().shape[2] == 3


def test_the_sheet_shows_each_severity_beside_the_image(street: npt.NDArray[np.uint8]) -> None:
    sheet = draw_sheet(street, ("contrast", "jpeg"), "a")
    assert sheet.shape == (2 * (210 + 26 + 6), 4 * (420 + 6) + 6, 3)
    spread = [sheet[26:236, 6 + 426 * c : 6 + 426 * c + 420].std() for c in range(4)]
    assert spread[0] > spread[1] > spread[2] > spread[3]


def test_figures_that_are_no_small_file_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "corruptions.json"
    os.mkfifo(path)
    with pytest.raises(UserError, match="no regular file"):
        CorruptionReport.open(tmp_path, {}, 0.5)
    path.unlink()
    path.write_bytes(b"\xef\xbb\xbf" + b'{"settings": {"a": 1}, "corruptions": {}}')
    assert CorruptionReport.open(tmp_path, {"a": 1}, 0.5).miou == {}
    path.write_text('{"settings": {"' + "x" * 5000 + '": 1}, "corruptions": {}}')
    with pytest.raises(UsageError, match="other settings") as raised:
        CorruptionReport.open(tmp_path, {}, 0.5)
    assert len(str(raised.value)) < 1000
