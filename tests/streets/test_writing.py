"""Miniature Streets on disk: Cityscapes' layout, resumed, refused."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.data.datasets.cityscapes import open_cityscapes
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import scene_seed, workers, write_streets, writing
from hierseg.streets.rendering import draw_street_instances

SIZE = Size(40, 80)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("streets") / "set"
    write_streets(out, 10, SIZE, seed=5)
    return out


def test_it_is_read_as_cityscapes(written: Path) -> None:
    train, val = (open_cityscapes(written, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (8, 2)
    record = val.read(0)
    assert record.image.shape == (*SIZE, 3)
    assert record.labels is not None
    assert set(np.unique(record.labels)) <= {*range(19), CITYSCAPES.ignore}
    cities = [{path.name for path in (written / "gtFine" / s).iterdir()} for s in ("train", "val")]
    assert len(cities[0]) > 1
    assert len(cities[1]) > 1
    assert not cities[0] & cities[1]


def test_files_hold_the_scenes_of_the_seed(written: Path) -> None:
    path = next((written / "leftImg8bit").rglob("*_000009_000019_leftImg8bit.png"))
    label = next((written / "gtFine").rglob("*_000009_000019_gtFine_labelIds.png"))
    image, labels, instances = draw_street_instances(scene_seed(5, 9), SIZE)
    assert (np.asarray(Image.open(path)) == image).all()
    assert (np.asarray(Image.open(label)) == labels).all()
    ids = label.with_name(label.name.replace("labelIds", "instanceIds"))
    assert (np.asarray(Image.open(ids)) == instances).all()
    assert path.parent.name == label.parent.name
    assert path.name.startswith(path.parent.name)


def test_the_record_says_how_it_was_drawn(written: Path) -> None:
    record = json.loads((written / "streets.json").read_text())
    assert (record["seed"], record["size"], record["count"]) == (5, "40x80", 10)
    assert record["generator"] == writing.GENERATOR


def test_sets_of_different_seeds_share_no_scene() -> None:
    seeds = [scene_seed(seed, index) for seed in (0, 1, 2, 77) for index in range(1000)]
    assert len(set(seeds)) == len(seeds)


def test_an_interrupted_run_is_valid_and_can_be_completed(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def draw_four(seed: int, size: Size) -> tuple[np.ndarray, ...]:
        if len(drawn) == 4:
            raise KeyboardInterrupt
        drawn.append(seed)
        return draw_street_instances(seed, size)

    out = tmp_path / "set"
    monkeypatch.setattr(writing, "draw_street_instances", draw_four)
    with pytest.raises(KeyboardInterrupt):
        write_streets(out, 10, SIZE, seed=5)
    assert len(open_cityscapes(out, "train")) == 4
    drawn.clear()
    next((out / "leftImg8bit").rglob("*.png")).unlink()
    steps: list[tuple[int, int]] = []
    monkeypatch.setattr(writing, "draw_street_instances", draw_street_instances)
    write_streets(out, 10, SIZE, seed=5, on_progress=lambda *step: steps.append(step))
    assert steps == [(done, 10) for done in range(3, 11)]
    assert files(out) == files(written)


@pytest.mark.parametrize(("fraction", "train", "val"), [(0.0, 3, 0), (1.0, 0, 3), (0.01, 2, 1)])
def test_the_val_split_is_a_share(tmp_path: Path, fraction: float, train: int, val: int) -> None:
    write_streets(tmp_path, 3, Size(32, 64), seed=0, val_fraction=fraction)
    counts = [
        len(list((tmp_path / "gtFine").glob(f"{s}/*/*labelIds.png"))) for s in ("train", "val")
    ]
    assert counts == [train, val]


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("do not lose me")
    with pytest.raises(UserError, match=r"not Miniature Streets.*--out"):
        write_streets(tmp_path, 2, SIZE, seed=0)
    assert files(tmp_path) == {"letter.txt": b"do not lose me"}
    with pytest.raises(UserError, match="is not a folder"):
        write_streets(tmp_path / "letter.txt", 2, SIZE, seed=0)


def test_a_set_of_other_settings_is_refused(written: Path) -> None:
    before = files(written)
    with pytest.raises(UserError, match=r"seed 5 \(not 6\).*--out"):
        write_streets(written, 10, SIZE, seed=6)
    with pytest.raises(UserError, match="count 10"):
        write_streets(written, 11, SIZE, seed=5)
    assert files(written) == before


def test_a_record_that_is_not_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "streets.json").write_text("{")
    with pytest.raises(UserError, match="not readable"):
        write_streets(tmp_path, 2, SIZE, seed=0)


def test_numbers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--count"):
        write_streets(tmp_path, 0, SIZE, seed=0)
    with pytest.raises(UsageError, match="--seed"):
        write_streets(tmp_path, 2, SIZE, seed=-1)
    with pytest.raises(UsageError, match="--val-fraction"):
        write_streets(tmp_path, 2, SIZE, seed=0, val_fraction=1.5)
    with pytest.raises(UsageError, match="at least 32"):
        write_streets(tmp_path, 2, Size(16, 16), seed=0)
    assert files(tmp_path) == {}


def test_a_worker_does_its_task_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = writing.Settings(seed=5, size="40x80", count=10, val_fraction=0.2)
    task = {"out": str(tmp_path), "settings": asdict(settings), "indices": [1, 4]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(task)))
    workers.work()
    assert capsys.readouterr().out == "{}\n{}\n"
    assert all(path.exists() for i in (1, 4) for path in settings.place(tmp_path, i))
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**task, "out": str(blocked)})))
    workers.work()
    assert "cannot be written" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("stop", [BrokenPipeError, KeyboardInterrupt])
def test_a_worker_that_nobody_waits_for_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def end(status: int) -> None:
        raise SystemExit(status)

    def write(*_: object) -> None:
        raise stop

    settings = writing.Settings(seed=5, size="40x80", count=2, val_fraction=0.5)
    task = {"out": str(tmp_path), "settings": asdict(settings), "indices": [0]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(task)))
    monkeypatch.setattr(workers, "write_scenes", write)
    monkeypatch.setattr(workers.os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        workers.work()
    assert ended.value.code == 1


@pytest.mark.slow
def test_several_processes_write_the_same_files(written: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = tmp_path / "set"
    write_streets(out, 10, SIZE, seed=5, workers=2, on_progress=lambda *step: steps.append(step))
    assert files(out) == files(written)
    assert steps == [(done, 10) for done in range(11)]


@pytest.mark.slow
def test_a_failure_in_another_process_reaches_the_user(tmp_path: Path) -> None:
    settings = writing.Settings(seed=5, size="40x80", count=4, val_fraction=0.5)
    (tmp_path / "gtFine").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        workers.write_in_parallel(tmp_path, settings, [0, 1, 2, 3], 2, lambda: None)
