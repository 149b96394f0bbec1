"""What a command may replace, by the command line: its own files, and no others unless told to."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.commands.convert import _require_converted
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import write_streets
from support.clips import slide, write_clip


def _list(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
    for name in ("a", "b"):
        Image.fromarray(noise).save(folder / f"{name}.jpg")
    return folder


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    """Two scenes of validation, whose label maps have the names of predictions."""
    root = tmp_path / "own"
    write_streets(tmp_path / "drawn", 2, Size(64, 96), seed=3, val_fraction=1.0, workers=1)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for name, image in zip("ab", sorted(tmp_path.glob("drawn/leftImg8bit/*/*/*.png")), strict=True):
        label = str(image).replace("leftImg8bit", "gtFine").removesuffix(".png")
        Image.open(image).convert("RGB").save(root / "images" / f"{name}.jpg", quality=95)
        shutil.copy(f"{label}_labelIds.png", root / "masks" / f"{name}_labels.png")
    return root


def _describe(root: Path) -> Path:
    """A description of the scenes, with Cityscapes' ids."""
    space = CITYSCAPES
    classes = [
        {"name": name, "id": raw, "color": list(color)}
        for name, raw, color in zip(space.names, space.raw_ids, space.colors, strict=True)
    ]
    ignored = sorted({*range(34)} - {*space.raw_ids})
    description: dict[str, Any] = {
        "name": "own",
        "classes": classes,
        "ignore": ignored,
        "splits": {"val": {"images": "images/*.jpg", "labels": "masks/*_labels.png"}},
    }
    path = root / "own.json"
    path.write_text(json.dumps(description))
    return path


