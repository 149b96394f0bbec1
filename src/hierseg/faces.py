"""What is imported late: the names of a room's face, each when it is first used, and timm."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
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


def import_timm(module: str = "timm") -> Any:
    """Import timm, or a module of it; the first import takes seconds.

    timm imports Weights & Biases wherever that is installed, for a function that hardly anybody
    calls. Loading it takes as long as loading torch, so it is put off until it is used.
    """
    with _delayed("wandb"):
        return importlib.import_module(module)


class _Delayed(ModuleType):
    """Stands for a package: its first use imports the package, and its attributes are those."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _delayed(name: str) -> Iterator[None]:
    """Imports of a package in this block get what stands for it, unless it is loaded already.

    `importlib.util.LazyLoader` would load it for its ``__file__``, which `inspect` asks of every
    module that there is.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.origin is None:  # not installed, or a mere folder of that name
        yield
        return
    module = _Delayed(name)
    module.__file__ = spec.origin
    sys.modules[name] = module
    try:
        yield
    finally:
        if sys.modules.get(name) is module:
            del sys.modules[name]
