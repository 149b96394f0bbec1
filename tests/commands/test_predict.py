from __future__ import annotations

import itertools
import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hierseg.checkpoint.annotate import annotate_checkpoint
from hierseg.checkpoint.load import load_model
from hierseg.cli import main
from hierseg.commands.predict import Output, Palette
from hierseg.inference.footprint import Footprint
from hierseg.inference.predictor import Predictor
from hierseg.jobs.writers import EVERY, WRITERS
from hierseg.media.palettes import PALETTES
from support.clips import read_clip, slide, write_clip
from support.pages import read_cards

Run = Callable[..., int]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two images of odd sizes in one folder."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (67, 131, 3), np.uint8)
    Image.fromarray(noise).save(folder / "one.png")
    Image.fromarray(noise[:40, :50]).save(folder / "deep" / "two.jpg")
    return folder


@pytest.fixture
def run(checkpoint: Path, tmp_path: Path) -> Run:
    def run_predict(*words: object) -> int:
        flags = ["--out", tmp_path / "out", "--weights", checkpoint]
        return main(["predict", *map(str, [*words, *flags])])

    return run_predict


def test_save_names_what_there_are_writers_for() -> None:
    assert set(typing.get_args(Output)) == set(EVERY)
    assert typing.get_args(Palette) == PALETTES


