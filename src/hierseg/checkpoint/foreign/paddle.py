"""Paddle's weights (``.pdparams``): a pickle of a dict of numpy arrays.

Beside the arrays there may be a dict of strings, ``StructuredToParameterName@@``. Only arrays of
numbers, strings and dicts are read, and nothing is executed.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from hierseg.checkpoint.pickles import BoundedStream, PickleReader, RefusedError
from hierseg.checkpoint.stand_ins import ARRAY_NAMES, CONTAINER_NAMES, Array

PARAMETER_NAMES = "StructuredToParameterName@@"
PROTOCOL = 4  # Paddle's own


def read_paddle(file: BinaryIO) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the entry of parameter names (empty if there is none).

    Raises:
        RefusedError: The pickle holds something else.
        Exception: The pickle is damaged; any exception may be raised.
    """
    size = file.seek(0, 2)
    file.seek(0)
    names = {**CONTAINER_NAMES, **ARRAY_NAMES}
    content = PickleReader(BoundedStream(file, size), names).load()
    if not isinstance(content, dict):
        raise RefusedError("no dict of arrays")
    parameter_names = content.pop(PARAMETER_NAMES, {})
    if not isinstance(parameter_names, dict) or not all(
        isinstance(text, str) for pair in parameter_names.items() for text in pair
    ):
        raise RefusedError(f"values other than strings in {PARAMETER_NAMES}")
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Array):
            raise RefusedError(f"a value that is not an array ({name!r:.60})")
        array = value.resolve()
        size -= array.nbytes  # several arrays may share the same bytes
        if size < 0:
            raise RefusedError("arrays that are larger than the file")
        tensors[name] = torch.from_numpy(array)
    return tensors, parameter_names


def write_paddle(
    path: Path, tensors: Mapping[str, Tensor], parameter_names: Mapping[str, str]
) -> None:
    """Write a file of Paddle's form, which ``read_paddle`` reads."""
    content: dict[str, Any] = {
        name: np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    if parameter_names:
        content[PARAMETER_NAMES] = dict(parameter_names)
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=PROTOCOL)
