"""Reads checkpoints of other projects: tensors by name, and the form of the file.

No file is trusted: nothing in it is executed, and whatever it holds, reading ends with tensors or a
UserError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from hierseg.checkpoint.foreign.paddle import read_paddle
from hierseg.checkpoint.foreign.recognition import Recognised, recognise, recognise_trunk
from hierseg.checkpoint.opening import (
    Container,
    container_of,
    describe_stray,
    no_memory,
    open_checkpoint,
)
from hierseg.checkpoint.pickles import RefusedError
from hierseg.checkpoint.tensor_files import refuse_too_many
from hierseg.checkpoint.torch_files import read_torch_file
from hierseg.errors import UsageError, UserError

_ENTRIES = ("state_dict", "model_state_dict", "model", "net", "network", "module")
"""Entries in which files keep a network's tensors; the first that has any is taken."""
_AVERAGED = (
    "state_dict_ema", "model_state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model",
    "averaged_model",
)  # fmt: skip
"""Entries in which files keep a moving average of the weights."""
_AVERAGED_PREFIXES = ("ema_model.", "model_ema.", "averaged_model.", "ema.", "teacher.")
"""Prefixes of the average's names in modules that hold weights and average, as Lightning's do."""
_INNER = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""Prefixes of torch.compile, FSDP and activation checkpointing, also within a name."""
_AVERAGE_COUNT = "n_averaged"
_PREFIXES = (
    "module.", *_INNER, "_forward_module.", "model.", "net.", "network.", *_AVERAGED_PREFIXES,
)  # fmt: skip
"""Prefixes of data parallel training, Fabric, Lightning, the HRNet authors and others."""
_MODULES = ("model.", "net.", "network.")
"""Prefixes of a network in a module that may have other tensors as well."""
_KEPT = ("epoch", "arch", "num_classes", "mean_iu")
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Form:
    """The form of a file, as needed to write another like it.

    Attributes:
        container: torch's zip form, its older form, or Paddle's pickle.
        nested: Whether the tensors were in an entry of a dict.
        prefix: Prefix of all names of the network: ``module.``, ``model.``, both or none.
        dtype: The type of the floating-point tensors, as torch names it.
        counters: Whether batch norms had ``num_batches_tracked``, which old files lack.
        parameter_names: Paddle's second names.
        entry: The name of that entry.
    """

    container: Container = "zip"
    nested: bool = True
    prefix: str = "module."
    dtype: str = "float32"
    counters: bool = True
    parameter_names: Mapping[str, str] = field(default_factory=dict)
    entry: str = "state_dict"


@dataclass(frozen=True)
class ForeignWeights:
    """The content of a foreign file.

    Attributes:
        path: The file.
        tensors: Tensors by published name, without the prefix, in the file's order.
        form: The form of the file.
        about: What the file states of itself: epoch, arch, num_classes, mean_iu.
        beside: Names of tensors that their prefix shows to be outside the network.
        averaged: The entry of a moving average of the weights that was not used; None if none.
        meta: The ``meta`` of OpenMMLab's files, for ``label_spaces.read_classes``.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    form: Form
    about: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    averaged: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def classifier(self) -> str | None:
        """The kind of ImageNet classifier (a key of ``TRUNK_PUBLICATIONS``), or None."""
        return recognise_trunk(self.tensors)

    @cached_property
    def recognised(self) -> Recognised:
        """The published network in the file; UserError if there is none."""
        return recognise(self.tensors, str(self.path), arch=self.arch)

    @property
    def arch(self) -> str | None:
        """The arch that the file states, as the original's files do."""
        stated = self.about.get("arch")
        return stated if isinstance(stated, str) else None


def read_foreign(path: Path, averaged: bool = False) -> ForeignWeights:
    """Read a checkpoint of torch (either form) or Paddle.

    Args:
        path: The file.
        averaged: Take the moving average of the weights instead of the weights.

    Raises:
        UserError: The file is no such checkpoint, is damaged, or holds other things than tensors,
            numbers, strings and plain containers.
        UsageError: The file has no moving average.
    """
    container = container_of(path)
    if container is None:
        stray = describe_stray(path)
        raise UserError(
            f"{path} is {stray}."
            if stray
            else f"{path} is no checkpoint of torch or Paddle, or its first bytes are damaged; "
            "check the file."
        )
    parameter_names: Mapping[str, str] = {}
    try:
        if container == "paddle":
            with open_checkpoint(path) as (file, _):
                content, parameter_names = read_paddle(file)
        else:
            content = read_torch_file(path)
        if not isinstance(content, dict):
            raise RefusedError(f"a {type(content).__name__:.40} instead of a dict of tensors")
    except RefusedError as error:
        raise UserError(f"{path} is refused, as it holds {error}; nothing was executed.") from error
    except UserError:
        raise
    except MemoryError as error:
        raise no_memory(path) from error
    except Exception as error:  # A damaged pickle may raise any exception.
        raise UserError(
            f"{path} is damaged or cut short, so it cannot be read; get it again."
        ) from error
    tensors, entry = _find_tensors(path, content, averaged)
    form = Form(
        container,
        entry is not None,
        "",
        _common_dtype(tensors),
        parameter_names=parameter_names,
        entry=entry or "state_dict",
    )
    left = None
    if not averaged:
        left = _find_entry(content, _AVERAGED) or _find_average(_tensors_in(content, entry))
    meta = {name: content[name] for name in ("meta",) if name in content}
    return _strip_prefix(
        ForeignWeights(path, tensors, form, _describe(content), averaged=left, meta=meta)
    )


