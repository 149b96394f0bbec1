from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.options import ExtraRules
from hierseg.data.pseudo_labels.auto_labels import open_auto_labels
from hierseg.data.pseudo_labels.records import (
    BINS,
    AutoHeader,
    AutoRecord,
    format_header,
    format_record,
    format_skipped,
    read_auto_records,
)
from hierseg.errors import UserError
from hierseg.labels import CAMVID, LabelSpace

Writer = Callable[..., Path]
RULES = ExtraRules(0.5, (), boosted_classes=(2, 3))
OTHER_IDS = dataclasses.replace(CAMVID, raw_ids=tuple(range(100, 111)), ignored_raw_ids=())


def record(name: str, size: int = 1) -> AutoRecord:
    label, confidence = f"test/{name}.png", f"test/{name}_prob.png"
    return AutoRecord(name, f"test/{name}.jpg", label, confidence, size, 2, 1, 4, {}, (0,) * BINS)


@pytest.fixture
def main(tmp_path: Path) -> SegmentationDataset:
    return SegmentationDataset("camvid", "train", CAMVID, [Sample("x", tmp_path / "x.png")])


@pytest.fixture
def folder(tmp_path: Path, write_image: Writer, write_labels: Writer) -> Path:
    """Two frames, by two parts, in ids that are not CamVid's own."""
    header = AutoHeader("dash", "test", str(tmp_path / "frames"), OTHER_IDS, {}, 0.5)
    for part, name in enumerate("ab", 1):
        write_image(f"frames/test/{name}.jpg", (1, 4))
        write_labels(f"auto/test/{name}.png", np.array([[100, 101, 110, 109]], np.uint8))
        write_labels(f"auto/test/{name}_prob.png", np.array([[255, 128, 127, 0]], np.uint8))
        size = (tmp_path / f"frames/test/{name}.jpg").stat().st_size
        done = format_record(record(name, size))
        lines = [format_header(header), done, format_skipped("c", "why")]
        (tmp_path / "auto" / f"test.{part}of2.jsonl").write_text("".join(lines))
    return tmp_path / "auto"


def test_any_images_with_auto_labels_are_a_source(folder: Path, main: SegmentationDataset) -> None:
    dataset = open_auto_labels(folder, main, RULES)
    assert [sample.name for sample in dataset.samples] == ["a", "b"]
    found = dataset.read(1)
    assert found.image.shape == (1, 4, 3)
    assert found.labels is not None
    assert found.labels.tolist() == [[0, 1, 255, 255]]
    assert dataset.boosted_classes == {2, 3}
    assert (dataset.note, dataset.split) == ("auto labels", "test")
    kept = open_auto_labels(folder, main, ExtraRules(0.4, (), False, ())).read_labels(0)
    assert kept is not None
    assert kept.tolist() == [[0, 1, 10, 255]]


def test_images_that_were_moved_are_found_below_the_root(
    folder: Path, main: SegmentationDataset, tmp_path: Path
) -> None:
    (tmp_path / "frames").rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"frames/test/a\.jpg'.*--data\.root"):
        open_auto_labels(folder, main, RULES)
    assert len(open_auto_labels(folder, main, RULES, tmp_path / "moved")) == 2


def test_images_of_other_data_that_have_their_names_are_not_taken(
    folder: Path, main: SegmentationDataset, tmp_path: Path, write_image: Writer
) -> None:
    write_image("other/test/a.jpg", (40, 60))
    write_image("other/test/b.jpg", (40, 60))
    found = open_auto_labels(folder, main, RULES, tmp_path / "other")
    assert [s.image for s in found.samples] == [tmp_path / f"frames/test/{n}.jpg" for n in "ab"]


def test_what_cannot_be_is_refused(folder: Path, main: SegmentationDataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no auto-labels"):
        open_auto_labels(tmp_path, main, RULES)
    other = SegmentationDataset(
        "o", "train", LabelSpace("o", ("p",), ((0, 0, 0),), (0,)), main.samples
    )
    with pytest.raises(UserError, match="classes of 'camvid', and o has those of 'o'"):
        open_auto_labels(folder, other, RULES)
    (folder / "test" / "b_prob.png").unlink()
    with pytest.raises(UserError, match=r"b_prob\.png'"):
        open_auto_labels(folder, main, RULES)


def test_parts_of_other_ids_are_not_mixed(folder: Path, main: SegmentationDataset) -> None:
    path = folder / "test.2of2.jsonl"
    found = read_auto_records(path)
    header = dataclasses.replace(found.header, label_space=CAMVID)
    path.write_text(format_header(header) + format_record(record("b")))
    with pytest.raises(UserError, match="other ids"):
        open_auto_labels(folder, main, RULES)


def test_a_record_that_leads_out_of_its_folder_is_refused(folder: Path) -> None:
    path = folder / "test.1of2.jsonl"
    path.write_text(path.read_text().replace("test/a.png", "../a.png"))
    with pytest.raises(UserError, match=r"1of2\.jsonl' is not readable"):
        read_auto_records(path)


def test_the_last_word_about_an_image_counts(folder: Path) -> None:
    path = folder / "test.1of2.jsonl"
    text = path.read_text() + format_skipped("test/a.jpg", "empty")
    path.write_text(text + format_record(record("a")) + '{"torn": ')
    found = read_auto_records(path)
    assert (list(found.records), found.skipped) == (["test/a.png"], {"c": "why"})
    assert found.records["test/a.png"] == record("a")


def test_numbers_that_are_none_are_no_traceback(folder: Path) -> None:
    path = folder / "test.1of2.jsonl"
    text = path.read_text()
    for wrong in ("Infinity", "9" * 5000, "[" * 5000):
        path.write_text(text.replace('"modified": 2', f'"modified": {wrong}'))
        with pytest.raises(UserError, match=r"1of2\.jsonl' is not readable"):
            read_auto_records(path)


def test_records_that_are_no_file_are_refused_and_not_waited_for(
    folder: Path, main: SegmentationDataset
) -> None:
    os.mkfifo(folder / "test.3of3.jsonl")
    with pytest.raises(UserError, match=r"3of3\.jsonl' is not readable"):
        open_auto_labels(folder, main, RULES)
