"""Reading checkpoints of other projects: tensors by name, and the form that they came in.

Every file is taken for hostile: nothing in it is executed, and whatever it holds, reading ends with
tensors or a UserError.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from hierseg.checkpoint.foreign.paddle import read_paddle
from hierseg.checkpoint.foreign.stand_ins import NUMBER_NAMES, RefusedError
from hierseg.errors import UserError

Container = Literal["zip", "legacy", "paddle"]

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_LEGACY_TORCH = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # the number that torch's older form begins with
_MODULE, _MODEL = "module.", "model."
_KEPT = ("epoch", "arch", "num_classes", "mean_iu")
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Form:
    """How a file held its tensors, as far as another of its kind needs it.

    Attributes:
        container: torch's zip form, its older form, or Paddle's pickle.
        nested: Whether the tensors stood in an entry ``state_dict``.
        prefix: What every name of the network began with: ``module.``, ``model.``, both or none.
        dtype: The type of all floating-point tensors, as torch names it.
        counters: Whether batch norms had ``num_batches_tracked``, which old ones have not.
        parameter_names: Paddle's second names.
    """

    container: Container = "zip"
    nested: bool = True
    prefix: str = _MODULE
    dtype: str = "float32"
    counters: bool = True
    parameter_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ForeignWeights:
    """What a foreign file holds.

    Attributes:
        path: The file.
        tensors: Tensors by published name, without the prefix, in the file's order.
        form: How the file held them.
        about: What it says of itself: epoch, arch, num_classes, mean_iu.
        beside: Names of tensors that are outside of the network by their prefix.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    form: Form
    about: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


def container_of(path: Path) -> Container | None:
    """What kind of foreign file this is, by its first bytes; None for safetensors and others."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
            size = file.seek(0, 2)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from error
    # A safetensors file begins with the length of its header, which may look like a pickle.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= size:
        return None
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_PICKLE):
        return "legacy" if _LEGACY_TORCH in head else "paddle"
    return None


def read_foreign(path: Path) -> ForeignWeights:
    """Read a checkpoint of torch (either form) or Paddle.

    Raises:
        UserError: The file is none of them, damaged, or holds more than tensors, numbers, texts and
            plain containers.
    """
    container = container_of(path)
    if container is None:
        raise UserError(
            f"{path} is neither a checkpoint of torch nor of Paddle, or its beginning is damaged."
        )
    try:
        content, parameter_names = _load(path, container)
    except RefusedError as error:
        raise UserError(
            f"{path} is not read, as it holds {error}; nothing was executed."
        ) from error
    except UserError:
        raise
    except Exception as error:  # A damaged pickle raises whatever its instructions come upon.
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise UserError(
                f"{path} is not read, as it holds the Python object '{found[1]:.60}'; nothing was "
                "executed."
            ) from error
        raise UserError(
            f"{path} is damaged or cut short: it cannot be read as a checkpoint."
        ) from error
    tensors, nested = _find_tensors(path, content)
    form = Form(container, nested, "", _common_dtype(tensors), parameter_names=parameter_names)
    return _strip_prefix(ForeignWeights(path, tensors, form, _describe(content)))


def _load(path: Path, container: Container) -> tuple[dict[Any, Any], Mapping[str, str]]:
    if container == "paddle":
        with path.open("rb") as file:
            return read_paddle(file)
    names: list[Any] = [(stand_in, name) for name, stand_in in NUMBER_NAMES.items()]
    with warnings.catch_warnings(), torch.serialization.safe_globals(names):
        warnings.simplefilter("ignore")  # of torch, on forms that it will stop to write
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise RefusedError(f"a {type(content).__name__:.40} instead of a dict of tensors")
    return content, {}


def _find_tensors(path: Path, content: Mapping[Any, Any]) -> tuple[dict[str, Tensor], bool]:
    """The network's tensors in a file's dict, and whether they stood in ``state_dict``."""
    nested = "state_dict" in content
    state = content["state_dict"] if nested else content
    if not isinstance(state, dict):
        raise UserError(f"{path} has a 'state_dict' that holds no tensors.")
    tensors = {
        name: value
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise UserError(f"{path} holds no tensors by name, so it is no checkpoint of a network.")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            raise UserError(f"{path} has a tensor that is no plain array of numbers ({name:.80}).")
        if tensor.device.type == "meta":
            raise UserError(f"{path} has a tensor without values ({name:.80}).")
    return tensors, nested


def _common_dtype(tensors: Mapping[str, Tensor]) -> str:
    found = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return str(found.pop()).removeprefix("torch.") if len(found) == 1 else "float32"


def _strip_prefix(weights: ForeignWeights) -> ForeignWeights:
    """Without ``module.`` (of data parallel training) and ``model.`` (of the HRNet authors').

    Where some names are behind ``model.``, the others are no part of the network: a loss's class
    weights for instance.
    """
    tensors, prefix = dict(weights.tensors), ""
    beside: tuple[str, ...] = ()
    if all(name.startswith(_MODULE) for name in tensors):
        tensors = {name.removeprefix(_MODULE): tensor for name, tensor in tensors.items()}
        prefix = _MODULE
    if any(name.startswith(_MODEL) for name in tensors):
        beside = tuple(name for name in tensors if not name.startswith(_MODEL))
        tensors = {
            name.removeprefix(_MODEL): tensor
            for name, tensor in tensors.items()
            if name.startswith(_MODEL)
        }
        prefix += _MODEL
    form = replace(weights.form, prefix=prefix)
    return replace(weights, tensors=tensors, form=form, beside=beside)


def _describe(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The few plain values of a file that say what it is."""
    return {
        key: value
        for key in _KEPT
        if isinstance(value := content.get(key), int | float | str)
        and (not isinstance(value, str) or len(value) <= _LONGEST_TEXT)
    }
