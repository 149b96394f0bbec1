"""The objects that a foreign pickle may use: stand-ins that only store what they are given.

No code of numpy runs while a pickle is read, so a crafted state of an array or a type reaches no C
code. The stored values are checked afterwards, and then become an array or a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.checkpoint.pickles import Admitted, RefusedError, StandIn, check_key

NUMBERS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})


class Dtype(StandIn):
    """Stands for ``numpy.dtype``, a type of numbers."""

    __slots__ = ("code", "order")

    def __init__(self, code: object = None, *_: object) -> None:
        if not isinstance(code, str) or code not in NUMBERS:
            raise RefusedError(f"an array of the type {code!r:.20}, not of numbers")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise RefusedError("a type of numbers that is not valid")
        self.order = order

    def resolve(self) -> np.dtype[Any]:
        """The type itself."""
        return np.dtype(self.order + self.code)


class Array(StandIn):
    """Stands for ``numpy.ndarray``: keeps shape, type and bytes."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: tuple[object, ...] = ()

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, tuple) else ()

    def resolve(self) -> npt.NDArray[Any]:
        """The array, with its own copy of the bytes; RefusedError if it is not valid."""
        if len(self.state) != 5:
            raise RefusedError("an array without content")
        _, shape, dtype, transposed, content = self.state
        if not isinstance(dtype, Dtype) or not isinstance(content, bytes):
            raise RefusedError("an array of objects, not of numbers")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise RefusedError("an array whose shape is not valid")
        kind = dtype.resolve()
        if len(shape) > 8 or math.prod(shape) * kind.itemsize != len(content):
            raise RefusedError("an array that is not as large as its shape")
        values = np.frombuffer(content, kind)
        ordered = values.reshape(shape[::-1]).T if transposed else values.reshape(shape)
        # A copy, in this machine's byte order: the bytes of a pickle cannot be written to.
        return np.array(ordered, dtype=kind.newbyteorder("="), order="C")


def make_array(*_: object) -> Array:
    """Stands for numpy's ``_reconstruct``."""
    return Array()


def make_number(dtype: object, content: object) -> bool | int | float:
    """Stands for numpy's ``scalar``: one number."""
    if not isinstance(dtype, Dtype):
        raise RefusedError("a scalar of objects, not a number")
    array = Array()
    # Pickles of Python 2, and torch's reader of them, have text where later ones have bytes.
    array.state = (1, (), dtype, False, make_bytes(content, "latin1"))
    number: bool | int | float = array.resolve().item()
    return number


def make_bytes(text: object, encoding: object) -> bytes:
    """Stands for ``_codecs.encode``, by which older pickles hold bytes."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str) or encoding != "latin1":
        raise RefusedError("text that is no bytes")
    try:
        return text.encode("latin1")
    except UnicodeEncodeError as error:
        raise RefusedError("text that is no bytes") from error


def make_dict(items: object = ()) -> dict[str | int, Any]:
    """Stands for ``collections.OrderedDict`` and ``Counter``: a plain dict, which has an order."""
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in items
    ):
        raise RefusedError("a dict that is not valid")
    return {check_key(key): value for key, value in items}


def make_tuple(items: object = ()) -> tuple[Any, ...]:
    """Stands for ``torch.Size`` and ``set``, whose items would be hashed."""
    if not isinstance(items, list | tuple):
        raise RefusedError("a sequence that is not valid")
    return tuple(items)


def make_device(*words: object) -> str:
    """Stands for ``torch.device``: its text."""
    return ":".join(str(word) for word in words if isinstance(word, str | int))


def make_path(*parts: object) -> str:
    """Stands for a path: its text."""
    return "/".join(part for part in parts if isinstance(part, str))


class Left(StandIn):
    """Stands for an object that does not concern the network: its arguments are dropped."""

    __slots__ = ()

    def __init__(self, *_: object) -> None:
        """Nothing is kept."""

    def __setstate__(self, state: object) -> None:
        """Nothing is kept."""


BESIDE_NAMES: Mapping[str, Any] = {
    # Dicts of Lightning, for the arguments that a module was made with.
    "lightning.fabric.utilities.data.AttributeDict": Admitted(make_dict),
    "lightning_fabric.utilities.data.AttributeDict": Admitted(make_dict),
    "pytorch_lightning.utilities.parsing.AttributeDict": Admitted(make_dict),
    "argparse.Namespace": Admitted(Left),
    # OpenMMLab's curves of training.
    "mmengine.logging.history_buffer.HistoryBuffer": Admitted(Left),
    **{
        f"{module}.{kind}Path": Admitted(make_path)
        for module in ("pathlib", "pathlib._local")
        for kind in ("", "Posix", "Windows", "PurePosix", "PureWindows")
    },
}
"""Stand-ins, by the name in the pickle, for what training loops store beside a network."""

CONTAINER_NAMES: Mapping[str, Any] = {
    "collections.OrderedDict": Admitted(make_dict),
    "collections.Counter": Admitted(make_dict),
    "builtins.set": Admitted(make_tuple),
    "__builtin__.set": Admitted(make_tuple),
    "torch.Size": Admitted(make_tuple),
    "torch.device": Admitted(make_device),
}
"""Stand-ins for containers, by the name in the pickle."""

NUMBER_NAMES: Mapping[str, Any] = {
    "numpy.dtype": Admitted(Dtype),
    "numpy.core.multiarray.scalar": Admitted(make_number),
    "numpy._core.multiarray.scalar": Admitted(make_number),
    "_codecs.encode": Admitted(make_bytes),
}
"""Stand-ins for numpy's scalars, by the name in the pickle."""

ARRAY_NAMES: Mapping[str, Any] = {
    "numpy.dtype": Admitted(Dtype),
    "numpy.ndarray": Array,
    "numpy.core.multiarray._reconstruct": Admitted(make_array),
    "numpy._core.multiarray._reconstruct": Admitted(make_array),
    "_codecs.encode": Admitted(make_bytes),
}
"""Stand-ins for numpy's arrays, by the name in the pickle."""
