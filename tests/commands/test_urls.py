"""Sources and outputs at URLs, in fsspec's memory in place of a bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.size import Size
from hierseg.streets import write_streets
from hierseg.urls import Mirror

Run = Callable[..., int]
STORE = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    STORE.store.clear()
    yield
    STORE.store.clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three images in a folder here, and the same ones at ``memory://bucket/frames``."""
    folder = tmp_path / "frames"
    (folder / "deep").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (67, 131, 3), np.uint8)
    for number, name in enumerate(("one.png", "two.png", "deep/three.jpg")):
        Image.fromarray(noise[: 40 + number, :50]).save(folder / name)
        STORE.pipe(f"/bucket/frames/{name}", (folder / name).read_bytes())
    return folder


@pytest.fixture
def run(checkpoint: Path) -> Run:
    def predict(*words: object) -> int:
        flags = ["--weights", checkpoint, "--engine", "torch", "--device", "cpu"]
        return main(["predict", *map(str, [*words, *flags])])

    return predict


def read(place: str) -> dict[str, bytes]:
    """What lies there, by name."""
    return {name.removeprefix(f"{place}/"): STORE.cat(name) for name in STORE.find(place)}


def read_here(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_outputs_at_a_url_are_those_of_a_folder_here(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, "--out", tmp_path / "out") == 0
    capsys.readouterr()
    assert run("memory://bucket/frames", "--out", "memory://bucket/masks") == 0
    said = capsys.readouterr().out
    assert said == "3 of 3 images segmented: memory://bucket/masks/index.html\n"
    here, there = read_here(tmp_path / "out"), read("/bucket/masks")
    assert sorted(here) == sorted(there)
    own = {"summary.json", "index.html"}  # which name the sources
    own |= {name for name in here if name.startswith("page/") and name.endswith(".js")}
    for name in here.keys() - own:
        assert here[name] == there[name], name
    sources = [one["source"] for one in json.loads(there["summary.json"])["images"]]
    assert sources == [
        "memory://bucket/frames/deep/three.jpg",
        "memory://bucket/frames/one.png",
        "memory://bucket/frames/two.png",
    ]
    assert all(b"hierseg-urls-" not in content for content in there.values())


def test_an_interrupted_run_goes_on_and_does_nothing_twice(
    run: Run, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["memory://bucket/frames", "--out", "memory://bucket/masks"]
    fetched: list[str] = []
    fetch = Mirror.fetch

    def count(mirror: Mirror, path: Path) -> None:
        if path.suffix != ".json":
            fetched.append(path.name)
        if path.name == "two.png" and len(fetched) < 4:
            raise KeyboardInterrupt
        fetch(mirror, path)

    monkeypatch.setattr(Mirror, "fetch", count)
    assert run(*words, "--workers", 1) == 130
    done = json.loads(read("/bucket/masks")["summary.json"])["images_done"]
    assert done in (1, 2)
    before = read("/bucket/masks")
    fetched[:] = ["", "", "", ""]
    assert run(*words) == 0
    assert len(fetched) - 4 == 3 - done
    after = read("/bucket/masks")
    kept = [name for name in before if name.endswith("_labels.png")]
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert sum(name.endswith("_labels.png") for name in after) == 3
    assert not any(".hierseg-journal" in name for name in after)


@pytest.mark.slow
def test_what_a_run_has_done_is_there_though_it_is_killed(
    run: Run, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is written is claimed beforehand, so that the next run knows it for its own."""
    monkeypatch.setattr(Mirror, "tell", lambda mirror: None)
    snapshots = []
    send = Mirror.send

    def look(mirror: Mirror, path: Path, keep: bool = False) -> None:
        send(mirror, path, keep)
        if path.name == "one_labels.png":
            snapshots.append(read("/bucket/masks"))

    monkeypatch.setattr(Mirror, "send", look)
    words = ["memory://bucket/frames", "--out", "memory://bucket/masks"]
    assert run(*words) == 0
    STORE.rm("/bucket/masks", recursive=True)
    for name, content in snapshots[0].items():
        STORE.pipe(f"/bucket/masks/{name}", content)
    assert run(*words) == 0
    assert json.loads(read("/bucket/masks")["summary.json"])["images_done"] == 3


def test_what_others_have_put_there_is_not_replaced(
    run: Run, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    STORE.pipe("/bucket/masks/one_labels.png", b"theirs")
    assert run("memory://bucket/frames/*.png", "--out", "memory://bucket/masks") == 2
    assert "memory://bucket/masks/one_labels.png" in capsys.readouterr().err
    assert read("/bucket/masks") == {"one_labels.png": b"theirs"}


@pytest.mark.slow
def test_outputs_within_the_sources_are_none_of_them(run: Run, pictures: Path) -> None:
    words = ["memory://bucket/frames", "--out", "memory://bucket/frames/masks"]
    assert run(*words) == 0
    assert run(*words) == 0
    assert json.loads(read("/bucket/frames/masks")["summary.json"])["images_done"] == 3


@pytest.mark.parametrize(
    ("source", "out", "match"),
    [
        ("memory://bucket/none", "out", "there is nothing at memory://bucket/none"),
        ("memory://bucket/frames", "memory://bucket/frames", "is also the folder of the outputs"),
        ("nosuch://bucket/frames", "out", "nosuch:// is not a known kind of URL"),
        ("memory://bucket/a.mp4", "out", "takes a local path, not a URL (memory://bucket/a.mp4)"),
        ("dropbox://a/b", "out", "dropbox:// needs a package that is not installed"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, source: str, out: str, match: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(source, "--out", out) != 0
    said = capsys.readouterr().err.strip()
    *waiting, sentence = said.splitlines()
    assert match in sentence
    assert sentence.startswith("hierseg: ")
    assert all(line.endswith(" ...") for line in waiting)  # what a busy machine takes long for
    assert not (tmp_path / "out").exists()


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    """A data set here, and the same one at ``memory://bucket/data``."""
    root = tmp_path / "data"
    write_streets(root, 4, Size(48, 80), seed=1, val_fraction=0.5)
    for name, content in read_here(root).items():
        STORE.pipe(f"/bucket/data/{name}", content)
    return root


@pytest.mark.slow
def test_auto_labels_at_a_url_are_those_of_a_folder_here_and_are_not_made_twice(
    streets: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--data", "cityscapes", "--split", "train", "--weights", checkpoint]
    here = tmp_path / "labels"
    assert main(["autolabel", *map(str, [*words, "--root", streets, "--out", here])]) == 0
    urls = ["--root", "memory://bucket/data", "--out", "memory://bucket/labels"]
    command = ["autolabel", *map(str, words), *urls]
    assert main(command) == 0
    found, wanted = read("/bucket/labels"), read_here(here)
    assert sorted(found) == sorted(wanted)
    assert b'"memory://bucket/data"' in found.pop("train.jsonl")
    del wanted["train.jsonl"]
    assert found == wanted
    fetched: list[Path] = []
    fetch = Mirror.fetch
    monkeypatch.setattr(Mirror, "fetch", lambda one, path: (fetched.append(path), fetch(one, path)))
    assert main(command) == 0
    assert {path.suffix for path in fetched} <= {".json", ".jsonl"}
    assert main([*command, "--threshold", "0.3"]) == 0  # for which labels are read again
    assert sum(path.suffix == ".png" for path in fetched) == 4


@pytest.mark.slow
def test_an_evaluation_of_a_data_set_at_a_url_is_that_of_one_here(
    streets: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = []
    for number, root in enumerate((streets, "memory://bucket/data")):
        json_file = tmp_path / f"{number}.json"
        words = ["--root", root, "--weights", checkpoint, "--json", json_file, "--boundary"]
        assert main(["evaluate", "--data", "cityscapes", *map(str, words)]) == 0
        results.append((capsys.readouterr().out, json_file.read_bytes()))
    assert results[0] == results[1]
    words = ["--data", "cityscapes", "--root", "memory://bucket/data"]
    assert main(["evaluate", *words, "--save-panels", "memory://bucket/p"]) == 2
    assert "takes a local path, not a URL (memory://bucket/p)" in capsys.readouterr().err
    assert main(["evaluate", *words, "--official"]) == 2
    assert "takes a local path, not a URL (memory://bucket/data)" in capsys.readouterr().err
    assert main(["submit", *words, "--out", "memory://bucket/s.zip"]) == 2
    assert "takes a local path, not a URL (memory://bucket/s.zip)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_submission_of_a_data_set_at_a_url_is_that_of_one_here(
    streets: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for number, root in enumerate((streets, "memory://bucket/data")):
        words = ["--root", root, "--weights", checkpoint, "--out", tmp_path / f"{number}.zip"]
        words += ["--data", "cityscapes", "--split", "val"]
        assert main(["submit", *map(str, words)]) == 0
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
