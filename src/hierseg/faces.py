"""What is imported late: the names of a room's face, each when it is first used, and timm."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
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
    """timm, or a module of it, which costs seconds.

    timm imports Weights & Biases wherever that is installed, for a function that hardly anybody
    calls; it takes as long as torch does. Here it is loaded when it is first used.
    """
    _delay("wandb")
    return importlib.import_module(module)


class _Delayed(ModuleType):
    """A module that is loaded when an attribute is asked for that it does not have yet.

    `importlib.util.LazyLoader` would load it for ``__file__`` too, which `inspect` asks of every
    module that there is.
    """

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # whether loading succeeds or not
        self.__path__ = spec.submodule_search_locations or []
        try:
            spec.loader.exec_module(self)
        except BaseException:
            sys.modules.pop(self.__name__, None)
            raise
        return getattr(self, name)


def _delay(name: str) -> None:
    """Let the next ``import`` of a package give one that is loaded when it is first used."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        del module.__path__  # asked for before the import of one of its modules
        module.__class__ = _Delayed
        sys.modules[name] = module
