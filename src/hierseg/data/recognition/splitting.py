"""Which images are held out where a folder does not say."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from hierseg.data.recognition.listing import Entry
from hierseg.errors import UserError
from hierseg.wording import count

VAL_SHARE = 0.2
FEWEST = 3
"""Images, without which nothing can be held out and learnt from."""


def split_entries(
    entries: Sequence[Entry], present: Mapping[Path, frozenset[int]], root: Path, seed: int
) -> tuple[list[Entry], str]:
    """Entries with a split each, and how they came by it.

    A fifth is held out where the layout names no split to validate on. The draw depends on the seed
    and on names alone, so that an image stays where it is when others come; a class that few images
    have stays in training, and is held out where it can be.

    Args:
        entries: As the layout has them.
        present: Label map -> the values in it, without those that do not count.
        root: The folder that names are relative to.
        seed: Of the draw.

    Raises:
        UserError: There are too few images.
    """
    named = Counter(entry.split for entry in entries)
    if named["train"] and named["val"]:
        kept = [entry for entry in entries if entry.split]
        return kept, "as the folders name it"
    pool = [entry for entry in entries if entry.split != "test" or not named["train"]]
    others = [entry for entry in entries if entry not in pool]
    if len(pool) < FEWEST:
        raise UserError(
            f"'{root}' has {count(len(pool), 'image')} with a mask to learn from; {FEWEST} are the "
            "least, and some dozens are better."
        )
    held = _draw(pool, present, root, seed)
    split = [
        dataclasses.replace(entry, split="val" if entry.image in held else "train")
        for entry in pool
    ]
    return split + others, f"drawn by names with seed {seed}, as the folder names none"


def _draw(
    pool: Sequence[Entry], present: Mapping[Path, frozenset[int]], root: Path, seed: int
) -> set[Path]:
    def rank(entry: Entry) -> bytes:
        name = f"{seed}/{entry.image.relative_to(root).as_posix()}"
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()

    def find(entry: Entry) -> frozenset[int]:
        return present.get(entry.label, frozenset()) if entry.label else frozenset()

    wanted = max(1, round(VAL_SHARE * len(pool)))
    order = sorted(pool, key=rank)
    left = Counter(value for entry in pool for value in find(entry))
    held: dict[Path, None] = {}
    seen: set[int] = set()
    # First those that bring a class of which nothing is held out yet, then the others in order.
    for is_first in (True, False):
        for entry in order:
            own = find(entry)
            if len(held) >= wanted or entry.image in held or (is_first and own <= seen):
                continue
            if all(left[value] > 1 for value in own):
                held[entry.image] = None
                seen |= own
                left.subtract(own)
    return set(held) or {order[0].image}
