"""One folder with every kind of file that users have, beside two good images; a kill in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.ownership import read_lines

SIZE = (48, 64)
DONE = {
    "good", "good_deep", "grey", "palette", "rgba", "cmyk", "grey16", "rgb16", "tiff16", "animated",
    "turned", "clash_jpg", "clash_png",
}  # fmt: skip
SKIPPED = {
    "truncated.jpg": "truncated",
    "truncated.png": "truncated",
    "empty.png": "empty",
    "huge.png": "--max-pixels",
    "text.png": "not an image",
    "broken.png": "a link to a file that is not there",
    "tiny.png": "smaller than 32x32",
}
if os.geteuid() != 0:  # nothing is unreadable for root
    SKIPPED["locked.png"] = "permission"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "deep").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    good = Image.fromarray(pixels)
    good.save(folder / "good.jpg")
    good.save(folder / "deep" / "good.jpg")
    good.convert("L").save(folder / "grey.png")
    good.convert("P").save(folder / "palette.png")
    good.convert("RGBA").save(folder / "rgba.png")
    good.convert("CMYK").save(folder / "cmyk.jpg")
    cv2.imwrite(str(folder / "grey16.png"), pixels[..., 0].astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "rgb16.png"), pixels[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "tiff16.tif"), pixels[..., ::-1].astype(np.uint16) * 257)
    good.save(folder / "animated.gif", save_all=True, append_images=[good.rotate(90)] * 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    good.save(folder / "turned.jpg", exif=exif)
    good.save(folder / "clash.jpg")
    good.save(folder / "clash.png")
    for name in ("truncated.jpg", "truncated.png"):
        good.save(folder / name)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    (folder / "empty.png").touch()
    Image.fromarray(np.zeros((200, 300), np.uint8)).save(folder / "huge.png")
    (folder / "text.png").write_text("not an image")
    (folder / "broken.png").symlink_to(folder / "nowhere.png")
    good.resize((20, 20)).save(folder / "tiny.png")
    if "locked.png" in SKIPPED:
        good.save(folder / "locked.png")
        (folder / "locked.png").chmod(0)
    (folder / "notes.txt").write_text("no image, and not taken for one")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_checkpoint(path, create_model("lite0-ocr-hier", CITYSCAPES.num_classes), CITYSCAPES)
    return path


def _words(folder: Path, weights: Path, out: Path, *more: str) -> list[str]:
    words = ["predict", folder, "--out", out, "--weights", weights, "--max-pixels", "50000"]
    return [*map(str, words), *more]


@pytest.mark.parametrize("batch", ["1", "4"])
def test_each_kind_is_where_it_belongs(
    folder: Path, weights: Path, tmp_path: Path, batch: str
) -> None:
    assert main(_words(folder, weights, tmp_path, "--batch", batch)) == 3
    content = json.loads((tmp_path / "summary.json").read_text())
    found = {Path(entry["source"]).name: entry["reason"] for entry in content["skipped"]}
    assert set(found) == set(SKIPPED)
    for name, reason in SKIPPED.items():
        assert reason in found[name], (name, found[name])
    names = {entry["name"]: entry for entry in content["images"]}
    assert set(names) - {"good_jpg", "deep_good"} >= DONE - {"good", "good_deep"}
    assert len(names) == len(DONE)
    for name, entry in names.items():
        expected = SIZE[::-1] if name == "turned" else SIZE
        assert (entry["height"], entry["width"]) == expected
        with Image.open(tmp_path / f"{name}_labels.png") as labels:
            assert labels.size == expected[::-1]
            assert labels.mode == "L"
    grey = [np.asarray(Image.open(tmp_path / f"{n}_labels.png")) for n in ("rgb16", "tiff16")]
    reference = np.asarray(Image.open(tmp_path / "clash_png_labels.png"))
    assert all((labels == reference).mean() > 0.98 for labels in grey)
    page = (tmp_path / "index.html").read_text()
    assert f"Skipped ({len(SKIPPED)})" in page


@pytest.mark.slow
def test_a_killed_run_is_taken_up(folder: Path, weights: Path, tmp_path: Path) -> None:
    many = tmp_path / "in"
    shutil.copytree(folder, many, symlinks=True, copy_function=shutil.copyfile)
    for number in range(12):  # some time to be killed in
        shutil.copy(folder / "good.jpg", many / f"{number:02d}.jpg")
    count = 12 + len(DONE)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "hierseg", *_words(many, weights, out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        journal = out / ".hierseg-journal.jsonl"
        if journal.exists() and b'"image"' in journal.read_bytes():
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    assert process.wait() == -signal.SIGKILL
    lines = [line for line in read_lines(journal) if isinstance(line, dict)]
    before = [line["image"] for line in lines if "image" in line]
    assert 0 < len(before) < count
    done = [out / entry["files"][0] for entry in before]
    written = [path.stat().st_mtime_ns for path in done]
    assert main(_words(many, weights, out)) == 3
    after = json.loads((out / "summary.json").read_text())
    assert (after["complete"], after["images_done"]) == (True, count)
    assert {Path(entry["source"]).name for entry in after["skipped"]} == set(SKIPPED)
    assert [path.stat().st_mtime_ns for path in done] == written
    assert not list(out.rglob("*.part"))


def test_what_a_killed_run_was_writing_is_removed(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "out").mkdir()
    left, living = (tmp_path / "out" / f".hierseg-{pid}-1.part" for pid in (gone.pid, os.getpid()))
    left.touch()
    living.touch()
    assert main(_words(folder / "good.jpg", weights, tmp_path / "out")) == 0
    assert (left.exists(), living.exists()) == (False, True)
