"""Weights on the Hub, with a stand-in for its client."""

from __future__ import annotations

import importlib.util
import pickle
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.errors import UserError


class Hub:
    """Gives one file for every question, and keeps what it was asked."""

    def __init__(self, answer: Path | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def __call__(
        self, repository: str, file: str, *, revision: str | None, local_files_only: bool
    ) -> str:
        self.asked.append((repository, file, revision, local_files_only))
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stand_in = Hub(checkpoint)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", stand_in)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    return stand_in


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("hf://owner/name", ("owner/name", "model.safetensors", None, False)),
        ("hf:owner/name", ("owner/name", "model.safetensors", None, False)),
        ("hub:owner/a.name", ("owner/a.name", "model.safetensors", None, False)),
        ("hf://owner/name@v1.0", ("owner/name", "model.safetensors", "v1.0", False)),
        ("hf://o/n@main/a/b.safetensors", ("o/n", "a/b.safetensors", "main", False)),
    ],
)
def test_a_name_is_one_file_of_a_repository(
    hub: Hub, checkpoint: Path, source: str, asked: tuple[Any, ...]
) -> None:
    assert find_weights(source) == checkpoint
    assert hub.asked == [asked]


def test_they_are_weights_as_others_are(hub: Hub) -> None:
    weights = open_weights("hf://owner/name")
    assert (weights.kind, weights.header.record) == ("checkpoint", {"epoch": 3})
    assert load_model("hf://owner/name").num_classes == 3


@pytest.mark.parametrize(
    "source",
    [
        "hf://name",
        "hf:name",
        "hf:/owner/name",
        "hf://a/b/c",
        "hub:a/b/model.pth",
        "hf://",
        "hub:a/b@",
    ],
)
def test_other_names_are_refused_unasked(hub: Hub, source: str) -> None:
    with pytest.raises(UserError, match=r"names no weights on the Hub; give hf:owner/name"):
        find_weights(source)
    assert hub.asked == []


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_connection_the_cache_is_asked(
    hub: Hub, checkpoint: Path, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise socket.gaierror

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert find_weights("hf://owner/name") == checkpoint
    assert hub.asked == [("owner/name", "model.safetensors", None, True)]


def test_what_the_hub_does_not_give(hub: Hub) -> None:
    hub.answer = OSError("404\x1b[31m: no such repository.\nmore")
    with pytest.raises(UserError) as caught:
        find_weights("hf://owner/name")
    assert str(caught.value) == (
        "hf://owner/name cannot be had from the Hub (404\\x1b[31m: no such repository); check the "
        "name and the connection, or download the file and name it."
    )


def test_pickles_of_strangers_are_not_opened(hub: Hub, tmp_path: Path) -> None:
    hub.answer = tmp_path / "model.safetensors"
    hub.answer.write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match="hf://owner/name is not a safetensors file"):
        find_weights("hf://owner/name")


def test_without_the_package(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="hf://owner/name needs an optional package: pip install"):
        find_weights("hf://owner/name")
    assert hub.asked == []
