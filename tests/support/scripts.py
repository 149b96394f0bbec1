"""Scripts of the folder ``experiments``, as modules: it is no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def load_script(name: str) -> ModuleType:
    """The module of ``experiments/NAME.py``."""
    specification = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    if str(EXPERIMENTS) not in sys.path:  # As it is where a script is run by its path.
        sys.path.append(str(EXPERIMENTS))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
