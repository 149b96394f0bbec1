"""The objects that a pickle of torch may use: storages, types, and functions that make tensors.

No tensor has more numbers than its storage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hierseg.checkpoint.pickles import Admitted, RefusedError
from hierseg.checkpoint.stand_ins import (
    ARRAY_NAMES,
    BESIDE_NAMES,
    CONTAINER_NAMES,
    NUMBER_NAMES,
)

MOST_REPEATED = 1 << 16
"""Most numbers of a tensor that repeats its storage."""
_MOST_AXES = 32
_PLAIN = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip
_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "Untyped": torch.uint8,
}


class Kind(NamedTuple):
    """Stands for a class of storages."""

    dtype: torch.dtype
    is_untyped: bool


class Storage(NamedTuple):
    """A storage of a file: (n,) of its type, or (n,) uint8 bytes whose type the tensor states."""

    values: Tensor
    is_untyped: bool


def _make_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Stands for torch's ``_rebuild_tensor`` and ``_rebuild_tensor_v2``."""
    if not isinstance(storage, Storage) or storage.is_untyped:
        raise RefusedError("a tensor without numbers")
    return _view(storage.values, offset, size, stride)


def _make_typed_tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    gradient: Any,
    hooks: Any,
    dtype: Any,
    *_: Any,
) -> Tensor:
    """Stands for torch's ``_rebuild_tensor_v3``."""
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise RefusedError("a tensor without numbers")
    return _view(storage.values.view(torch.uint8).view(dtype), offset, size, stride)


def _view(values: Tensor, offset: Any, size: Any, stride: Any) -> Tensor:
    """A tensor on a storage; RefusedError if it needs more numbers than there are."""
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise RefusedError("a tensor whose shape is not valid")
    if len(size) > _MOST_AXES or any(
        type(n) is not int or not 0 <= n < 1 << 60 for n in (offset, *size, *stride)
    ):
        raise RefusedError("a tensor whose shape is not valid")
    if math.prod(max(n, 1) for n in size) >= 1 << 60:
        raise RefusedError("a tensor whose shape is not valid")
    count = math.prod(size)
    last = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and offset + last >= len(values):
        raise RefusedError("a tensor that is larger than its storage")
    if count > max(len(values), MOST_REPEATED):
        raise RefusedError("a tensor that repeats its storage too often")
    return values.as_strided(size, stride, offset if count else 0)


def _make_parameter(data: Any, *_: Any) -> Tensor:
    """Stands for torch's ``_rebuild_parameter``: the tensor itself."""
    if not isinstance(data, Tensor):
        raise RefusedError("a parameter that is not a tensor")
    return data


def _make_from_type(function: Any, _kind: Any, arguments: Any, *_: Any) -> Any:
    """Stands for torch's ``_rebuild_from_type_v2``: a tensor whose attributes are dropped."""
    if type(function) is not Admitted or type(arguments) is not tuple:
        raise RefusedError("a value that is not a tensor")
    return function(*arguments)


def _refuse(what: str) -> Admitted:
    def refuse(*_: Any) -> Any:
        raise RefusedError(what)

    return Admitted(refuse)


def _list_names() -> dict[str, Any]:
    made: dict[str, Callable[..., Any]] = {
        "_rebuild_tensor": _make_tensor,
        "_rebuild_tensor_v2": _make_tensor,
        "_rebuild_tensor_v3": _make_typed_tensor,
        "_rebuild_parameter": _make_parameter,
        "_rebuild_parameter_with_state": _make_parameter,
    }
    names: dict[str, Any] = {**CONTAINER_NAMES, **NUMBER_NAMES, **ARRAY_NAMES, **BESIDE_NAMES}
    names |= {f"torch._utils.{name}": Admitted(function) for name, function in made.items()}
    names["torch._tensor._rebuild_from_type_v2"] = Admitted(_make_from_type)
    for name in ("sparse_tensor", "sparse_csr_tensor", "qtensor", "nested_tensor"):
        what = "a tensor that is not a plain array of numbers"
        names[f"torch._utils._rebuild_{name}"] = _refuse(what)
    names["torch._utils._rebuild_meta_tensor_no_storage"] = _refuse("a tensor without values")
    names["torch.serialization._get_layout"] = Admitted(lambda *_: None)
    names |= dict.fromkeys(("torch.Tensor", "torch.nn.parameter.Parameter"))
    names |= {f"torch.{name}": getattr(torch, name) for name in _PLAIN}
    for name, dtype in _STORAGES.items():
        kind = Kind(dtype, name == "Untyped")
        names[f"torch.{name}Storage"] = names[f"torch.cuda.{name}Storage"] = kind
    names["torch.storage.UntypedStorage"] = names["torch.UntypedStorage"]
    complex_ = ("ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32")
    names |= dict.fromkeys((f"torch.{name}Storage" for name in complex_), _NO_NUMBERS)
    return names


_NO_NUMBERS = object()
TORCH_NAMES: Mapping[str, Any] = _list_names()
