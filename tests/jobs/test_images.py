from __future__ import annotations

import dataclasses
import errno
import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from rich.console import Console

from hierseg.engines.fingerprints import fingerprint
from hierseg.errors import UsageError, UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs import pipeline as pipeline_module
from hierseg.jobs import writers
from hierseg.jobs.images import run_folder
from hierseg.jobs.job import interrupted_after
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings, describe_outputs
from hierseg.jobs.summary import Summary
from hierseg.jobs.writers import list_run_files
from hierseg.labels import LabelSpace
from hierseg.media import picture_writing

Pixels = npt.NDArray[np.uint8]
LABELS = RunSettings(save=("labels",), weights="w")


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


@pytest.fixture
def images(tmp_path: Path, image: Pixels) -> list[Path]:
    """Three images, each another part of red."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(np.roll(image, 5 * index, axis=0)).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


def _run(predictor: Predictor, images: list[Path], out: Path, **changes: Any) -> Summary:
    return run_folder(predictor, images, out, RunSettings(**{"save": ("labels",), **changes}))


def _sizes_seen(predictor: Predictor) -> int:
    network: Any = predictor.network
    return len(network.calls)


def test_every_image_gets_its_own_outputs(
    predictor: Predictor, images: list[Path], labels: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "a" / "out"
    summary = run_folder(predictor, images, out, LABELS)
    for index in range(3):
        with Image.open(out / f"{index}_labels.png") as stored:
            assert np.array_equal(np.asarray(stored), np.roll(labels, 5 * index, axis=0))
    assert summary.skipped == {}
    content = json.loads((out / "summary.json").read_text())
    assert content["complete"] is True
    assert [Path(entry["source"]).name for entry in content["images"]] == [
        "0.png",
        "1.png",
        "2.png",
    ]
    first = content["images"][0]
    assert (first["height"], first["width"]) == (40, 60)
    assert first["shares"] == {"red": 0.625, "blue & <b>white</b>": 0.25, "green": 0.125}
    assert first["files"] == [
        "0_labels.png", "page/0_image.jpg", "page/0_overlay.jpg", "page/0_pixels.js",
    ]  # fmt: skip
    assert json.loads((out / "legend.json").read_text())["label_space"] == "flags"


def test_bad_images_are_listed_and_stop_nothing(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "in" / "bad.png").write_text("text")
    (tmp_path / "in" / "gone.jpg").symlink_to("nowhere")
    said = io.StringIO()
    bad = [tmp_path / "in" / "bad.png", *images, tmp_path / "in" / "gone.jpg"]
    out = tmp_path / "out"
    summary = run_folder(predictor, bad, out, LABELS, Console(file=said, width=500))
    assert len(summary.records) == 3
    assert summary.skipped == {
        str(bad[0]): "not an image of a known format",
        str(bad[-1]): "a link to a file that is not there",
    }
    assert "bad.png: not an image" in said.getvalue()
    listed = json.loads((out / "summary.json").read_text())["skipped"]
    assert [entry["source"] for entry in listed] == [str(bad[0]), str(bad[-1])]


def test_what_the_network_refuses_or_has_no_memory_for_is_skipped(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[Exception] = [UserError("too odd"), RuntimeError("can't allocate memory")]
    forward = predictor.network.forward

    def fail_twice(*arguments: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop(0)
        return forward(*arguments, **named)

    monkeypatch.setattr(predictor.network, "forward", fail_twice)
    summary = _run(predictor, images, tmp_path / "out")
    assert [Path(source).name for source in summary.records] == ["2.png"]
    reasons = list(summary.skipped.values())
    assert reasons[0] == "too odd"
    assert "40x60" in reasons[1]
    assert "memory" in reasons[1]


def test_a_defect_of_the_network_is_not_taken_for_a_bad_image(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(predictor.network, "forward", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        _run(predictor, images, tmp_path / "out")


def test_what_is_done_is_not_done_again(
    predictor: Predictor, images: list[Path], image: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, images[:2], out)
    summary = _run(predictor, images, out)
    assert _sizes_seen(predictor) == 3
    assert [record.name for record in summary.records.values()] == ["0", "1", "2"]
    Image.fromarray(image[:35]).save(images[0])  # a changed image
    (out / "1_labels.png").unlink()  # a lost output
    summary = _run(predictor, images, out)
    assert _sizes_seen(predictor) == 5
    assert summary.records[str(images[0])].height == 35
    assert (out / "1_labels.png").is_file()


def test_other_settings_are_refused_with_what_differs(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, images, out)
    other = Predictor(predictor.network, (1.0, 2.0), True, label_space=predictor.label_space)
    with pytest.raises(UsageError, match="--overwrite") as raised:
        _run(other, images, out)
    assert "scales (0.5 1 then, 1 2 now)" in str(raised.value)
    assert "flip (False then, True now)" in str(raised.value)
    assert "weights" not in str(raised.value)
    before = _sizes_seen(predictor)
    _run(other, images, out, overwrite=True)
    assert _sizes_seen(predictor) == before + 6  # mirrored as well


def test_a_damaged_summary_is_said_to_be_one(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, images[:1], out)
    good = json.loads((out / "summary.json").read_text())
    wrong: list[dict[str, Any]] = [
        {"name": None}, {"name": "../../evil"}, {"name": "/evil"}, {"source": 5}, {"source": []},
        {"files": None}, {"files": ["../x.png"]}, {"files": [3]}, {"bytes": "1"},
        {"confidence": float("nan")}, {"shares": {"road": "much"}}, {"panels": [{"kind": 1}]},
    ]  # fmt: skip
    texts = ["{", "[]", '{"settings": {}, "images": [{"name": 1}]}', "[" * 100_000]
    for change in wrong:
        texts.append(json.dumps(good | {"images": [good["images"][0] | change]}))
    for text in texts:
        (out / "summary.json").write_text(text)
        with pytest.raises(UserError, match=r"summary\.json is not a summary"):
            _run(predictor, images, out)
    (out / "summary.json").write_text(json.dumps(good))
    assert len(_run(predictor, images[:1], out).records) == 1


def test_another_meaning_of_the_labels_is_another_run(
    predictor: Predictor, images: list[Path], space: LabelSpace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, images, out)
    other = dataclasses.replace(space, raw_ids=(7, 301, 0))
    with pytest.raises(UsageError, match="label_space"):
        _run(Predictor(predictor.network, label_space=other), images, out)
    content = json.loads((out / "summary.json").read_text())
    del content["settings"]["label_space"]  # as older runs wrote it
    (out / "summary.json").write_text(json.dumps(content))
    before = _sizes_seen(predictor)
    _run(predictor, images, out)
    assert _sizes_seen(predictor) == before


def test_outputs_that_are_no_numbers_are_skipped_with_why(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    network: Any = predictor.network
    with torch.no_grad():
        network.colors[1] = float("nan")
    summary = _run(predictor, images, tmp_path / "out")
    assert not summary.records
    assert all("not finite" in reason for reason in summary.skipped.values())
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["images_skipped"] == 3


def test_an_interrupted_run_goes_on_where_it_stopped(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    forward = predictor.network.forward

    def interrupt(*arguments: Any, **named: Any) -> Any:
        if _sizes_seen(predictor) == 2:
            raise KeyboardInterrupt
        return forward(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(predictor.network, "forward", interrupt)
        with pytest.raises(KeyboardInterrupt, match="2 images are done, and the same command go"):
            _run(predictor, images, out)
    assert "command without --overwrite goes" in str(interrupted_after("2 images", overwrite=True))
    content = json.loads((out / "summary.json").read_text())
    assert content["complete"] is False
    assert content["images_done"] == 2
    assert len(_run(predictor, images, out).records) == 3
    assert _sizes_seen(predictor) == 3


def test_a_killed_run_loses_little(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "BEHIND", 0)
    seen, out = [], tmp_path / "out"
    settings = describe_outputs(predictor, RunSettings(save=("labels",)))
    forward = predictor.network.forward

    def look(*arguments: Any, **named: Any) -> Any:
        assert not (out / "summary.json").exists()  # it is made of the journal, at the end
        seen.append(len(Summary.open(out, settings).records))
        return forward(*arguments, **named)

    monkeypatch.setattr(predictor.network, "forward", look)
    _run(predictor, images, out)
    assert seen == [0, 1, 2]


def test_a_full_disk_ends_the_run(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setitem(writers.EVERY, "labels", full)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No space"):
        _run(predictor, images, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["images_done"] == 0
    assert threading.active_count() == 1 or not any(
        thread.name.startswith(("read", "write")) for thread in threading.enumerate()
    )


def test_names_from_an_earlier_run_stay(
    predictor: Predictor, images: list[Path], image: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, images[:1], out)
    jpeg = tmp_path / "in" / "0.jpg"
    Image.fromarray(image).save(jpeg)
    summary = _run(predictor, [jpeg, *images[:1]], out)
    assert {Path(s).name: r.name for s, r in summary.records.items()} == {
        "0.jpg": "0_jpg",
        "0.png": "0",
    }


def test_the_fingerprint_tells_weights_apart(network: Any) -> None:
    before = fingerprint(network)
    assert fingerprint(network) == before
    network.colors.data[0, 0] += 1e-4
    assert fingerprint(network) != before
    assert len(before) == 16


def test_the_fingerprint_tells_normalisations_apart(network: Any) -> None:
    before = fingerprint(network)
    network.builder_arguments = {"align_corners": False, "num_classes": 3}
    assert fingerprint(network) == before
    found = {before}
    for arguments in ({"mean": (0.1, 0.2, 0.3)}, {"std": (0.1, 0.2, 0.3)}, {"align_corners": True}):
        network.builder_arguments = arguments
        found.add(fingerprint(network))
    assert len(found) == 4


def test_where_there_is_no_terminal_progress_is_lines(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hierseg.jobs.progress.SECONDS_BETWEEN_LINES", 0.0)
    said = io.StringIO()
    run_folder(predictor, images, tmp_path / "out", LABELS, Console(file=said, width=200))
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("1 of 3 images, ")
    assert "images/s" in lines[0]
    assert "left" in lines[0]
    monkeypatch.setattr("hierseg.jobs.progress.time.monotonic", lambda: 100.0)
    progress = RunProgress(11, Console(file=said))
    progress.done, progress._start = 1, 90.0
    assert progress._line().endswith("1 min 40 s left")  # ten images of ten seconds


def test_an_image_saved_anew_while_it_was_segmented_is_done_again(
    predictor: Predictor, images: list[Path], image: Pixels, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, forward = tmp_path / "out", predictor.network.forward

    def save_anew(*arguments: Any, **named: Any) -> Any:
        for path in images:
            Image.fromarray(image[:35]).save(path)
        return forward(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(predictor.network, "forward", save_anew)
        assert _run(predictor, images[:1], out).records[str(images[0])].height == 40
    assert _run(predictor, images[:1], out).records[str(images[0])].height == 35


def test_an_output_that_its_format_does_not_hold_is_left_out_with_why(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    wide, high = tmp_path / "in" / "wide.png", tmp_path / "in" / "high.png"
    Image.new("RGB", (65_501, 33), (250, 10, 10)).save(wide)
    Image.new("RGB", (33, 65_501), (250, 10, 10)).save(high)
    out, said = tmp_path / "out", io.StringIO()
    settings = RunSettings(save=("labels", "overlay"))
    console = Console(file=said, width=500)
    summary = run_folder(predictor, [wide, *images, high], out, settings, console)
    assert len(summary.records) == 5
    assert not summary.skipped
    for path in (wide, high):
        record = summary.records[str(path)]
        assert "a JPG has at most 65,500 on a side" in record.unwritten["overlay"]
        assert f"{path.stem}_labels.png" in record.files
        assert f"{path.stem}_overlay.jpg" not in record.files
        assert f"{path} without overlay: " in said.getvalue()
    before = _sizes_seen(predictor)
    assert len(run_folder(predictor, [wide, *images], out, settings).records) == 5
    assert _sizes_seen(predictor) == before  # it is done, as far as it can be
    assert _run(predictor, [wide], tmp_path / "other", save=("overlay",)).records == {}
    content = json.loads((tmp_path / "other" / "summary.json").read_text())
    assert "33x65501 pixels" in content["skipped"][0]["reason"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENAMETOOLONG, errno.EACCES, errno.EISDIR])
def test_a_place_that_takes_no_file_costs_one_picture(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:  # fmt: skip
    write = picture_writing.write_bytes

    def fail_once(path: Path, content: bytes, within: Path | None = None) -> Path:
        if path.name == "1_labels.png":
            raise OSError(code, "no", str(path))
        return write(path, content, within)

    with monkeypatch.context() as patch:
        patch.setattr(picture_writing, "write_bytes", fail_once)
        summary = _run(predictor, images, tmp_path / "out")
    assert [record.name for record in summary.records.values()] == ["0", "2"]
    (reason,) = summary.skipped.values()
    assert reason.startswith("cannot be written: 1_labels.png: ")
    assert ";" not in reason
    assert len(_run(predictor, images, tmp_path / "out").records) == 3  # tried again


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_is_true_of_all_files_ends_the_run_and_keeps_what_is_done(
    predictor: Predictor, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:  # fmt: skip
    write = picture_writing.write_bytes

    def fail_late(path: Path, content: bytes, within: Path | None = None) -> Path:
        if path.name == "2_labels.png":
            raise OSError(code, "no", str(path))
        return write(path, content, within)

    monkeypatch.setattr(picture_writing, "write_bytes", fail_late)
    with pytest.raises(OSError, match="no"):
        _run(predictor, images, tmp_path / "out")
    monkeypatch.undo()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["images_done"] == 2
    before = _sizes_seen(predictor)
    assert len(_run(predictor, images, tmp_path / "out").records) == 3
    assert _sizes_seen(predictor) == before + 1


def test_the_files_that_are_looked_for_are_all_that_are_written(
    network: Any, space: LabelSpace, images: list[Path], tmp_path: Path
) -> None:
    predictor = Predictor(network, (0.5, 1.0, 2.0), label_space=space, keep_scales=True)
    save = tuple(writers.WRITERS)
    (record,) = _run(predictor, images[:1], tmp_path / "out", save=save).records.values()
    expected = list_run_files(predictor, save, [record.name])
    assert set(record.files) <= set(expected)
    for key in save:
        alone = _run(predictor, images[:1], tmp_path / key, save=(key,)).records
        (one,) = alone.values()
        assert set(one.files) <= set(list_run_files(predictor, (key,), [one.name]))


def test_a_folder_of_an_earlier_version_goes_on(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    """It has no journal, and a killed run there had written more than its summary says."""
    out = tmp_path / "out"
    _run(predictor, images, out)
    path = out / "summary.json"
    content = json.loads(path.read_text())
    del content["other_files"]
    for image in content["images"]:
        del image["unwritten"]
    path.write_text(json.dumps(content))
    before = _sizes_seen(predictor)
    assert len(_run(predictor, images, out).records) == 3
    assert _sizes_seen(predictor) == before
    path.write_text(json.dumps(content | {"images": content["images"][:1], "complete": False}))
    assert len(_run(predictor, images, out).records) == 3
    assert _sizes_seen(predictor) == before + 2


def test_names_with_control_characters_forge_no_line(
    predictor: Predictor, images: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "in" / "a\x1b[2K\nskipped b.png"
    path.write_text("text")
    said = io.StringIO()
    run_folder(predictor, [path, *images], tmp_path / "out", LABELS, Console(file=said, width=500))
    assert len(said.getvalue().splitlines()) == 1
    assert r"a\x1b[2K\x0askipped b.png: not an image" in said.getvalue()