def _find_tensors(
    path: Path, content: Mapping[Any, Any], averaged: bool
) -> tuple[dict[str, Tensor], str | None]:
    """The network's tensors in a file's dict, and the entry that they were in, or None."""
    average = _find_entry(content, _AVERAGED)
    is_entry = averaged and average is not None
    entry = average if is_entry else _find_entry(content, _ENTRIES)
    tensors = _tensors_in(content, entry)
    prefix = None if is_entry else _find_average(tensors)
    if averaged and not is_entry and prefix is None:
        raise UsageError(f"{path} holds no moving average of its weights; leave --ema out.")
    if prefix is not None:
        tensors = {
            name: tensor for name, tensor in tensors.items() if name.startswith(prefix) == averaged
        }
    if not tensors and average is not None:
        raise UserError(
            f"{path} holds only a moving average of weights ({average}); take it by "
            "`hierseg convert --ema`."
        )
    if not tensors and "state_dict" in content:
        raise UserError(f"{path} has a 'state_dict' that holds no tensors.")
    if not tensors:
        raise UserError(f"{path} has no named tensors, so it is no checkpoint of a network.")
    refuse_too_many(path, len(tensors))
    return tensors, entry


def _tensors_in(content: Mapping[Any, Any], entry: str | None) -> dict[str, Tensor]:
    """The tensors of an entry; with None, those of the file itself."""
    return _tensors_of(content if entry is None else content[entry])


def _find_average(tensors: Mapping[str, Tensor]) -> str | None:
    """The prefix of a moving average beside the network's tensors, or None."""
    for prefix in _AVERAGED_PREFIXES:
        named = sum(name.startswith(prefix) for name in tensors)
        if 0 < named < len(tensors):
            return prefix
    return None


def _find_entry(content: Mapping[Any, Any], names: tuple[str, ...]) -> str | None:
    """The first of these entries that holds named tensors, or None."""
    return next((name for name in names if _tensors_of(content.get(name))), None)


def _tensors_of(state: Any) -> dict[str, Tensor]:
    if not isinstance(state, dict):
        return {}
    return {
        name: value
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def _common_dtype(tensors: Mapping[str, Tensor]) -> str:
    found = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return str(found.pop()).removeprefix("torch.") if len(found) == 1 else "float32"


def _strip_prefix(weights: ForeignWeights) -> ForeignWeights:
    """Remove the prefixes of wrappers, such as ``module.`` of data parallel training.

    If most names begin with ``model.``, ``net.`` or ``network.``, the others are no part of the
    network: a loss's class weights, for instance, or the update count of torch's averaged models.
    """
    tensors, prefix = dict(weights.tensors), ""
    beside: tuple[str, ...] = ()
    while found := _find_prefix(tensors):
        beside += tuple(name for name in tensors if not name.startswith(found))
        tensors = {
            name.removeprefix(found): tensor
            for name, tensor in tensors.items()
            if name.startswith(found)
        }
        prefix += found
    # A part of a network may have been compiled or wrapped by itself.
    plain = {_without_inner(name): tensor for name, tensor in tensors.items()}
    if len(plain) == len(tensors):
        tensors = plain
    form = replace(weights.form, prefix=prefix)
    return replace(weights, tensors=tensors, form=form, beside=beside)


def _without_inner(name: str) -> str:
    for wrapper in _INNER:
        name = name.replace(f".{wrapper}", ".")
    return name


def _find_prefix(names: Mapping[str, Tensor]) -> str | None:
    for prefix in _PREFIXES:
        others = [name for name in names if not name.startswith(prefix)]
        if (
            not others
            or (others == [_AVERAGE_COUNT] and len(names) > 1)
            or (prefix in _MODULES and 2 * len(others) < len(names))
        ):
            return prefix
    return None


def _describe(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The file's values of ``_KEPT`` that are plain."""
    return {
        key: value
        for key in _KEPT
        if isinstance(value := content.get(key), int | float | str)
        and (not isinstance(value, str) or len(value) <= _LONGEST_TEXT)
    }