def test_ground_truth_stays_what_it_is(
    streets: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = streets / "masks"
    truth = _list(streets)
    data = _describe(streets)
    before = _list(streets)
    flags = ("--data", data, "--weights", checkpoint, "--device", "cpu")
    link = tmp_path / "link"
    link.symlink_to(masks)
    for folder in (masks, streets, link, masks / "x" / "..", streets / "images", link / "."):
        for more in ((), ("--overwrite",)):
            assert _run("evaluate", *flags, "--save-predictions", folder, *more) == 2, folder
            assert "holds images or labels of" in capsys.readouterr().err
    assert _run("predict", streets / "images", "--weights", checkpoint, "--out", masks) == 2
    said = capsys.readouterr().err
    assert "a_labels.png' (and 1 more) exists, and no record says" in said
    assert "--overwrite" in said
    assert _run("predict", streets / "images", "--weights", checkpoint, "--out", link) == 2
    assert {name: content for name, content in _list(streets).items() if name in truth} == truth
    assert _list(streets) == before


def test_predictions_are_saved_again_by_the_same_command_alone(
    streets: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = _describe(streets), tmp_path / "maps"
    words = ("evaluate", "--data", data, "--weights", checkpoint, "--device", "cpu")
    words = (*words, "--save-predictions", out)
    assert _run(*words, "--limit", 1) == 0
    first = _list(out)
    assert _run(*words, "--flip") == 0
    assert {*_list(out)} > {*first}
    # What is evaluate's is not predict's.
    assert _run("predict", streets / "images", "--weights", checkpoint, "--out", out) == 2
    assert "hierseg predict" in capsys.readouterr().err
    (out / ".hierseg-evaluate.jsonl").unlink()
    assert _run(*words) == 2
    assert "a_labels.png" in capsys.readouterr().err
    assert _run(*words, "--overwrite") == 0
    assert _run(*words) == 0


def test_a_folder_below_that_leads_to_the_labels_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "city", tmp_path / "maps"
    write_streets(root, 1, Size(64, 96), seed=3, val_fraction=1.0, workers=1)
    data = tmp_path / "city.json"
    (labels,) = root.glob("gtFine/val/*")
    (images,) = root.glob("leftImg8bit/val/*")
    for path in labels.glob("*_labelIds.png"):
        path.rename(labels / f"{path.name[: -len('_gtFine_labelIds.png')]}_leftImg8bit_labels.png")
    description = json.loads(_describe(tmp_path).read_text())
    split = {"images": "city/leftImg8bit/val/**/*.png", "labels": "city/gtFine/val/**/*_labels.png"}
    data.write_text(json.dumps({**description, "splits": {"val": split}}))
    before = _list(root)
    words = ("evaluate", "--data", data, "--weights", checkpoint, "--device", "cpu")
    assert _run(*words, "--save-predictions", out) == 0
    folders = {path.parent.relative_to(out) for path in out.rglob("*_labels.png")}
    (below,) = folders
    shutil.rmtree(out)
    (out / below).parent.mkdir(parents=True)
    assert below != Path()
    (out / below).symlink_to(labels)
    assert _run(*words, "--save-predictions", out, "--overwrite") == 2
    assert "holds images or labels" in capsys.readouterr().err
    assert _list(root) == before
    assert images.is_dir()


@pytest.mark.parametrize("taken", ["index.html", "legend.json", "a_labels.png", "page/b_image.jpg"])
def test_predict_replaces_nothing_of_others(
    photos: Path, checkpoint: Path, tmp_path: Path, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("predict", photos, "--weights", checkpoint, "--out", out, "--save", "labels")
    (out / taken).parent.mkdir(parents=True)
    (out / taken).write_bytes(b"mine")
    assert _run(*words) == 2
    assert f"{taken}' exists" in capsys.readouterr().err
    assert _list(out) == {taken: b"mine"}
    assert _run(*words, "--overwrite") == 0
    assert (out / taken).read_bytes() != b"mine"
    assert _run(*words) == 0  # they are its own now


def test_an_image_is_never_replaced_by_an_output(
    photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "a.jpg").rename(photos / "b_overlay.jpg")
    before = _list(photos)
    images = sorted(photos.iterdir())
    for more in ((), ("--overwrite",)):
        assert _run("predict", *images, "--weights", checkpoint, "--out", photos, *more) == 2
        assert "is an image that is to be segmented" in capsys.readouterr().err
    assert _list(photos) == before


def test_what_was_overwritten_is_gone_on_with(
    photos: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with --overwrite that is interrupted, and then the same command without."""
    from hierseg.jobs import images as run_module

    out = tmp_path / "out"
    words = ("predict", photos, "--weights", checkpoint, "--out", out, "--save", "labels")
    out.mkdir()
    for name in ("a_labels.png", "b_labels.png"):
        (out / name).write_bytes(b"another's")
    segment = run_module._segment

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "_segment", stop)
    assert _run(*words, "--overwrite") == 130
    monkeypatch.setattr(run_module, "_segment", segment)
    assert _run(*words) == 0


@pytest.mark.slow
def test_a_video_replaces_nothing_of_others(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    clip = write_clip(tmp_path / "drive.mp4", slide(frame, 3, 4), 10)
    for taken in ("drive_overlay.mp4", "drive_frames/000001_labels.png", "legend.json"):
        out = tmp_path / taken.replace("/", "_")
        words = ("predict", clip, "--weights", checkpoint, "--out", out, "--save", "overlay")
        words = (*words, "labels")
        (out / taken).parent.mkdir(parents=True)
        (out / taken).write_bytes(b"mine")
        assert _run(*words) == 2
        assert f"{taken}' exists" in capsys.readouterr().err
        assert _list(out) == {taken: b"mine"}
        assert _run(*words, "--overwrite") == 0
        assert _run(*words) == 0


def test_results_in_json_replace_their_like(
    streets: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = _describe(streets), tmp_path / "result.json"
    evaluate = ("evaluate", "--data", data, "--weights", checkpoint, "--limit", 1, "--json", out)
    check = ("check", data, "--workers", "0", "--json", out)
    for content in (b"[]", b"{}", b"\xff", b"", b"[" * 100_000, b'{"hierseg": "1"}'):
        out.write_bytes(content)
        for words in (evaluate, check):
            assert _run(*words) == 2
            assert "--json" in capsys.readouterr().err
            assert out.read_bytes() == content
    assert _run(*evaluate, "--overwrite") == 0
    assert _run(*evaluate) == 0
    assert _run(*check) == 2
    assert json.loads(out.read_text())["command"] == "evaluate"
    assert _run(*check, "--overwrite") < 2  # whatever it finds
    assert _run(*check) < 2
    assert json.loads(out.read_text())["command"] == "check"
    assert _run(*check[:-1], "/dev/null") < 2


@pytest.mark.slow
def test_pictures_of_an_evaluation_replace_their_like(
    streets: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _describe(streets)
    for number, (taken, more) in enumerate(
        (
            ("reliability.png", ("--calibration",)),
            ("corruptions.png", ("--corruptions", "fog")),
            ("index.html", ("--worst", "1")),
            ("page/000000_errors.jpg", ("--worst", "1")),
        )
    ):
        out = tmp_path / str(number)
        common = ("evaluate", "--data", data, "--weights", checkpoint, "--limit", 1, "--out", out)
        (out / taken).parent.mkdir(parents=True, exist_ok=True)
        (out / taken).write_bytes(b"mine")
        assert _run(*common, *more) == 2
        assert f"{taken}' exists" in capsys.readouterr().err
        assert (out / taken).read_bytes() == b"mine"
        assert _run(*common, *more, "--overwrite") == 0
        assert (out / taken).read_bytes() != b"mine"
        assert _run(*common, *more) == 0


def test_a_demonstration_replaces_its_like(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("demo", "--count", 1, "--size", "64x128", "--weights", checkpoint, "--out", out)
    (out / "scenes").mkdir(parents=True)
    (out / "scenes" / "street_00.png").write_bytes(b"mine")
    assert _run(*words) == 2
    assert "street_00.png' exists" in capsys.readouterr().err
    assert _list(out) == {"scenes/street_00.png": b"mine"}
    assert _run(*words, "--overwrite") == 0
    assert _run(*words) == 0


def test_streets_are_drawn_over_something_else_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    words = ("streets", "--out", tmp_path, "--size", "64x96", "--workers", 1, "--count")
    assert _run(*words, 3) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert _run(*words, 3, "--overwrite") == 0
    assert len(list(tmp_path.rglob("*_leftImg8bit.png"))) == 3
    assert _run(*words, 2) == 1
    assert _run(*words, 2, "--overwrite") == 0
    assert len(list(tmp_path.rglob("*_leftImg8bit.png"))) == 2  # none of another set is left
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_a_training_is_not_replaced_by_a_conversion(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    _require_converted(out)
    shutil.copy(checkpoint, out)
    _require_converted(out)
    network = load_model(checkpoint)
    save_checkpoint(out, network, CITYSCAPES, record={"epoch": 3})
    with pytest.raises(UsageError, match="--overwrite"):
        _require_converted(out)
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="--overwrite"):
        _require_converted(out)


def _start(words: tuple[object, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hierseg", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_runs_into_one_folder_are_one_and_a_sentence(
    photos: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for number in range(40):
        shutil.copy(photos / "a.jpg", photos / f"{number:02}.jpg")
    out = tmp_path / "out"
    words = ("predict", photos, "--weights", checkpoint, "--out", out, "--save", "labels")
    both = [_start(words), _start(words)]
    said = [process.communicate()[1] for process in both]
    found = sorted(process.returncode for process in both)
    content = json.loads((out / "summary.json").read_text())
    assert content["images_done"] == 42
    if found != [0, 0]:  # else one had ended before the other began
        assert found == [0, 1]
        (refusal,) = [text for text in said if "another run writes into" in text]
        assert "since 20" in refusal
    assert not list(out.glob(".hierseg*"))


def test_a_killed_run_loses_no_image_that_was_done(
    photos: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for number in range(60):
        shutil.copy(photos / "a.jpg", photos / f"{number:02}.jpg")
    out, journal = tmp_path / "out", tmp_path / "out" / ".hierseg-journal.jsonl"
    words = ("predict", photos, "--weights", checkpoint, "--out", out, "--save", "labels")
    process = _start(words)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b'{"image": ') > 4:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "summary.json").exists()
    with journal.open("ab") as file:
        file.write(b'{"image": {"source": "torn')
    lines = [json.loads(line) for line in journal.read_text().splitlines()[:-1]]
    done = [out / line["image"]["files"][0] for line in lines if "image" in line]
    assert len(done) > 4
    times = [path.stat().st_mtime_ns for path in done]
    assert _run(*words) == 0
    assert [path.stat().st_mtime_ns for path in done] == times
    content = json.loads((out / "summary.json").read_text())
    assert (content["images_done"], content["complete"]) == (62, True)
    assert content["other_files"] == []
    assert not list(out.glob(".hierseg*"))
