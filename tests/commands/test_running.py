"""Presets: what the published figures were evaluated with, and what goes before them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.options import PRESETS, RunOptions
from hierseg.size import Size
from hierseg.streets.layouts import draw_scenes, write_cityscapes


def _resolve(
    preset: Any, scales: Any = None, flip: bool = False, long_edge: Any = None
) -> tuple[Any, ...]:
    found = RunOptions(preset, scales, flip, long_edge).resolve()
    assert found.preset is None
    return found.scales, found.flip, found.long_edge


def test_the_presets_are_what_was_published() -> None:
    assert _resolve("cityscapes") == ((0.5, 1.0, 2.0), False, None)
    assert _resolve("mapillary") == ((0.25, 0.5, 1.0, 2.0), True, 2177)
    assert set(PRESETS) == {"cityscapes", "mapillary"}


def test_what_is_given_goes_before_a_preset() -> None:
    assert _resolve(None, None, False, None) == (None, False, None)
    assert _resolve(None, (1.0,), True, 500) == ((1.0,), True, 500)
    assert _resolve("cityscapes", None, True, None) == ((0.5, 1.0, 2.0), True, None)
    assert _resolve("mapillary", (1.0,), False, 900) == ((1.0,), True, 900)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("presets")
    root = write_cityscapes(folder / "data", draw_scenes(3, Size(64, 128)))
    weights = folder / "untrained.safetensors"
    save_checkpoint(weights, create_model("lite0-ocr-hier"), CITYSCAPES)
    words = ["evaluate", "--data", "cityscapes", "--root", root, "--weights", weights]
    return [*map(str, words), "--device", "cpu", "--json", str(folder / "result.json")]


@pytest.mark.parametrize(
    ("flags", "scales", "flip", "note"),
    [
        (["--preset", "cityscapes"], [0.5, 1.0, 2.0], False, ""),
        (["--preset", "cityscapes", "--scales", "1", "--flip"], [1.0], True, ""),
        (
            ["--preset", "mapillary", "--long-edge", "160"],
            [0.25, 0.5, 1.0, 2.0],
            True,
            "long edge 160, labels too (nearest, the image bilinear)",
        ),
        (["--scales", "1", "2"], [1.0, 2.0], False, ""),
    ],
)
def test_a_preset_reaches_the_evaluation(
    words: list[str], flags: list[str], scales: list[float], flip: bool, note: str
) -> None:
    assert main([*words, *flags]) == 0
    result = json.loads(Path(words[-1]).read_text())
    assert (result["scales"], result["flip"], result["split_note"]) == (scales, flip, note)
    assert result["images"] == 1


def test_an_unknown_preset_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--preset", "kitti"])
    assert left.value.code == 2
    assert "cityscapes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [("4G", 4 * 2**30), ("800M", 800 * 2**20), ("1.5GiB", 3 * 2**29), ("4096", 4096), (7, 7)],
)
def test_memory_is_given_in_bytes_or_units(given: Any, expected: int) -> None:
    assert RunOptions(memory=given).resolve().memory == expected


@pytest.mark.parametrize("given", ["", "much", "0", "-4G", 0, True, 1.5])
def test_what_is_no_memory_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="is not an amount of memory; give --memory 24G, say"):
        RunOptions(memory=given).resolve()
