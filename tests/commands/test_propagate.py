"""`hierseg propagate` from end to end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg import cli
from hierseg.size import Size
from hierseg.streets import film_street


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames, of which the third is labelled."""
    root = tmp_path_factory.mktemp("drive")
    (root / "frames").mkdir()
    (root / "labels").mkdir()
    for number, frame in enumerate(film_street(3, Size(48, 96), 4)):
        cv2.imwrite(str(root / "frames" / f"{number}.png"), frame.image[..., ::-1])
        if number == 2:
            cv2.imwrite(str(root / "labels" / f"{number}.png"), frame.labels)
    return root


def run(*words: object) -> int:
    return cli.main(["propagate", *map(str, words)])


def test_frames_and_labels_become_a_data_set_that_passes_its_check(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    words = ("--frames", drive / "frames", "--labels", drive / "labels", "--out", out)
    assert run(*words, "--data", "cityscapes", "--steps", 1) == 0
    said = capsys.readouterr().out
    assert "1 labelled frame propagated to 2 frames" in said
    assert f"hierseg check {out / 'propagated.json'} --splits train" in said
    check = ["check", str(out / "propagated.json"), "--workers", "0"]
    assert cli.main([*check, "--splits", "train"]) == 0
    # As far as there are frames, and what is missing in a sentence.
    far = (*words[:-1], tmp_path / "far", "--data", "cityscapes", "--steps", 2)
    assert run(*far) == 3
    assert "1 of 2 steps forwards" in capsys.readouterr().err
    assert (tmp_path / "far" / "index.html").is_file()


def test_ids_without_a_name_are_classes(drive: Path, tmp_path: Path) -> None:
    words = ("--frames", drive / "frames", "--labels", drive / "labels", "--steps", 1)
    assert run(*words, "--out", tmp_path / "set", "--samples", 0) == 0
    assert '"class 7"' in (tmp_path / "set" / "propagated.json").read_text()
    assert not (tmp_path / "set" / "index.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --data cityscapes with its folder as --root, or --frames"),
        (("--data", "cityscapes"), "add --root"),
        (("--data", "cityscapes", "--root", "nowhere"), "'nowhere' is not a folder"),
        (("--frames", "F"), "add --labels"),
        (("--labels", "L"), "add --frames"),
        (("--frames", "F", "--labels", "F"), "one folder"),
        (("--frames", "F", "--labels", "nowhere"), "--labels 'nowhere' does not exist"),
        (("--frames", "F", "--labels", "L", "--root", "L"), "leave out --root"),
        (("--frames", "F", "--labels", "L", "--steps", 0), "--steps 0 is too small"),
        (("--frames", "F", "--labels", "L", "--steps", 1000), "at most 100"),
        (("--frames", "F", "--labels", "L", "--val-fraction", 1), "below 1, not 1"),
        (("--frames", "F", "--labels", "L", "--samples", -1), "--samples -1 is negative"),
        (("--frames", "F", "--labels", "L", "--data", "nothing"), "names no known classes"),
        (("--frames", "F", "--labels", "L", "--flow", "psychic"), "--flow psychic"),
        (("--frames", "F", "--labels", "L", "--out", "F/set"), "lies in the folder of --frames"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    drive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[object, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"F": str(drive / "frames"), "L": str(drive / "labels")}
    named = [str(word) for word in words]
    named = [places.get(w, w.replace("F/", f"{drive / 'frames'}/")) for w in named]
    out = () if "--out" in named else ("--out", tmp_path / "set")
    assert run(*named, *out) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "set").exists()


def test_nothing_that_can_be_done_is_an_exit_status_of_its_own(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "labels" / "77.png"), np.zeros((48, 96), np.uint8))
    words = ("--frames", drive / "frames", "--labels", tmp_path / "labels", "--data", "cityscapes")
    assert run(*words, "--out", tmp_path / "set") == 1
    assert "has no frame: no image below" in capsys.readouterr().err
