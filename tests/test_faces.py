"""What is imported late."""

from __future__ import annotations

import subprocess
import sys

import pytest

NETWORK = """
import sys
import hierseg
hierseg.create_model("lite0-ocr-hier", num_classes=3)
assert "timm" in sys.modules
print([name for name in sys.modules if name.partition(".")[0] == "wandb"])
from timm.utils import summary
from wandb.errors import CommError
import wandb
print(CommError is wandb.errors.CommError, summary.wandb.init is wandb.init)
print(wandb.__version__, summary.wandb.__version__)
"""
WITHOUT = """
import sys
sys.modules["wandb"] = None  # its import fails, as where it is not installed
from hierseg.faces import import_timm
print(import_timm("timm.layers.conv2d_same").Conv2dSame.__name__, sys.modules["wandb"])
"""
FOLDER = """
import pathlib, sys
pathlib.Path("wandb").mkdir()  # the runs that Weights & Biases leaves; no package
sys.path[:] = ["", *(path for path in sys.path if "site-packages" not in path)]
from hierseg import faces
with faces._delayed("wandb"):
    print("wandb" in sys.modules)
"""


def run(program: str, folder: object = None) -> list[str]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=str(folder or "."))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_network_of_timm_loads_no_tracker_until_it_is_used() -> None:
    wandb = pytest.importorskip("wandb")
    version = wandb.__version__
    assert run(NETWORK) == ["[]", "True True", f"{version} {version}"]


def test_timm_is_imported_where_no_tracker_is_installed() -> None:
    assert run(WITHOUT) == ["Conv2dSame None"]


def test_a_folder_of_that_name_is_no_tracker(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hierseg

    monkeypatch.setenv("PYTHONPATH", hierseg.__path__[0].removesuffix("hierseg"))
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    assert run(FOLDER, tmp_path) == ["False"]
