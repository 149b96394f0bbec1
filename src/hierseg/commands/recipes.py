"""`hierseg recipes`: list training recipes."""

from __future__ import annotations

import inspect

from hierseg.propagation import SdcNetExperiment
from hierseg.recipes import RECIPES


def recipes() -> None:
    """List the training recipes, with command, hardware, hours and expected mIoU of each."""
    described = {name: inspect.getdoc(recipe) or "" for name, recipe in RECIPES.items()}
    described["sdcnet"] = inspect.getdoc(SdcNetExperiment) or ""
    for position, (name, description) in enumerate(described.items()):
        first, _, rest = description.partition("\n")
        print(("\n" if position else "") + f"{name}: {first}")
        for line in rest.strip().splitlines():
            print(f"    {line}".rstrip())
