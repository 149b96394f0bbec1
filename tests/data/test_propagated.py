"""Records of propagated frames, which are not trusted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from hierseg.data import (
    PROPAGATION,
    PropagatedFrame,
    PropagatedHeader,
    PropagatedRecord,
    format_propagation,
    format_propagation_header,
    format_skipped,
    open_propagated,
    read_propagation,
)
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.errors import UserError
from hierseg.labels import CAMVID, CITYSCAPES

FRAME = PropagatedFrame("a/1", -1, "i/1.png", "l/1.png", "c/1.png", ("x/1.png",), 0.5)
RECORD = PropagatedRecord("train/a/2", "train", "/l/2.png", 3, 4, (FRAME,), ("it ends.",))
HEADER = PropagatedHeader("cityscapes", CITYSCAPES, {"steps": 5}, complete=True)


def write(folder: Path, *lines: str) -> Path:
    path = folder / PROPAGATION
    path.write_text("".join((format_propagation_header(HEADER), *lines)))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    later = dataclasses.replace(RECORD, problems=())
    lines = [format_propagation(RECORD), format_skipped("train/b/9", "no frame.")]
    lines += [format_skipped(RECORD.key, "not yet."), format_propagation(later)]
    found = read_propagation(write(tmp_path, *lines, '{"key": "cut o'))
    assert found.header == HEADER
    assert found.records == {RECORD.key: later}
    assert found.skipped == {"train/b/9": "no frame."}


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd"])
@pytest.mark.parametrize("key", ["image", "label", "confidence", "files"])
def test_files_elsewhere_are_refused(tmp_path: Path, key: str, place: str) -> None:
    content = json.loads(format_propagation(RECORD))
    content["frames"][0][key] = [place] if key == "files" else place
    with pytest.raises(UserError, match="not readable as records of propagation"):
        read_propagation(write(tmp_path, json.dumps(content) + "\n"))


@pytest.mark.parametrize("text", ["", "{}\n", "[]\n", '{"format": 2}\n', "\0\n", '{"format": 1}\n'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / PROPAGATION).write_text(text)
    with pytest.raises(UserError, match="not readable"):
        read_propagation(tmp_path / PROPAGATION)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    write(tmp_path, format_propagation(RECORD))
    main = SegmentationDataset("camvid", "train", CAMVID, [Sample("1", tmp_path / "1.png")])
    with pytest.raises(UserError, match="have the classes of 'cityscapes', and camvid"):
        open_propagated(tmp_path, main, 1)
