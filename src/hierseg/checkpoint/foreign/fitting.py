"""Tensors by published names to tensors by the names here, strictly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from hierseg.checkpoint.foreign.recognition import CLASSIFIERS, COUNTER, Shape
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.errors import UserError

# How many tensors an error names before it only counts.
SHOWN = 10


class Fitted(NamedTuple):
    """Tensors that fit a network.

    Attributes:
        tensors: By own name; what is replaced or never published is not among them.
        counters: Whether the file had batch norms' counters.
        replaced: Own names of the classification layers' tensors that start anew.
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
    """Translate every tensor, and refuse what is missing, too much, or of another shape or type.

    Args:
        tensors: By published name.
        table: Published names against own ones.
        expected: Own names and shapes of the network.
        source: What errors call the file.
        replace_head: Leave the classification layers out, whatever they are.

    Raises:
        UserError: They do not fit; the sentence lists ten tensors of a kind, and a count.
    """
    found = {name: table.to_own(name) for name in tensors}
    surplus = [name for name, own in found.items() if own is None or own not in expected]
    fitted = {own: tensors[name] for name, own in found.items() if own in expected and own}
    replaced: tuple[str, ...] = ()
    if replace_head:
        replaced = tuple(name for name in expected if name.startswith(CLASSIFIERS))
        fitted = {name: tensor for name, tensor in fitted.items() if name not in replaced}
    counters = any(own.endswith(COUNTER) for own in fitted)
    # Torch before 0.4.1 had no counters; nothing but the momentum's absence would need them.
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


def list_some(names: Collection[str]) -> str:
    """The first ten, and a mark where there are more."""
    shown = ", ".join(f"{name:.120}" for name in list(names)[:SHOWN])
    return shown + (", ..." if len(names) > SHOWN else "")


def complete_tensors(fitted: Fitted, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's whole state: what was fitted, in the network's types, and its own for what no
    file has (counters of batch norms, replaced layers).
    """
    return {
        name: fitted.tensors[name].to(tensor.dtype) if name in fitted.tensors else tensor
        for name, tensor in state.items()
    }


def count_tensors(names: Collection[str]) -> str:
    """How many there are, with the verb."""
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def is_alike(expected: torch.dtype, found: torch.dtype) -> bool:
    """Whether numbers of one type can stand for those of another: fractions for fractions, and
    whole numbers for whole numbers.
    """
    if expected.is_floating_point:
        return found.is_floating_point
    if expected == torch.bool or found == torch.bool:
        return expected == found
    return not found.is_floating_point and not found.is_complex


def describe_type(dtype: torch.dtype) -> str:
    """``float32``, say."""
    return str(dtype).removeprefix("torch.")


def _type_of(own: str) -> torch.dtype:
    """What the networks of publications hold: fractions, but for batch norms' counters."""
    return torch.int64 if own.endswith(COUNTER) else torch.float32


def _show(shape: torch.Size | Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