def test_a_folder_becomes_label_maps_overlays_and_a_page(
    run: Run, pictures: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures) == 0
    out = tmp_path / "out"
    said = capsys.readouterr().out
    assert said == f"2 of 2 images segmented: {(out / 'index.html').as_uri()}\n"
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    kinds = ("labels.png", "ids.png", "color.png", "overlay.jpg")
    assert files == {
        "index.html", "legend.json", "summary.json", "page/one_image.jpg", "page/two_image.jpg",
        "page/one_pixels.js", "page/two_pixels.js",
        *(f"{name}_{kind}" for name in ("one", "two") for kind in kinds),
    }  # fmt: skip
    predicted = Predictor(load_model(checkpoint))(pictures / "one.png")
    for kind, expected in (("labels", predicted.labels), ("ids", predicted.raw_ids())):
        stored = cv2.imread(str(out / f"one_{kind}.png"), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert np.array_equal(stored, expected)
    with Image.open(out / "two_overlay.jpg") as overlay:
        assert overlay.size == (50, 40)
    page = (out / "index.html").read_text()
    (one,) = [card for card in read_cards(page) if card.name == "one"]
    assert "one_overlay.jpg" in one.addresses
    assert "untrained.safetensors" in page


def test_some_skipped_is_status_3_and_the_page_lists_them(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "empty.png").touch()
    assert run(pictures, "--save", "labels", "--max-pixels", "8000") == 3
    said = capsys.readouterr()
    assert said.out.startswith("1 of 3 images segmented")
    assert "2 were skipped" in said.err
    skipped = json.loads((tmp_path / "out" / "summary.json").read_text())["skipped"]
    assert [Path(entry["source"]).name for entry in skipped] == ["empty.png", "one.png"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "8,777 pixels are more than --max-pixels 8,000" in page


def test_nothing_done_is_status_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no image")
    assert run(tmp_path / "x.png") == 1
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["images"] == []


def test_everything_that_can_be_saved(run: Run, pictures: Path, tmp_path: Path) -> None:
    image = pictures / "one.png"
    assert run(image, "--save", *WRITERS, "--scales", "0.5", "1", "2", "--flip") == 0
    names = {path.name for path in (tmp_path / "out").glob("one_*")}
    assert names == {
        "one_labels.png", "one_ids.png", "one_color.png", "one_overlay.jpg", "one_confidence.png",
        "one_attention_0.5.png", "one_attention_0.5_heat.jpg", "one_attention_1.png",
        "one_attention_1_heat.jpg", "one_labels_0.5.png", "one_labels_1.png", "one_labels_2.png",
    }  # fmt: skip
    for name in names:
        with Image.open(tmp_path / "out" / name) as stored:
            assert stored.size == (131, 67), name
    assert "attention at 0.5" in (tmp_path / "out" / "index.html").read_text()


def test_the_same_command_does_nothing_twice_and_others_are_refused(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, "--save", "labels") == 0
    written = (tmp_path / "out" / "one_labels.png").stat().st_mtime_ns
    with Image.open(tmp_path / "out" / "one_labels.png") as stored:
        size = stored.size
    assert run(pictures, "--save", "labels") == 0
    assert (tmp_path / "out" / "one_labels.png").stat().st_mtime_ns == written
    assert capsys.readouterr().out.count("2 of 2 images segmented") == 2
    assert run(pictures, "--save", "labels", "--flip") == 2
    assert "flip (False then, True now)" in capsys.readouterr().err
    assert run(pictures, "--save", "labels", "--flip", "--overwrite") == 0
    assert run(pictures, "--save", "labels", "--flip", "--long-edge", "140") == 2
    assert "long_edge (none then, 140 now)" in capsys.readouterr().err
    assert run(pictures, "--save", "labels", "--long-edge", "140", "--overwrite") == 0
    with Image.open(tmp_path / "out" / "one_labels.png") as stored:
        assert stored.size == size
    assert run(pictures, "--save", "labels", "--short-edge", "70", "--overwrite") == 0
    settings = json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]
    assert (settings["short_edge"], "long_edge" in settings) == (70, False)
    assert "images run at a short edge of 70" in (tmp_path / "out" / "index.html").read_text()
    with Image.open(tmp_path / "out" / "one_labels.png") as stored:
        assert stored.size == size
    assert run(pictures, "--short-edge", "70", "--long-edge", "own") == 2
    assert "--short-edge and --long-edge both say" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.png"], "nowhere.png does not exist"),
        ([], "at least one image"),
        (["PICTURES", "--scales", "0.5"], "must include 1"),
        (["PICTURES", "--scales"], "--scales"),
        (["PICTURES", "--save", "attention", "--scales", "1"], "--scales 0.5 1"),
        (["PICTURES", "--save"], "--save"),
        (["PICTURES", "--max-pixels", "0"], "--max-pixels"),
        (["PICTURES", "--batch", "0"], "--batch"),
        (["PICTURES", "--workers", "0"], "--workers 0"),
        (["PICTURES", "--long-edge", "31"], "--long-edge 31"),
        (["PICTURES", "--device", "abacus"], "--device"),
        (["PICTURES", "--split", "train"], "--split is for a data set"),
        (["PICTURES", "--cv", "1"], "--cv is for a data set"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    run: Run,
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert run(*(pictures if word == "PICTURES" else word for word in words)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_folder_in_the_way_is_named(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "one_labels.png").mkdir(parents=True)
    assert run(pictures / "one.png", "--save", "labels") == 1
    assert "one_labels.png: this is a folder where a file is needed" in capsys.readouterr().err


def test_weights_that_are_none_are_wrong_usage(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", pictures, "--out", tmp_path / "out", "--weights", "stretes"]
    assert main([str(word) for word in words]) == 2
    assert "stretes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_is_a_sentence(
    pictures: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").touch()
    words = ["predict", pictures, "--out", tmp_path / "out", "--weights", checkpoint]
    assert main([str(word) for word in words]) == 1
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_a_video_becomes_an_overlay_video(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    video = write_clip(tmp_path / "drive.mp4", slide(noise, 60), 30)
    assert run(video) == 0  # 60 frames
    out = tmp_path / "out"
    frames, rate = read_clip(out / "drive_overlay.mp4")
    assert (len(frames), rate, frames[0].shape) == (60, 30, (48, 64, 3))
    assert len(list((out / "drive_frames").glob("*_labels.png"))) == 60
    address = (out / "drive_overlay.mp4").as_uri()
    assert capsys.readouterr().out == f"60 frames segmented: {address}\n"
    flags = ("--from", "0.5", "--to", "1.5", "--every", "10", "--frames", "--overwrite")
    assert run(video, *flags) == 0
    assert (out / "drive_frames" / "000015_image.png").is_file()
    shown = read_cards((out / "index.html").read_text())
    assert "page/drive_frames/000025_image.jpg" in [one for card in shown for one in card.addresses]


@pytest.mark.slow
def test_a_steady_video_flickers_less_and_goes_on_where_it_was_stopped(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    rng = np.random.default_rng(0)
    still = np.kron(rng.integers(70, 180, (6, 8, 3)), np.ones((8, 8, 1)))
    noise = [
        np.clip(still + rng.normal(0, 12, still.shape), 0, 255).astype(np.uint8) for _ in range(6)
    ]
    video = write_clip(tmp_path / "drive.mp4", noise, 10)

    def read() -> list[np.ndarray]:
        files = sorted((tmp_path / "out" / "drive_frames").glob("*_labels.png"))
        return [np.asarray(Image.open(file)) for file in files]

    def changes(found: list[np.ndarray]) -> float:
        return float(np.mean([(a != b).mean() for a, b in itertools.pairwise(found)]))

    assert run(video) == 0
    plain = read()
    assert run(video, "--steady") == 2  # frames of other settings are there
    assert "steady" in capsys.readouterr().err
    assert run(video, "--steady", "--overwrite") == 0
    steady = read()
    assert len(steady) == 6
    assert changes(steady) < changes(plain)
    (tmp_path / "out" / "drive_frames" / "000004_labels.png").unlink()
    assert run(video, "--steady") == 0
    assert all((a == b).all() for a, b in zip(read()[:4], steady[:4], strict=True))
    assert run(video, "--steady", "reuse", "--flip", "--overwrite") == 2
    assert "leave out --flip" in capsys.readouterr().err
    assert run(video, "--steady", "--flow", "folder:x", "--overwrite") == 2
    assert "a video has none" in capsys.readouterr().err
    assert run(video, "--steady", "--save", "attention", "--overwrite") == 2


def test_a_damaged_video_is_done_as_far_as_it_goes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in range(20)]
    data = write_clip(tmp_path / "whole.mp4", noise, 10).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    assert run(tmp_path / "cut.mp4", "--save", "labels") == 3
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"hierseg: {tmp_path / 'cut.mp4'} is ")
    (tmp_path / "cut.mp4").write_bytes(b"text")
    assert run(tmp_path / "cut.mp4") == 1


def test_a_video_is_named_alone_and_its_flags_go_with_one(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, tmp_path / "a.mp4") == 2
    assert "a video is segmented by itself" in capsys.readouterr().err
    assert run(tmp_path / "a.mp4") == 2
    assert "a.mp4 does not exist" in capsys.readouterr().err
    for flags in (
        ("--every", "2"),
        ("--from", "0"),
        ("--to", "3"),
        ("--frames",),
        ("--steady",),
        ("--flow", "dis"),
    ):
        assert run(pictures, *flags) == 2
        assert f"{flags[0]} is for a video" in capsys.readouterr().err
    assert run(tmp_path / "a.mp4", "--every", "0") == 2
    assert "--every 0" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from hierseg.cli import main; "
        "status = main(['predict', sys.argv[1], '--out', sys.argv[2]]); "
        "print(status, 'torch' in sys.modules)"
    )
    for source in ("nothere.jpg", "*.jpg", "."):
        words = [sys.executable, "-c", code, str(tmp_path / source), str(tmp_path / "out")]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stdout == "2 False\n"
        assert done.stderr.startswith("hierseg: ")


def test_what_is_left_of_a_folder_is_listed_with_the_cure(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("drive.3gp", "raw.dng", "notes.txt"):
        (pictures / name).write_bytes(b"x")
    assert run(pictures, "--save", "labels") == 3
    said = capsys.readouterr()
    assert said.out.startswith("2 of 4 images segmented")
    assert "2 images found, 2 left out\n" in said.err
    skipped = json.loads((tmp_path / "out" / "summary.json").read_text())["skipped"]
    reasons = {Path(entry["source"]).name: entry["reason"] for entry in skipped}
    assert set(reasons) == {"drive.3gp", "raw.dng"}
    assert f"hierseg predict {pictures / 'drive.3gp'} --out" in reasons["drive.3gp"]
    assert "save it as JPEG" in reasons["raw.dng"]


def test_the_long_edge_of_the_weights_is_taken_and_said(
    pictures: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "edged.safetensors"
    annotate_checkpoint(checkpoint, weights, load_model(checkpoint), {"long_edge": 100})
    words = ["predict", str(pictures), "--weights", str(weights), "--save", "labels"]
    assert main([*words, "--out", str(tmp_path / "auto")]) == 0
    said = capsys.readouterr().err
    assert "1 of 2 images had a side above 100 pixels and ran at that long edge" in said
    assert (
        json.loads((tmp_path / "auto" / "summary.json").read_text())["settings"]["longest"] == 100
    )
    assert "larger images run at a long edge of 100" in (tmp_path / "auto/index.html").read_text()
    assert main([*words, "--out", str(tmp_path / "own"), "--long-edge", "own"]) == 0
    assert "were run at" not in capsys.readouterr().err
    stored = cv2.imread(str(tmp_path / "own" / "one_labels.png"), cv2.IMREAD_UNCHANGED)
    predicted = Predictor(load_model(weights), long_edge=None)(pictures / "one.png")
    assert np.array_equal(stored, predicted.labels)
    # Another size of running is another result: a run with it does not go on.
    assert main([*words, "--out", str(tmp_path / "own")]) == 2
    assert "longest (none then, 100 now)" in capsys.readouterr().err


def test_a_picture_beyond_the_memory_is_run_by_windows_and_the_page_says_so(
    run: Run,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.new("RGB", (800, 600), (90, 60, 30)).save(pictures / "large.png")
    monkeypatch.setattr(Footprint, "per_pixel", lambda *_: 1000.0)
    monkeypatch.setattr("hierseg.engines.memory.read_free_memory", lambda _: 4.4e8)
    assert run(pictures, "--save", "labels") == 0
    said = capsys.readouterr().err
    assert "large.png: 600x800 pixels need about 0.7 GB of memory, and 0.4 GB are free" in said
    assert "it is run in windows" in said
    records = json.loads((tmp_path / "out" / "summary.json").read_text())["images"]
    facts = {record["name"]: record["facts"] for record in records}
    assert facts["one"] == []
    assert facts["large"][0].startswith("run in windows ")
    assert "% of the labels are the whole" in facts["large"][0]
    assert "run in windows" in (tmp_path / "out" / "index.html").read_text()
    stored = cv2.imread(str(tmp_path / "out" / "large_labels.png"), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.shape == (600, 800)


def test_unsure_pixels_are_void_in_the_files_and_other_thresholds_do_not_go_on(
    run: Run, pictures: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pictures / "one.png"
    plain = Predictor(load_model(checkpoint))(image)
    threshold = float(np.median(plain.confidence))
    assert run(image, "--unknown", threshold, "--engine", "torch") == 0
    labels = np.asarray(Image.open(tmp_path / "out" / "one_labels.png"))
    assert np.array_equal(labels == 255, plain.confidence < threshold)
    ids = np.asarray(Image.open(tmp_path / "out" / "one_ids.png"))
    assert np.unique(ids[labels == 255]).tolist() == [plain.label_space.void_raw_id]
    capsys.readouterr()
    assert run(image, "--unknown", 0.9, "--engine", "torch") == 2
    assert "unknown (" in capsys.readouterr().err
    assert run(image, "--unknown", 2) == 2
    assert "--unknown 2 is not a probability" in capsys.readouterr().err
