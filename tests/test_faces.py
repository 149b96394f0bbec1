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
print(sorted(name for name in sys.modules if name.startswith("wandb.")))
import wandb
print(wandb.__version__, wandb.init.__name__, "wandb.sdk" in sys.modules)
from timm.utils import summary
print(summary.wandb is wandb)
"""
WITHOUT = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "wandb" else found(name, *rest)
from hierseg.faces import import_timm
print(import_timm("timm.layers.conv2d_same").Conv2dSame.__name__)
"""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_network_of_timm_loads_no_tracker_until_it_is_used() -> None:
    wandb = pytest.importorskip("wandb")
    assert run(NETWORK) == ["[]", f"{wandb.__version__} init True", "True"]


def test_timm_is_imported_where_no_tracker_is_installed() -> None:
    assert run(WITHOUT) == ["Conv2dSame"]
