from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from hierseg.errors import UserError
from hierseg.labels import CAMVID, CITYSCAPES, LABEL_SPACES, LabelSpace, UnknownLabelError


def make(**changes: Any) -> LabelSpace:
    arguments: dict[str, Any] = {
        "name": "mine",
        "names": ("a", "b"),
        "colors": ((1, 2, 3), (4, 5, 6)),
        "raw_ids": (10, 300),
        "ignored_raw_ids": (0, 7),
        "merged_raw_ids": {11: 0},
    }
    return LabelSpace(**{**arguments, **changes})


def test_encode_maps_claims_merges_and_ignores() -> None:
    raw = np.array([[10, 11, 300], [0, 7, 10]], np.uint16)
    train = make().encode(raw)
    assert train.dtype == np.uint8
    assert train.tolist() == [[0, 0, 1], [255, 255, 0]]
    assert make(ignore=2).encode(raw).tolist() == [[0, 0, 1], [2, 2, 0]]


def test_encode_names_every_id_that_nobody_claims() -> None:
    with pytest.raises(UnknownLabelError, match=r"label ids 5, 12 .*'mine'") as caught:
        make().encode(np.array([12, 5, 10, 12], np.uint8))
    assert caught.value.ids == [5, 12]


@pytest.mark.parametrize("classes", [19, 254, 255])
def test_eight_and_sixteen_bits_encode_alike(classes: int) -> None:
    # With 255 classes and ignore no byte is left to stand for ids of no class.
    space = LabelSpace(
        name="many",
        names=tuple(map(str, range(classes))),
        colors=((0, 0, 0),) * classes,
        raw_ids=tuple(range(classes - 1, -1, -1)),
        ignored_raw_ids=(255,),
    )
    known = np.array([*range(classes), 255], np.uint8).reshape(1, -1)
    narrow, wide = space.encode(known), space.encode(known.astype(np.uint16))
    assert narrow.dtype == wide.dtype == np.uint8
    assert narrow.tolist() == wide.tolist() == [[*range(classes - 1, -1, -1), 255]]
    narrow[0, 0] = 0  # it can be written to
    for raw in sorted({classes, 254} - {255}) if classes < 255 else []:
        with pytest.raises(UnknownLabelError, match=f"label ids {raw} are"):
            space.encode(np.array([0, raw], np.uint8))


def test_encode_of_nothing_is_nothing() -> None:
    assert make().encode(np.zeros((0, 4), np.uint8)).shape == (0, 4)


def test_decode_writes_raw_ids_back() -> None:
    space = make(void_raw_id=7)
    raw = space.decode(np.array([0, 1, 255], np.uint8))
    assert raw.dtype == np.uint16
    assert raw.tolist() == [10, 300, 7]
    assert CITYSCAPES.decode(np.array([0, 18, 255], np.uint8)).dtype == np.uint8


@pytest.mark.parametrize("name", LABEL_SPACES)
def test_public_spaces_round_trip(name: str) -> None:
    space = LABEL_SPACES[name]
    train = np.arange(space.num_classes, dtype=np.uint8)
    assert np.array_equal(space.encode(space.decode(train)), train)
    assert space.encode(space.decode(np.array([space.ignore], np.uint8))) == space.ignore
    assert LabelSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_cityscapes_is_the_published_table() -> None:
    assert CITYSCAPES.num_classes == 19
    ids = dict(zip(CITYSCAPES.names, CITYSCAPES.raw_ids, strict=True))
    assert (ids["road"], ids["sky"], ids["car"], ids["train"], ids["bicycle"]) == (
        7,
        23,
        26,
        31,
        33,
    )
    claimed = {*CITYSCAPES.raw_ids, *CITYSCAPES.ignored_raw_ids}
    assert claimed == {*range(34), 255}  # 255: the licence plate, -1 in eight bits
    assert CITYSCAPES.encode(np.array([255, 0, 33], np.uint8)).tolist() == [255, 255, 18]
    assert CITYSCAPES.raw_ids_differ


def test_camvid_has_eleven_classes_and_void() -> None:
    assert CAMVID.num_classes == 11
    assert CAMVID.encode(np.array([0, 10, 11], np.uint8)).tolist() == [0, 10, 255]
    assert CAMVID.decode(np.array([255], np.uint8)).tolist() == [11]
    assert not CAMVID.raw_ids_differ


def test_colors_are_black_where_there_is_no_class() -> None:
    table = make().color_table()
    assert table.shape == (256, 3)
    assert table[1].tolist() == [4, 5, 6]
    assert table[2:].max() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"raw_ids": (1,)}, "1 raw ids"),
        ({"names": (), "colors": (), "raw_ids": ()}, "no classes"),
        ({"names": ("a", "a")}, "names a class twice"),
        ({"raw_ids": (3, 3)}, "one raw id to two classes"),
        ({"raw_ids": (0, 1)}, "one raw id to two classes"),
        ({"merged_raw_ids": {10: 1}}, "one raw id to two classes"),
        ({"merged_raw_ids": {5: 2}}, "into a class that does not exist"),
        ({"raw_ids": (1, 65536)}, "outside 0..65535"),
        ({"void_raw_id": -1}, "outside 0..65535"),
        ({"ignore": 1}, "ignore value"),
        ({"ignore": 256}, "ignore value"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    "change",
    [{"names": None}, {"colors": [[1, 2]]}, {"raw_ids": ["x", "y"]}, {"merged_raw_ids": [1]}],
)
def test_from_dict_refuses_what_is_no_space(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="label space"):
        LabelSpace.from_dict({**make().to_dict(), **change})
    with pytest.raises(UserError, match="not readable"):
        LabelSpace.from_dict({"name": "mine"})


def test_importing_labels_imports_no_torch() -> None:
    code = "import sys, hierseg.labels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
