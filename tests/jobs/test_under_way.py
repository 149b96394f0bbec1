"""A run that dies at an image: the next one does the others first, then that one alone, and the
one after leaves it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from hierseg.errors import UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import RunSettings, run_folder
from hierseg.jobs.summary import Summary
from hierseg.jobs.under_way import FILE, UnderWay
from hierseg.labels import LabelSpace

Pixels = npt.NDArray[np.uint8]


class DiedError(Exception):
    """What is left of a run that died: nothing was tidied up."""


@pytest.fixture
def images(tmp_path: Path, image: Pixels) -> list[Path]:
    """Four images; the second has a size of its own, by which the network dies."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(4):
        pixels = image[:36] if index == 1 else np.roll(image, 5 * index, axis=0)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def predictor(network: Any, space: LabelSpace, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    forward = network.forward

    def die(image: torch.Tensor, **named: Any) -> Any:
        if image.shape[-2] == 36:
            raise DiedError
        return forward(image, **named)

    monkeypatch.setattr(network, "forward", die)
    return Predictor(network, label_space=space)


def _run(predictor: Predictor, images: list[Path], out: Path, **changes: Any) -> Summary:
    return run_folder(predictor, images, out, RunSettings(save=("labels",), **changes))


def test_the_others_come_first_then_it_alone_then_it_is_skipped(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(DiedError):
        _run(predictor, images, out)
    assert str(images[1]) in json.loads((out / FILE).read_text())["doing"]
    with pytest.raises(DiedError):
        _run(predictor, images, out)
    # All others, also those that were under way beside it and were done alone before it.
    left = json.loads((out / FILE).read_text())
    assert (list(left["doing"]), left["alone"]) == ([str(images[1])], True)
    assert (out / "0_labels.png").exists()
    summary = _run(predictor, images, out)
    assert summary.complete
    assert [Path(source).name for source in summary.records] == ["0.png", "2.png", "3.png"]
    assert "--long-edge" in summary.skipped[str(images[1])]
    summary = _run(predictor, images, out)  # and so it stays
    assert list(summary.skipped) == [str(images[1])]
    with pytest.raises(DiedError):
        _run(predictor, images, out, overwrite=True)


def test_an_image_that_was_saved_anew_is_tried_again(
    predictor: Predictor, images: list[Path], tmp_path: Path, image: Pixels
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(DiedError):
            _run(predictor, images, out)
    Image.fromarray(image).save(images[1])
    summary = _run(predictor, images, out)
    assert summary.skipped == {}
    assert not (out / FILE).exists()


def test_a_run_that_ends_in_order_leaves_nothing(
    network: Any, space: LabelSpace, images: list[Path], tmp_path: Path
) -> None:
    _run(Predictor(network, label_space=space), images, tmp_path)
    assert not (tmp_path / FILE).exists()
    for ending in (KeyboardInterrupt(), UserError(), OSError(), None):
        under_way = UnderWay(tmp_path)
        under_way.begin(images[0])
        assert (tmp_path / FILE).exists()
        under_way.__exit__(None if ending is None else type(ending), ending, None)
        assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "content", ["", "\0\0\0", "[]", "7", '{"doing": 3}', '{"fatal": [1]}', "[" * 9000, "{}"]
)
def test_a_file_that_says_nothing_is_left_out_of_account(
    tmp_path: Path, images: list[Path], content: str
) -> None:
    (tmp_path / FILE).write_text(content)
    assert UnderWay(tmp_path).divide(images) == (images, [], [])


KILLED = """
import os, sys
from pathlib import Path
from hierseg.jobs.under_way import UnderWay
with UnderWay(Path(sys.argv[1])) as under_way:
    under_way.alone = sys.argv[2] == "alone"
    under_way.begin(Path(sys.argv[3]))
    os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_what_was_under_way(tmp_path: Path, images: list[Path]) -> None:
    def kill(how: str) -> None:
        words = [sys.executable, "-c", KILLED, str(tmp_path), how, str(images[2])]
        assert subprocess.run(words, env=os.environ, check=False).returncode == -9

    others = [images[0], images[1], images[3]]
    kill("together")
    assert UnderWay(tmp_path).divide(images) == (others, [images[2]], [])
    kill("alone")
    assert UnderWay(tmp_path).divide(images) == (others, [], [images[2]])
    assert UnderWay(tmp_path, anew=True).divide(images) == (images, [], [])


def test_what_was_done_before_the_kill_is_no_suspect(tmp_path: Path, images: list[Path]) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path), "together", str(images[2])]
    subprocess.run(words, env=os.environ, check=False)
    with UnderWay(tmp_path) as under_way:
        under_way.forget([images[2]])
    assert not (tmp_path / FILE).exists()


def test_what_other_processes_had_under_way_is_taken_up(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hierseg.jobs.under_way.own_rank", lambda: 2)
    second = UnderWay(tmp_path)
    second.begin(images[2])
    assert not (tmp_path / FILE).exists()
    monkeypatch.undo()
    found = UnderWay(tmp_path)
    assert found.divide(images) == ([*images[:2], images[3]], [images[2]], [])
    assert not list(tmp_path.glob(".hierseg-doing.*.json"))
    second.begin(images[1])
    assert UnderWay(tmp_path, anew=True).divide(images)[0] == images


def test_the_file_is_whole_when_its_content_grows_and_shrinks(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path)
    names = [tmp_path / ("long" * count) for count in (1, 30, 2)]
    for name in names:
        under_way.begin(name)
    for index, name in enumerate(names):
        assert list(json.loads((tmp_path / FILE).read_text())["doing"]) == [
            str(left) for left in names[index:]
        ]
        under_way.end(name)
    assert not (tmp_path / FILE).exists()
