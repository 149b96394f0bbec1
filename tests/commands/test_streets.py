from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.data.catalog import open_dataset


def _draw(out: Path, *words: str) -> int:
    return main(["streets", "--out", str(out), "--size", "48x96", *words])


def test_what_is_drawn_is_a_cityscapes_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "streets"
    assert _draw(out, "--count", "5", "--seed", "3") == 0
    assert f"--data cityscapes --root {out}" in capsys.readouterr().out
    train, val = (open_dataset("cityscapes", out, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (4, 1)
    assert train.read(0).image.shape == (48, 96, 3)


def test_the_seed_decides_the_scenes(tmp_path: Path) -> None:
    def first(out: Path) -> bytes:
        path = sorted((out / "leftImg8bit").rglob("*.png"))[0]
        with Image.open(path) as image:
            return image.tobytes()

    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert _draw(tmp_path / name, "--count", "1", "--seed", seed) == 0
    assert first(tmp_path / "a") == first(tmp_path / "b") != first(tmp_path / "c")


def test_clips_are_drawn_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clips"
    assert _draw(out, "--count", "2", "--clip", "3", "--val-fraction", "0.5") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"2 clips of 3 frames are in {out}")
    assert len(list((out / "leftImg8bit_sequence").rglob("*.png"))) == 6
    assert len(open_dataset("cityscapes", out, "train")) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clip", "0"], "--clip must be between 1 and 120 frames, not 0"),
        (["--count", "0"], "--count"),
        (["--seed", "-1"], "--seed"),
        (["--val-fraction", "2"], "--val-fraction"),
        (["--workers", "0"], "--workers"),
        (["--size", "9999x9999"], "--size of at most 40 million pixels"),
    ],
)
def test_numbers_that_cannot_be_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert _draw(tmp_path / "out", *words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
