"""How commands run a network: their flags are those of RunOptions."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING

from hierseg.errors import UsageError
from hierseg.options import WHOLE, RunOptions, require_one

if TYPE_CHECKING:
    from hierseg.engines import Engine
    from hierseg.models import SegmentationNetwork


def load_runnable(weights: str | None, device: str) -> SegmentationNetwork | Engine:
    """A network, or the engine of an exported graph, on this process's device. With ``auto`` an
    exported graph runs on the CPU.
    """
    from hierseg.assembly import choose_own_device
    from hierseg.checkpoint import open_weights
    from hierseg.engines import load_weights

    if device == "auto" and open_weights(weights).kind == "graph":
        return load_weights(weights, "cpu")
    return load_weights(weights, choose_own_device(device))


def name_weights(weights: str | None) -> str:
    """The name of weights in messages: as given, or that of the packaged default."""
    from hierseg.checkpoint import find_weights

    return weights if weights is not None else find_weights().stem


def own_edge(how: RunOptions) -> int | None:
    """The long edge in pixels that a data set brings its images to; None to leave them as they are,
    also with ``auto``, where the segmenter resizes them.
    """
    return how.long_edge if isinstance(how.long_edge, int) else None


def require_scales(weights: str | None, how: RunOptions) -> None:
    """UsageError for scales without 1 if the header of the weights says that the network decides
    between scales. This is the early check; the loaded network refuses such scales, too.
    """
    if how.scales is None or 1.0 in how.scales or how.fusion == "average":
        return
    from hierseg.checkpoint import open_weights
    from hierseg.models import find_builder

    opened = open_weights(weights)
    if opened.kind == "checkpoint":
        header = opened.header
        parameters = inspect.signature(find_builder(header.builder)).parameters.values()
        given = {one.name: one.default for one in parameters} | header.arguments
        if given.get("hierarchical") or given.get("combine", "average") != "average":
            require_one(how.scales)


def find_scales(weights: str | None, how: RunOptions) -> tuple[float, ...]:
    """The scales that will be run, by the options or the weights' header; () if neither says."""
    if how.scales is not None:
        return how.scales
    from hierseg.checkpoint import open_weights

    opened = open_weights(weights)
    return opened.header.scales if opened.kind == "checkpoint" else ()


def without_edge(how: RunOptions) -> RunOptions:
    """The options without an edge that the data set has applied already; ``auto`` stays."""
    if how.long_edge == "auto":
        return how
    return dataclasses.replace(how, long_edge=None, short_edge=None)


def refuse_with_predictions(how: RunOptions, **others: object) -> None:
    """UsageError for flags that only matter to a network, when label maps are read instead.

    Args:
        how: The options; ``WHOLE`` if none is given.
        others: Values of further flags by their names; None for flags that are not given.
    """
    given = how.list_flags() if how != WHOLE else []
    given += ["--" + name.replace("_", "-") for name, value in others.items() if value is not None]
    for flag in given:
        raise UsageError(f"{flag} is for a network, and --predictions has none; leave it out.")
