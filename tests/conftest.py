"""Settings and fixtures that all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hierseg.errors import flags_shown
from hierseg.size import Size
from hierseg.streets import write_streets

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("HIERSEG_SHARED", ROOT.parent / "shared"))

# One thread a test process: pytest-xdist runs as many processes as there are cores, and the tests'
# networks are too small to gain from more.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Indices of label maps are kept away from the user's own."""
    os.environ["HIERSEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _flags_shown() -> Iterator[None]:
    """Messages are read as the command line shows them, so that a test sees which flag one names;
    what a caller in Python reads is made of that in one place (``tests/test_errors.py``).
    """
    with flags_shown():
        yield


@pytest.fixture(autouse=True)
def _loggers_stay() -> Iterator[None]:
    """A library that silences the package's messages does so for every test after it."""
    yield
    silent = [
        name
        for name, logger in logging.root.manager.loggerDict.items()
        if name.startswith("hierseg") and getattr(logger, "disabled", False)
    ]
    level, logging.root.manager.disable = logging.root.manager.disable, 0
    for name in silent:
        logging.getLogger(name).disabled = False
    assert (silent, level) == ([], 0)


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set HIERSEG_SHARED to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """The published networks' numbers."""
    return _shared("parity")


@pytest.fixture(scope="session")
def camvid_dir() -> Path:
    """The 468 CamVid frames."""
    return _shared("camvid")


@pytest.fixture(scope="session")
def street_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn clips of five frames of 64x128, two to train on and one to validate on; for reading."""
    out = tmp_path_factory.mktemp("street-clips") / "streets"
    write_streets(out, 3, Size(64, 128), seed=4, val_fraction=0.34, clip=5)
    return out
