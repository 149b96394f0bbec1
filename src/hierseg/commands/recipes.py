"""`hierseg recipes`: list training recipes."""

from __future__ import annotations

import inspect

from hierseg.recipes import RECIPES


def recipes() -> None:
    """List the training recipes, with command, hardware, hours and expected mIoU of each."""
    for position, (name, recipe) in enumerate(RECIPES.items()):
        description = inspect.getdoc(recipe) or ""
        first, _, rest = description.partition("\n")
        print(("\n" if position else "") + f"{name}: {first}")
        for line in rest.strip().splitlines():
            print(f"    {line}".rstrip())
