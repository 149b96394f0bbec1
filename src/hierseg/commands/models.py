"""`hierseg models`: list networks and packaged weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hierseg.errors import UsageError, make_printable
from hierseg.wording import find_nearest

if TYPE_CHECKING:
    from pathlib import Path


def models(pattern: str = "*", /) -> None:
    """List the networks (for --model.name and `create_model`) and packaged weights (for --weights).

    Args:
        pattern: Shell pattern of the names to list; "timm:*" lists timm's models, most of which
            can be a network's trunk.
    """
    from hierseg.commands.progress import announce, make_console

    with announce("loading torch"):
        from hierseg.checkpoint import packaged_weights
        from hierseg.models import list_models

    names = list_models(pattern)
    weights = {name: path for name, path in packaged_weights().items() if _matches(name, pattern)}
    if not names and not weights:
        known = [*list_models(), *packaged_weights()]
        if pattern.startswith("timm:"):
            known = list_models("timm:*")
        near = find_nearest(pattern, known)
        hint = f"did you mean '{near}'? " if near else ""
        raise UsageError(
            f"nothing matches '{pattern}'; {hint}`hierseg models` lists networks and weights."
        )
    console = make_console()
    if not console.is_terminal:
        console.width = 200  # whoever reads a pipe wants a line for each, whole
    if names:
        with announce("counting parameters"):
            networks = _table_of_networks(names)
        console.print(networks)
    if weights:
        console.print(_table_of_weights(weights))


def _matches(name: str, pattern: str) -> bool:
    from fnmatch import fnmatch

    return fnmatch(name, pattern)


def _show(text: str) -> str:
    """Text from a file as a cell of a table, in which nothing is taken for markup."""
    from rich.markup import escape

    return escape(make_printable(text))


def _table(*headings: str) -> Any:
    from rich import box
    from rich.table import Table

    return Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))


def _table_of_networks(names: list[str]) -> Any:
    from hierseg.models import describe_model

    if len(names) > 50:  # timm's: a thousand descriptions would say nothing that the names do not
        table = _table("network")
        for name in names:
            table.add_row(name)
        return table
    table = _table("network", "parameters", "")
    for name in names:
        table.add_row(name, _parameters(name), describe_model(name).summary)
    table.columns[1].justify = "right"
    return table


def _parameters(name: str) -> str:
    """Millions of parameters; counted on torch's meta device, which holds no numbers."""
    import torch

    from hierseg.models import create_model

    with torch.device("meta"):
        network = create_model(name)
    return f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.1f} M"


def _table_of_weights(weights: dict[str, Path]) -> Any:
    from hierseg.checkpoint import Weights

    table = _table("weights", "network", "classes", "scales", "mIoU", "size")
    for name, path in weights.items():
        header = Weights(path).header
        miou = header.record.get("miou")
        table.add_row(
            _show(name),
            _show(str(header.record.get("model", header.builder))),
            _show(f"{header.label_space.num_classes} of {header.label_space.name}"),
            " ".join(f"{scale:g}" for scale in header.scales),
            f"{miou:.3f}" if isinstance(miou, float) else "",
            f"{path.stat().st_size / 1e6:.1f} MB",
        )
    return table
