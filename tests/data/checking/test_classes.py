"""A class without a pixel, while an id that counts as no class has many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.data.checking.check import check_data
from hierseg.data.checking.report import CheckReport
from hierseg.data.checking.table import format_report

ENDING = """
splits:
  train: {images: "images/train/*.png", labels: "labels/train/*.png"}
  val: {images: "images/val/*.png", labels: "labels/val/*.png"}
"""


def write(folder: Path, classes: str, masks: dict[str, tuple[int, ...]]) -> Path:
    """Data of one's own: in each split a mask of stripes of these values."""
    for seed, (split, values) in enumerate(masks.items()):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        random = np.random.default_rng(seed)
        image = random.integers(0, 256, (66, 96, 3), np.uint8)
        Image.fromarray(image).save(folder / "images" / split / "a.png")
        stripes = np.array(values, np.uint8)[np.arange(66) * len(values) // 66]
        Image.fromarray(np.repeat(stripes[:, None], 96, 1)).save(
            folder / "labels" / split / "a.png"
        )
    path = folder / "data.yaml"
    path.write_text(classes + ENDING)
    return path


def check(path: Path, splits: tuple[str, ...] | None = None) -> CheckReport:
    report = CheckReport(str(path))
    check_data(report, None, splits)
    return report


BOTH = {"train": (0, 255), "val": (0, 255)}


def test_masks_of_0_and_255_do_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "classes: [background, crack]", BOTH)
    assert main(["check", str(path), "--workers", "0"]) == 1
    out = capsys.readouterr().out
    assert (
        "class crack has no pixel, while id 255 has 50 %; write `id: 255` in the line of crack, or "
        "`ignore: [255]` if it is to be left out."
    ) in out
    assert "would go wrong" in out


@pytest.mark.parametrize(
    "classes",
    [
        "classes: [background, {name: crack, id: 255}]\nignore: []",
        "classes: [background, {name: crack, id: 255}, {name: dirt, id: 3}]\nignore: [1]",
    ],
)
def test_the_line_that_is_named_mends_it(tmp_path: Path, classes: str) -> None:
    report = check(write(tmp_path, classes, BOTH))
    assert not report.would_go_wrong, format_report(report)


def test_the_named_line_alone_is_enough(tmp_path: Path) -> None:
    """The usual id to ignore is none once a class has it."""
    report = check(write(tmp_path, "classes: [background, {name: crack, id: 255}]", BOTH))
    assert not report.would_go_wrong, format_report(report)


def test_it_is_an_error_whatever_is_said_where_one_class_is_left(tmp_path: Path) -> None:
    report = check(write(tmp_path, "classes: [background, crack]\nignore: [255]", BOTH))
    assert "write `id: 255` in the line of crack, and take 255 out of `ignore`." in (
        format_report(report)
    )
    assert report.would_go_wrong


def test_a_class_that_is_absent_and_a_border_that_is_said_to_be_ignored_are_sound(
    tmp_path: Path,
) -> None:
    masks = {"train": (0, 1, 255), "val": (0, 1, 255)}
    path = write(tmp_path, "classes: [a, b, c]\nignore: [255]", masks)
    report = check(path)
    assert not report.would_go_wrong
    path.write_text(path.read_text().replace("ignore: [255]", ""))
    sentence = format_report(check(path))
    assert "class c has no pixel, while id 255 has 33.3 %; write `id: 255` in the line" in sentence


def test_a_class_of_one_split_is_absent_from_none(tmp_path: Path) -> None:
    masks = {"train": (0, 1, 2, 255), "val": (0, 1, 255)}
    path = write(tmp_path, "classes: [a, b, c]", masks)
    assert not check(path).would_go_wrong
    assert not check(path, ("val",)).would_go_wrong  # which alone cannot tell


def test_ids_that_are_no_class_are_named_with_the_classes_without_pixels(tmp_path: Path) -> None:
    masks = {"train": (0, 127, 255), "val": (0, 127, 255)}
    sentence = format_report(check(write(tmp_path, "classes: [a, b, c]", masks)))
    assert "classes b, c have no pixel, while id " in sentence
    assert "id 127 has 33.3 %" in sentence
    assert "id 255 has 33.3 %" in sentence


def test_a_folder_with_a_label_space_is_looked_at_as_well(tmp_path: Path) -> None:
    write(tmp_path, "", BOTH).unlink()
    (tmp_path / "labels.json").write_text('{"names": ["background", "crack"]}')
    report = CheckReport("folder")
    check_data(report, tmp_path)
    assert "class crack has no pixel, while id 255 has 50 %" in format_report(report)
    assert report.would_go_wrong


def test_names_from_outside_cannot_forge_lines(tmp_path: Path) -> None:
    forged = "a\\nall is well\\e[2J"
    path = write(tmp_path, f'classes: ["{forged}", b]\nignore: [255]', {"train": (0, 1)})
    image = tmp_path / "images" / "train" / "b\n\x1b[31mred.png"
    image.write_bytes(b"no picture")
    report = check(path, ("train",))
    text = format_report(report)
    assert "\x1b" not in text
    assert "\nall is well" not in text
    assert "a\\x0aall is well\\x1b[2J" in text
    assert "\\x0a\\x1b[31mred" in text
    widths = {len(line) for line in text.splitlines() if line.startswith(("id ", " 0 ", " 1 "))}
    assert len(widths) == 1
