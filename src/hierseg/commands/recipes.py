"""`hierseg recipes`: what can be trained by name."""

from __future__ import annotations

import inspect

from hierseg.recipes import RECIPES


def recipes() -> None:
    """List the recipes: what each trains, on what hardware, how long, and the mIoU to expect."""
    for position, (name, recipe) in enumerate(RECIPES.items()):
        description = inspect.getdoc(recipe) or ""
        first, _, rest = description.partition("\n")
        print(("\n" if position else "") + f"{name}: {first}")
        for line in rest.strip().splitlines():
            print(f"    {line}".rstrip())
