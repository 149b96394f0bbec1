"""A room's face: the names that other rooms import, each loaded when it is first used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hierseg.errors import MissingExtraError


def open_face(
    package: str, homes: Mapping[str, Sequence[str]], needs: tuple[str, str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names lie in its modules.

    Args:
        package: The package's ``__name__``.
        homes: Module, relative to the package -> the names that come from it.
        needs: A package that all of them import, what it is for, and the extra that brings it.
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if needs is not None and importlib.util.find_spec(needs[0]) is None:
            raise MissingExtraError(*needs[1:])
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, list_names
