"""Every reader of a user's small file ends with a value or a UserError, whatever the file holds."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hierseg.data import archive
from hierseg.data.catalog import open_dataset
from hierseg.data.datasets.mapillary_config import read_config
from hierseg.data.described.label_space_file import read_label_space
from hierseg.data.pairs import Source, find_pairs
from hierseg.data.pseudo_labels.records import (
    BINS,
    AutoHeader,
    AutoRecord,
    format_header,
    format_skipped,
    read_auto_records,
)
from hierseg.errors import UserError
from hierseg.evaluation.corruptions.report import CorruptionReport
from hierseg.jobs.summary import Summary
from hierseg.labels import CAMVID
from hierseg.streets import sets
from hierseg.streets.writing import Settings
from support.hostile import PIECES, encode, texts

pytestmark = pytest.mark.slow

EXAMPLES = 1000
budget = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MOST_SAID = 2000

DESCRIPTION = {
    "name": "mine",
    "root": ".",
    "classes": [{"name": "road", "color": [1, 2, 3], "id": 7}, {"name": "sky", "ids": [3, 4]}],
    "ignore": [0, 255],
    "encoding": "ids",
    "mean": [0.1, 0.2, 0.3],
    "std": [0.4, 0.5, 0.6],
    "images": "img/**/*.png",
    "labels": "ann/**/*.png",
    "split": {"val": 0.5, "test": ["*a*"], "seed": 3},
}
SPLITS = {
    "classes": ["road", "sky"],
    "splits": {
        "train": {"images": "img/*/?.png", "labels": "ann/*/[ab].png"},
        "val": {"pairs": "pairs.csv"},
    },
}
CONFIG = {
    "labels": [
        {"readable": "Road", "name": "road", "color": [1, 2, 3], "evaluate": True},
        {"readable": "Void", "name": "void", "color": [0, 0, 0], "evaluate": False},
    ]
}
CORRUPTED = {
    "settings": {"data": "d", "scales": [1.0]},
    "corruptions": {"fog": {"1": {"miou": 0.5, "kept": 0.9}, "2": {"miou": None, "kept": None}}},
}
RECORD = AutoRecord(
    "a", "a.jpg", "t/a.png", "t/a_prob.png", 1, 2, 1, 4, {"0": (1, 2, 3)}, (0,) * BINS
)
SUMMARY = {
    "settings": {"scales": [1.0], "outputs": ["labels"]},
    "complete": False,
    "skipped": [{"source": "/b.jpg", "reason": "why"}],
    "images": [
        {
            "source": "/a.jpg", "bytes": 1, "modified": 2, "name": "a", "height": 3, "width": 4,
            "confidence": 0.5, "shares": {"road": 1.0}, "seconds": 0.1, "files": ["a.png"],
            "panels": [{"kind": "image", "caption": "c", "file": "f.png"}], "facts": ["one"],
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for kind, shape in (("img", (2, 3, 3)), ("ann", (2, 3))):
        for name in ("x/a", "x/b"):
            path = root / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(shape, 7, np.uint8)).save(path)
    (root / "pairs.csv").write_text("image,label\nimg/x/a.png,ann/x/a.png\n")
    return root


def end_well(read: Callable[[], object], longest: float = MOST_SAID) -> None:
    """Call a reader: a value, or one printable sentence."""
    said = ""
    try:
        read()
    except UserError as error:
        said = str(error)
    assert not CONTROL.search(said)
    assert len(said) < longest


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@pytest.mark.parametrize("document", [DESCRIPTION, SPLITS])
@budget
@given(data=st.data())
def test_descriptions(folder: Path, suffix: str, document: Any, data: st.DataObject) -> None:
    path = folder / f"data{suffix}"
    path.write_bytes(encode(data.draw(texts(document))))
    for split in ("train", "val"):
        end_well(lambda split=split: open_dataset(str(path), None, split))  # type: ignore[misc]


def _read_and_write(path: Path) -> None:
    space = read_label_space(path)
    space.decode(space.encode(np.array(space.raw_ids)))


@budget
@given(text=texts({**CAMVID.to_dict(), "merged_raw_ids": {"20": 1}}) | texts({"names": ["a", "b"]}))
def test_label_spaces(folder: Path, text: str) -> None:
    path = folder / "labels.json"
    path.write_bytes(encode(text))
    end_well(lambda: _read_and_write(path))


@budget
@given(text=texts(CONFIG))
def test_configurations_of_mapillary(folder: Path, text: str) -> None:
    path = folder / "config.json"
    path.write_bytes(encode(text))
    end_well(lambda: read_config(path, "mapillary"))


@budget
@given(text=texts(CORRUPTED))
def test_figures_of_corruptions(folder: Path, text: str) -> None:
    (folder / "corruptions.json").write_bytes(encode(text))
    end_well(lambda: CorruptionReport.open(folder, {"data": "d", "scales": [1.0]}, 0.5).to_json())


@budget
@given(text=texts(SUMMARY))
def test_summaries(folder: Path, text: str) -> None:
    (folder / "summary.json").write_bytes(encode(text))
    end_well(lambda: Summary.open(folder, SUMMARY["settings"]), math.inf)  # type: ignore[arg-type]


STREETS = Settings(1, "64x128", 2, 0.5)


@budget
@given(text=texts(dataclasses.asdict(STREETS)))
def test_records_of_streets(folder: Path, text: str) -> None:
    (folder / "streets.json").write_bytes(encode(text))
    end_well(lambda: sets._claim(folder, STREETS, False))


@st.composite
def lines(draw: st.DrawFn, whole: str) -> str:
    """Text with pieces cut out, put in, and exchanged."""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(len(whole), start + 30)))
        whole = whole[:start] + draw(PIECES | st.text(max_size=5)) + whole[end:]
    return whole


HEADER = format_header(AutoHeader("d", "t", "/r", CAMVID, {}, 0.5))


@st.composite
def records(draw: st.DrawFn) -> str:
    header = draw(st.just(HEADER) | texts(json.loads(HEADER)))
    record = draw(texts(dataclasses.asdict(RECORD)))
    return draw(lines("\n".join([header.strip(), record, format_skipped("b.jpg", "why")])))


@budget
@given(text=records())
def test_records_of_auto_labels(folder: Path, text: str) -> None:
    path = folder / "t.jsonl"
    path.write_bytes(encode(text))
    end_well(lambda: read_auto_records(path))


CSV = 'image,label,split\nimg/x/a.png,ann/x/a.png,train\n"img/x/b.png","ann/x/b.png",val\n'


@budget
@given(text=lines(CSV) | st.text(max_size=60))
def test_csvs_of_pairs(folder: Path, text: str) -> None:
    (folder / "other.csv").write_bytes(encode(text))
    source = Source(pairs="other.csv")
    end_well(lambda: find_pairs(source, folder, folder / "data.yaml"))


@budget
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    sizes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 2**32 - 1)), max_size=2),
    cut=st.integers(0, 60),
    method=st.sampled_from([0, 8, 12, 14]),
)
def test_archives(
    tmp_path_factory: pytest.TempPathFactory,
    flips: list[tuple[int, int]],
    sizes: list[tuple[int, int]],
    cut: int,
    method: int,
) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        for name in ("in/a.png", "in/b/c.png"):
            file.writestr(name, b"content " * 20)
    content = bytearray(path.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    for place, number in sizes:
        start = place % (len(content) - 4)
        content[start : start + 4] = struct.pack("<I", number)
    path.write_bytes(bytes(content[: len(content) - max(0, cut - 40)]))
    failure = OSError(errno.EIO, "none", "none")
    try:
        for found in archive.find_files(path, "**/*.png"):
            archive.get_status(found)
            archive.read_bytes(found)
        archive.is_folder(path / "in")
    except OSError as error:
        failure = error
    assert failure.filename is not None  # so that a sentence can name it
    assert failure.errno is not None
