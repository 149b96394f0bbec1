"""Paddle's weights (``.pdparams``): a pickle of a dict of numpy arrays.

Beside the arrays there may be a dict of strings, ``StructuredToParameterName@@``. The unpickler
admits arrays of numbers, strings and dicts alone, and runs nothing.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from hierseg.checkpoint.foreign.stand_ins import ARRAY_NAMES, Array, RefusedError

PARAMETER_NAMES = "StructuredToParameterName@@"
PROTOCOL = 4  # Paddle's own


class _Admitted:
    """A callable of ``ARRAY_NAMES`` that no instruction of a pickle can change."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any) -> Any:
        return ARRAY_NAMES[self._name](*arguments)

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a state for a function")


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays, strings and dicts; refuses every other name before it is looked up."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in ARRAY_NAMES:
            raise RefusedError(f"the Python object '{full:.60}'")
        return _Admitted(full)


def read_paddle(file: IO[bytes]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the entry of parameter names (empty where there is none).

    Raises:
        RefusedError: The pickle holds something else.
        Exception: The pickle is damaged; what it raises then has no bounds.
    """
    content = _ArrayUnpickler(file).load()
    if not isinstance(content, dict):
        raise RefusedError("no dict of arrays")
    names = content.pop(PARAMETER_NAMES, {})
    if not isinstance(names, dict) or not all(
        isinstance(text, str) for pair in names.items() for text in pair
    ):
        raise RefusedError(f"something else than strings in {PARAMETER_NAMES}")
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Array):
            raise RefusedError(f"something else than an array ({name!r:.60})")
        tensors[name] = torch.from_numpy(value.resolve())
    return tensors, names


def write_paddle(
    path: Path, tensors: Mapping[str, Tensor], parameter_names: Mapping[str, str]
) -> None:
    """Write what ``read_paddle`` reads, as Paddle does."""
    content: dict[str, Any] = {
        name: np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    if parameter_names:
        content[PARAMETER_NAMES] = dict(parameter_names)
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=PROTOCOL)
