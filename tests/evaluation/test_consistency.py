"""Temporal consistency of predictions on clips."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from hierseg import cli
from hierseg.checkpoint import open_flow
from hierseg.errors import UserError
from hierseg.evaluation import find_sequences, format_consistency, measure_consistency
from hierseg.labels import CITYSCAPES


@pytest.fixture(scope="module")
def root(street_clips: Path) -> Path:
    return street_clips


class Truth:
    """Predicts the labels of the frames, wrong in some pixels, which are others each time."""

    def __init__(self, root: Path, wrong: float = 0.0) -> None:
        self.wrong, self.rng = wrong, np.random.default_rng(0)
        self.known: dict[bytes, Any] = {}
        for clip in find_sequences(root, "train"):
            for frame in clip:
                image = cv2.imread(str(frame.image))[..., ::-1]
                ids = cv2.imread(str(frame.label), cv2.IMREAD_UNCHANGED)
                labels = CITYSCAPES.encode(np.asarray(ids))
                labels[labels == 255] = 0
                self.known[np.ascontiguousarray(image).tobytes()] = labels

    def __call__(self, image: Any) -> Any:
        labels = self.known[image.tobytes()].copy()
        labels[self.rng.random(labels.shape) < self.wrong] = 7
        return SimpleNamespace(labels=labels)


def test_clips_are_found_with_their_labels(street_clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "streets"
    shutil.copytree(street_clips, root)
    clips = find_sequences(root, "train")
    assert [len(clip) for clip in clips] == [5, 5]
    assert all("gtFine_sequence" in str(frame.label) for clip in clips for frame in clip)
    clips[0][2].image.unlink()
    assert [len(clip) for clip in find_sequences(root, "train")] == [2, 2, 5]
    with pytest.raises(UserError, match="hierseg streets --clip 30"):
        find_sequences(root, "test")


def test_a_label_map_that_cannot_be_counted_is_named(street_clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "streets"
    shutil.copytree(street_clips, root)
    clips = find_sequences(root, "train")
    path = clips[0][1].label
    assert path is not None
    truth, ids = Truth(street_clips), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    for wrong, said in ((np.full_like(ids, 200), "label ids 200"), (ids[:-1], "the label map")):
        cv2.imwrite(str(path), wrong)
        with pytest.raises(UserError, match=f"{path.name}' cannot be counted: .*{said}"):
            measure_consistency(truth, clips, open_flow("dis"))  # type: ignore[arg-type]


def test_the_truth_is_consistent_and_what_flickers_is_less_so(root: Path) -> None:
    clips = find_sequences(root, "train")
    exact = open_flow(f"folder:{root / 'flow_sequence'}")
    seen: list[tuple[int, int]] = []
    found = measure_consistency(Truth(root), clips, exact, lambda *at: seen.append(at))  # type: ignore[arg-type]
    assert (found.clips, found.frames, found.labelled) == (2, 10, 10)
    assert seen == [(done, 10) for done in range(1, 11)]
    assert found.miou == 1
    assert found.consistency > 0.8  # small things are sampled by single pixels
    assert 0.6 < found.compared < 1
    flickers = measure_consistency(Truth(root, 0.1), clips, exact)  # type: ignore[arg-type]
    assert flickers.consistency < found.consistency - 0.1
    still = measure_consistency(Truth(root), clips, open_flow("dis"))  # type: ignore[arg-type]
    assert still.consistency < found.consistency
    single = measure_consistency(Truth(root), [clips[0][:1]], exact)  # type: ignore[arg-type]
    assert math.isnan(single.consistency)
    assert single.to_json()["consistency"] is None
    assert "temporal consistency -" in format_consistency(single)


@pytest.mark.slow
def test_the_command_measures_clips(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", "--data", "cityscapes", "--root", root, "--weights", "streets-lite0")
    more = ("--sequence", "--limit", 1, "--json", tmp_path / "found.json", "--device", "cpu")
    steady = (*words, *more, "--split", "train", "--steady", "reuse", "--scales", "0.5", "1")
    assert cli.main([str(word) for word in steady]) == 0
    said = capsys.readouterr().out
    assert "1 clip, 5 frames" in said
    assert "moved by flow of folder" in said
    found = json.loads((tmp_path / "found.json").read_text())
    assert 0 < found["consistency"] <= 1
    assert found["labelled"] == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steady",), "--steady is for clips; add --sequence"),
        (("--flow", "dis"), "--flow is for clips"),
        (("--sequence", "--worst", "3"), "--worst is for single images, not for --sequence"),
        (("--sequence", "--flow", "sdcnet:x"), "--flow sdcnet predicts a frame"),
    ],
)
def test_flags_that_say_nothing_together_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    start = ["evaluate", "--data", "cityscapes", "--root", str(root), "--weights", "streets-lite0"]
    assert cli.main([*start, *words]) == 2
    assert said in capsys.readouterr().err


def test_clips_are_of_cityscapes_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["evaluate", "--data", "camvid", "--root", str(tmp_path), "--sequence"]) == 2
    assert "give --data cityscapes and --root" in capsys.readouterr().err
