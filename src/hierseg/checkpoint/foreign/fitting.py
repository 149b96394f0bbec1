"""Translates published tensors to hierseg's names, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from hierseg.checkpoint.foreign.recognition import COUNTER
from hierseg.checkpoint.foreign.structure import Shape
from hierseg.checkpoint.format import CLASSIFIERS
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.tensor_files import count_tensors, describe_type, is_alike, list_some
from hierseg.errors import UserError


class Fitted(NamedTuple):
    """Tensors that fit a network.

    Attributes:
        tensors: Tensors by hierseg's names, without those that are replaced or never published.
        counters: Whether the file had batch norms' counters.
        replaced: hierseg's names of the classification layers that start from random weights.
    """

    tensors: dict[str, Tensor]
    counters: bool
    replaced: tuple[str, ...]


def fit_tensors(
    tensors: Mapping[str, Tensor],
    table: KeyTable,
    expected: Mapping[str, Shape],
    source: str,
    replace_head: bool = False,
) -> Fitted:
    """Translate every tensor. A tensor that is missing, unknown, or of another shape or type is an
    error.

    Args:
        tensors: Tensors by published name.
        table: Published names and hierseg's.
        expected: hierseg's names and shapes of the network.
        source: The file's name in errors.
        replace_head: Leave the classification layers out, whatever their shapes.

    Raises:
        UserError: They do not fit; the message gives number and first ten names of each kind.
    """
    found = {name: table.to_own(name) for name in tensors}
    surplus = [name for name, own in found.items() if own is None or own not in expected]
    fitted = {own: tensors[name] for name, own in found.items() if own in expected and own}
    replaced: tuple[str, ...] = ()
    if replace_head:
        replaced = tuple(name for name in expected if name.startswith(CLASSIFIERS))
        fitted = {name: tensor for name, tensor in fitted.items() if name not in replaced}
    counters = any(own.endswith(COUNTER) for own in fitted)
    # Torch before 0.4.1 had no counters; only batch norms without momentum need them.
    missing = [
        table.to_published(own) or own
        for own in expected
        if own not in fitted
        and own not in replaced
        and own.rpartition(".")[2] not in table.absent
        and (counters or not own.endswith(COUNTER))
    ]
    wrong = [
        f"{table.to_published(own) or own} {_show(tensor.shape)} for {_show(expected[own])}"
        for own, tensor in fitted.items()
        if tuple(tensor.shape) != expected[own]
    ]
    kinds = [
        f"{table.to_published(own) or own} {describe_type(tensor.dtype)}"
        for own, tensor in fitted.items()
        if not is_alike(_type_of(own), tensor.dtype)
    ]
    problems = [
        f"{count_tensors(names)} {what} ({list_some(names)})"
        for what, names in (
            ("missing", missing),
            ("unknown", surplus),
            ("of another shape", wrong),
            ("of another type", kinds),
        )
        if names
    ]
    if problems:
        raise UserError(f"{source} does not fit its network: {' and '.join(problems)}.")
    return Fitted(fitted, counters, replaced)


def complete_tensors(fitted: Fitted, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's whole state: the fitted tensors in the network's types, and its own tensors for
    the rest (counters of batch norms, replaced layers).
    """
    return {
        name: fitted.tensors[name].to(tensor.dtype) if name in fitted.tensors else tensor
        for name, tensor in state.items()
    }


def _type_of(own: str) -> torch.dtype:
    """The type of a published network's tensor: float, or int64 for batch norms' counters."""
    return torch.int64 if own.endswith(COUNTER) else torch.float32


def _show(shape: torch.Size | Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
