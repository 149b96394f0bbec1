"""Headers, and files that are none."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hierseg.checkpoint.format import Header, header_from_json, header_of, read_header
from hierseg.checkpoint.load import load_model
from hierseg.errors import UserError
from hierseg.labels import CITYSCAPES
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model

HEADER = Header(
    format_version=1,
    builder="hrnet_ocr",
    arguments={"width": 2},
    label_space=CITYSCAPES,
    scales=(0.5, 1.0),
    align_corners=False,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**400, 1e999, float("nan"), -1]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)  # fmt: skip


def _rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a checkpoint's metadata; a value of ... removes the field."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        data = json.loads(json.loads(file.read(length))["__metadata__"]["hierseg"])
    data |= changes
    data = {key: value for key, value in data.items() if value is not ...}
    save_file(load_file(path), path, metadata={"hierseg": json.dumps(data)})


def _sentence(text: str) -> str:
    """What reading a header says of a file ``x``."""
    try:
        header_from_json(text, "x")
    except UserError as error:
        return str(error)
    return "x is a header"


def test_header_round_trip() -> None:
    assert header_from_json(HEADER.to_json(), "x") == HEADER


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "x is damaged: its metadata are not JSON"),
        ("[" * 100_000, "x is damaged: its metadata are not JSON"),
        ("[]", "x is damaged: its metadata have no format version"),
        ('{"format_version": "1"}', "no format version"),
        ('{"format_version": true}', "no format version"),
        ('{"format_version": 2}', "x is of format 2, .* reads up to 1; install a newer hierseg"),
        ('{"format_version": 1}', "x is damaged: its metadata have no builder of type str"),
    ],
)
def test_texts_that_are_no_header(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        header_from_json(text, "x")


@settings(max_examples=300, deadline=None)
@given(field=st.sampled_from(sorted(json.loads(HEADER.to_json()))), value=JSON)
def test_no_value_of_a_field_gives_anything_but_a_sentence(field: str, value: Any) -> None:
    data = json.loads(HEADER.to_json()) | {field: value}
    assert _sentence(json.dumps(data)).startswith("x is ")


@settings(max_examples=300, deadline=None)
@given(field=st.sampled_from(sorted(CITYSCAPES.to_dict())), value=JSON)
def test_no_label_space_gives_anything_but_a_sentence(field: str, value: Any) -> None:
    data = json.loads(HEADER.to_json())
    data["label_space"][field] = value
    assert _sentence(json.dumps(data)).startswith("x is ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format_version": 2}, "of format 2"),
        ({"builder": "os.system"}, "cannot be loaded: there is no network builder .*os.system"),
        ({"arguments": {"width": 10**6}}, "cannot be loaded: .*argument width cannot be 1000000"),
        ({"arguments": {"depth": 3}}, "cannot be loaded: .*no argument 'depth'"),
        ({"arguments": {"width": 2}}, "its network has 19 classes, its label space 3"),
        ({"scales": [1.0, 1.0]}, "is damaged: a scale is given twice"),
        ({"scales": []}, "is damaged: no scale is given"),
        ({"align_corners": True}, "states align_corners in two ways"),
        ({"label_space": ...}, "no label_space of type dict"),
        ({"label_space": {}}, "is damaged: the label space is not readable"),
    ],
)
def test_files_with_other_metadata(
    checkpoint: Path, changes: dict[str, Any], sentence: str
) -> None:
    _rewrite(checkpoint, **changes)
    with pytest.raises(UserError, match=sentence) as caught:
        load_model(checkpoint)
    assert str(checkpoint) in str(caught.value)


def test_unknown_fields_of_the_same_version_are_left_alone(checkpoint: Path) -> None:
    _rewrite(checkpoint, comment="kept by somebody else")
    assert load_model(checkpoint).num_classes == 3


def test_foreign_files(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, foreign)
    with pytest.raises(UserError, match=r"foreign\.safetensors is a safetensors file but no hier"):
        read_header(foreign)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pth")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    for name in ("model.pth", "text", "empty"):
        with pytest.raises(UserError, match=f"{name} is damaged or no hierseg checkpoint"):
            read_header(tmp_path / name)
    with pytest.raises(UserError, match=r"there is no checkpoint at .*nothing"):
        read_header(tmp_path / "nothing")


@pytest.mark.parametrize("kept", [4, 100, -1, -1000])
def test_truncated_files(checkpoint: Path, kept: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(UserError, match="is damaged or no hierseg checkpoint"):
        load_model(checkpoint)


def test_header_of(checkpoint: Path, network: SegmentationNetwork) -> None:
    assert header_of(load_model(checkpoint)) == read_header(checkpoint)
    with pytest.raises(UserError, match="was not loaded from a checkpoint"):
        header_of(create_model("hrnet18s-ocr-hier", width=2))
