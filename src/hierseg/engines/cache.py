"""The cache of engines on disk: graphs, what libraries compiled from them, and trials."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch

from hierseg.data import find_cache
from hierseg.engines.candidates import read_cpu_flags, read_cpu_name
from hierseg.errors import UserError
from hierseg.files import read_text_file, write_json
from hierseg.version import __version__

MOST_BYTES = 4 * 10**9
"""Largest size of all graphs in bytes; beyond it those used longest ago are removed."""
LIBRARIES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime", "openvino")
GRAPH = "scale.onnx"
DONE = "done"
"""A file that marks a graph's folder as complete; its time is that of the last use."""


class EngineCache:
    """The folder of graphs and trials, in the cache of hierseg (``HIERSEG_CACHE`` moves it).

    If that cannot be written, a temporary folder of this process.
    """

    def __init__(self) -> None:
        self.folder = _find_folder()

    def forget(self) -> int:
        """Remove all trials and graphs; returns how many trials there were."""
        count = len(self.list_trials())
        for part in ("trials", "graphs"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
        return count

    def read_trial(self, key: str) -> dict[str, Any] | None:
        """The content stored under a key; None if there is none, or it cannot be read."""
        return _read(self.folder / "trials" / f"{key}.json")

    def write_trial(self, key: str, content: Mapping[str, Any]) -> None:
        """Store a trial; a full disk is ignored."""
        with suppress(OSError):
            (self.folder / "trials").mkdir(parents=True, exist_ok=True)
            write_json(self.folder / "trials" / f"{key}.json", content)

    def list_trials(self) -> list[dict[str, Any]]:
        """All stored trials, the latest last."""
        files = sorted((self.folder / "trials").glob("*.json"), key=_last_use)
        return [content for file in files if (content := _read(file)) is not None]

    def find_graph(self, weights: str, kind: str, write: Callable[[Path], None]) -> Path:
        """A graph's file, written first if it does not exist.

        Args:
            weights: Fingerprint of the weights.
            kind: What else tells the graph from others of the same weights.
            write: Writes the graph to a path; it may write files beside it.
        """
        key = make_key({"weights": weights, "kind": kind, "versions": read_versions()})
        folder = self.folder / "graphs" / key
        if not (folder / DONE).exists():
            self._write_graph(folder, write)
        with suppress(OSError):
            (folder / DONE).touch()
        self._prune(folder)
        return folder / GRAPH

    def _write_graph(self, folder: Path, write: Callable[[Path], None]) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        try:
            write(part / GRAPH)
            (part / DONE).touch()
            try:
                part.rename(folder)
            except OSError:  # another process was faster, or an earlier one did not finish
                if not (folder / DONE).exists():
                    shutil.rmtree(folder, ignore_errors=True)
                    part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _prune(self, kept: Path) -> None:
        """Remove the graphs used longest ago until the rest is small enough."""
        sizes = {
            folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in (self.folder / "graphs").iterdir()
            if (folder / DONE).exists()
        }
        total = sum(sizes.values())
        for folder in sorted(sizes, key=lambda one: _last_use(one / DONE)):
            if total <= MOST_BYTES:
                return
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
                total -= sizes[folder]


def make_key(content: Mapping[str, Any]) -> str:
    """The key of something that depends on ``content``."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def read_machine() -> dict[str, Any]:
    """The properties of this machine that decide which engines are fast, and which agree."""
    flags = " ".join(sorted(read_cpu_flags()))
    return {
        "cpu": read_cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "flags": hashlib.sha256(flags.encode()).hexdigest()[:8],
    }


@cache
def _read_versions() -> dict[str, str]:
    found = {"hierseg": __version__}
    for name in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def read_versions() -> dict[str, str]:
    """Versions of the installed libraries that compute."""
    return dict(_read_versions())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(read_text_file(path))
    except (UserError, OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _find_folder() -> Path:
    try:
        folder = find_cache() / "engines"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (UserError, OSError):
        folder = Path(_make_own().name) / "engines"
        folder.mkdir(exist_ok=True)
        return folder


@cache
def _make_own() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hierseg-engines-")
