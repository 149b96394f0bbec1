"""A file is compared with its network in a fresh process; one that is beyond the tolerance goes."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hierseg.engines import read_graph_header
from hierseg.errors import UsageError
from hierseg.exporting import report as reporting
from hierseg.exporting.checked import Checks
from hierseg.exporting.comparison import CLOSE, Reference, as_batch
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.report import (
    CheckOptions,
    ExportReport,
    check_export,
    name_report,
    reject,
    write_report,
)
from hierseg.exporting.report_page import describe_report, write_report_page
from hierseg.exporting.samples import SampleImage, draw_samples, read_samples, spread
from hierseg.media import write_picture
from hierseg.models import SegmentationNetwork
from hierseg.size import Size
from support.pages import read_cards


@pytest.fixture(scope="module")
def samples() -> list[SampleImage]:
    return draw_samples(Size(97, 131))[:2]


def test_a_file_gives_what_its_network_gives(
    small: SegmentationNetwork, exported: Path, samples: list[SampleImage]
) -> None:
    report = check_export(small, exported, CheckOptions(samples, "scenes"))
    assert report.reason == ""
    assert report.share_different == 0
    assert report.largest is not None
    assert report.largest < 1e-3
    assert report.milliseconds is not None
    assert report.size == exported.stat().st_size
    content = json.loads(write_report(report).read_text(encoding="utf-8"))
    assert content["accepted"] is True
    assert content["compared"] == "logits"
    assert [one["size"] for one in content["images"]] == ["97x131", "97x131"]
    page = write_report_page(report, samples)
    text = page.read_text(encoding="utf-8")
    assert "small.onnx: accepted" in text
    assert len(read_cards(text)) == 2
    assert "labels that differ" in text


def test_a_file_of_other_weights_is_beyond_the_tolerance(
    small: SegmentationNetwork, exported: Path, samples: list[SampleImage]
) -> None:
    other = copy.deepcopy(small)
    classify: Any = other.head.classify
    with torch.no_grad():
        classify.weight[0] += 0.5
    report = check_export(other, exported, CheckOptions(samples, "scenes"))
    assert report.share_different > report.tolerance
    assert "another label" in report.reason
    assert "the largest difference of its logits" in report.reason
    lenient = reporting.judge(dataclasses.replace(report, tolerance=1.0))
    assert "another label" not in lenient.reason
    rejected = reject(exported)
    assert rejected.name == "small.onnx.rejected"
    assert rejected.is_file()
    assert not exported.exists()
    text = write_report_page(report, samples).read_text(encoding="utf-8")
    assert "small.onnx: rejected" in text


def test_both_files_of_openvino_are_renamed(tmp_path: Path) -> None:
    for ending in ("xml", "bin"):
        (tmp_path / f"a.{ending}").write_text(ending)
    reject(tmp_path / "a.xml")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.bin.rejected", "a.xml.rejected"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (SIGSEGV)"),
        ("raise SystemExit('no such kernel')", "no such kernel"),
    ],
)
def test_a_runtime_that_crashes_is_a_rejected_file(
    small: SegmentationNetwork,
    exported: Path,
    samples: list[SampleImage],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    said: str,
) -> None:
    whole = reporting.child_command
    replaced: Callable[..., list[str]] = lambda *_: whole("-c", script)  # noqa: E731
    monkeypatch.setattr(reporting, "child_command", replaced)
    report = check_export(small, exported, CheckOptions(samples, "scenes"))
    assert said in report.reason
    assert report.milliseconds is None
    assert json.loads(write_report(report).read_text(encoding="utf-8"))["accepted"] is False
    assert "rejected" in write_report_page(report, samples).read_text(encoding="utf-8")


def test_pixels_that_are_not_clear_are_counted_apart(
    small: SegmentationNetwork, exported: Path, samples: list[SampleImage]
) -> None:
    about = read_graph_header(exported)
    reference = Reference(small, about)
    logits = reference.run(torch.from_numpy(as_batch(samples[0])))[0]
    labels = logits.argmax(1)
    two = logits.topk(2, dim=1).values
    close = two[:, 0] - two[:, 1] < CLOSE
    wrong = labels.clone()
    wrong[0, :2] = (wrong[0, :2] + 1) % small.num_classes
    given = [wrong.numpy().astype(np.uint8), logits.numpy() + 0.25]
    one = reference.compare(samples[0], given)
    assert one.different + one.different_close == 2 * 131
    assert one.different == int((~close[0, :2]).sum())
    assert one.clear == int((~close).sum())
    assert one.largest == pytest.approx(0.25, abs=1e-5)
    made = dataclasses.replace(one, pixels=100, clear=90, different=0, different_close=5)
    report = ExportReport(exported, about, "scenes", (made,), 1e-4, 1)
    assert report.share_different == 0
    assert report.share_close == pytest.approx(0.1)
    assert report.share_different_close == 0.5
    assert "50.00 %" in describe_report(report)[0]


@pytest.mark.parametrize(
    ("precision", "lost", "said"),
    [("int8", 0.009, ""), ("int8", 0.011, "1.10 points"), ("float32", 0.001, "0.10 points")],
)
def test_what_is_lost_of_miou_counts(
    exported: Path, precision: str, lost: float, said: str
) -> None:
    about = dataclasses.replace(read_graph_header(exported), precision=precision)
    report = ExportReport(
        exported, about, "scenes", (), 1e-4, 1, 1.0, 1.0, miou=0.7 - lost, network_miou=0.7
    )
    reason = reporting.judge(report).reason
    assert said in reason
    assert bool(reason) == bool(said)


def test_pictures_of_a_folder_are_taken_evenly_and_brought_to_a_size(tmp_path: Path) -> None:
    assert spread(range(10), 3) == [0, 4, 9]
    assert spread(range(2), 3) == [0, 1]
    for name in ("a/0", "b/0"):
        picture = draw_samples(Size(40, 60))[0].pixels
        (tmp_path / name).parent.mkdir()
        write_picture(tmp_path / f"{name}.png", picture)
    found = read_samples(tmp_path, 5, Size(32, 48))
    assert [one.name for one in found] == ["00_0", "01_0"]
    assert {one.pixels.shape for one in found} == {(32, 48, 3)}


@pytest.mark.parametrize(
    ("checks", "options", "said"),
    [
        (Checks(), ExportOptions(precision="int8"), "with --calibrate, or"),
        (Checks(calibrate=Path("a")), ExportOptions(), "--precision int8"),
        (Checks(tolerance=2), ExportOptions(), "--tolerance 2"),
    ],
)
def test_what_cannot_be_is_said(checks: Checks, options: ExportOptions, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checks.check(options)


def test_the_report_lies_beside_the_file() -> None:
    assert name_report(Path("a/b.onnx")) == Path("a/b.onnx.report.json")
