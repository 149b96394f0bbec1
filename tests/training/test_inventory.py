"""An image that changes under its name between a run's start and its continuation."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from hierseg.assembly.parts import build_datasets
from hierseg.config import Experiment
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.errors import UserError
from hierseg.training.folder import RunFolder
from hierseg.training.inventory import describe_entries, list_entries

from .conftest import change


@pytest.fixture
def own(tiny: Experiment, tiny_data: Path, tmp_path: Path) -> Experiment:
    """A copy of the data, of which a test may change a file."""
    shutil.copytree(tiny_data, tmp_path / "data")
    return change(tiny, "data", root=tmp_path / "data")


def _begin(experiment: Experiment) -> RunFolder:
    folder = RunFolder.open(experiment)
    folder.begin(experiment, build_datasets(experiment))
    return folder


def _compare(folder: RunFolder, experiment: Experiment, verify: bool = False) -> list[str]:
    said: list[str] = []
    folder.require_same_files(build_datasets(experiment), verify, said.append)
    return said


def _rewrite(path: Path, is_touched: bool = True) -> None:
    """Other content of the same size."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    later = status.st_mtime_ns + (10**9 if is_touched else 0)
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_file_that_changed_is_named(own: Experiment, kind: str, split: str) -> None:
    folder = _begin(own)
    assert _compare(folder, own) == []
    assert own.data.root is not None
    path = own.data.root / kind / split / "1.png"
    _rewrite(path)
    with pytest.raises(UserError, match=rf"{kind}/{split}/1\.png' has changed .*time of change"):
        _compare(folder, own)
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(UserError, match=rf"{kind}/{split}/1\.png' has changed .*its size"):
        _compare(folder, own)
    path.unlink()
    with pytest.raises(UserError, match=rf"{kind}/{split}/1\.png'|sample '1' of {split} is gone"):
        _compare(folder, own)


def test_contents_decide_where_they_were_recorded(own: Experiment) -> None:
    folder = _begin(change(own, "data", verify=True))
    assert own.data.root is not None
    path = own.data.root / "images" / "train" / "2.png"
    os.utime(path, ns=(1, 1))
    assert _compare(folder, own) == []
    _rewrite(path)
    with pytest.raises(UserError, match=r"2\.png' has changed .*its content"):
        _compare(folder, own)


def test_all_contents_are_compared_where_that_is_asked_for(own: Experiment) -> None:
    folder = _begin(change(own, "data", verify=True))
    assert _compare(folder, own, verify=True) == []
    assert own.data.root is not None
    _rewrite(own.data.root / "images" / "train" / "2.png", is_touched=False)
    assert _compare(folder, own) == []
    with pytest.raises(UserError, match=r"2\.png' has changed .*its content"):
        _compare(folder, own, verify=True)


def test_a_copy_of_the_data_is_said(own: Experiment, tmp_path: Path) -> None:
    folder = _begin(own)
    assert own.data.root is not None
    for path in own.data.root.rglob("*.png"):
        os.utime(path, ns=(5, 5))
    (said,) = _compare(folder, own)
    assert "all 16 files of the data have other times" in said
    # Wherever it lies, a file has the size that it had.
    moved = change(own, "data", root=own.data.root.rename(tmp_path / "moved"))
    assert len(_compare(folder, moved)) == 1
    (tmp_path / "moved" / "images" / "val" / "0.png").write_bytes(b"0")
    with pytest.raises(UserError, match=r"moved/images/val/0\.png' has changed"):
        _compare(folder, moved)


def test_runs_of_older_versions_have_no_record(own: Experiment) -> None:
    folder = _begin(own)
    folder.files.unlink()
    for content in ('{"config": {}}', '{"config": {}, "data": {"train": "6 images"}}'):
        folder.record.write_text(content)
        assert _compare(folder, own) == []
    resumed = change(own, "runtime", resume=True)
    folder.begin(resumed, build_datasets(own))  # it is noted from here on
    assert own.data.root is not None
    _rewrite(own.data.root / "images" / "train" / "2.png")
    with pytest.raises(UserError, match=r"2\.png' has changed"):
        _compare(folder, own)


@pytest.mark.parametrize("content", [None, b"\0" * 100, b"source\ntrain\n", b"", b'"'])
def test_a_list_that_cannot_be_read_names_itself(own: Experiment, content: bytes | None) -> None:
    folder = _begin(own)
    folder.files.unlink()
    if content is not None:
        folder.files.write_bytes(content)
    assert _compare(folder, own) == []
    assert own.data.root is not None
    _rewrite(own.data.root / "images" / "train" / "2.png")
    with pytest.raises(UserError, match=r"files of the data have changed .*data\.csv"):
        _compare(folder, own)


def test_a_member_of_an_archive_has_its_checksum(own: Experiment, tmp_path: Path) -> None:
    def write(content: bytes) -> None:
        with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
            archive.writestr("a.png", b"1234")
            archive.writestr("b.png", content)

    data = build_datasets(own)
    place = tmp_path / "images.zip"
    samples = [Sample(name, place / f"{name}.png") for name in "ab"]
    source = SegmentationDataset("zipped", "train", data.train.label_space, samples)
    zipped = data._replace(train=source, val=source)
    write(b"5678")
    folder = RunFolder.open(own)
    folder.begin(own, zipped)
    said: list[str] = []
    os.utime(place, ns=(7, 7))
    folder.require_same_files(zipped, False, said.append)
    assert said == []
    write(b"5679")
    with pytest.raises(UserError, match=r"images\.zip/b\.png' has changed .*its content"):
        folder.require_same_files(zipped, False, said.append)


def test_thousands_of_files_are_a_matter_of_seconds(own: Experiment) -> None:
    data = build_datasets(own)
    data.train.samples = data.train.samples * 1000
    began = time.process_time()
    described = describe_entries(list_entries(data))
    assert described["count"] == 12_004
    assert time.process_time() - began < 5
