"""Names of outputs: as short as possible, and distinct for all images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

_LONGEST = 180  # bytes; a file name has at most 255, and writers append to it


def assign_names(
    images: Sequence[Path], taken: Mapping[Path, str] | None = None
) -> dict[Path, str]:
    """Give each image the name with which its outputs begin.

    It is the file's name without suffix. If two images share it, the suffix is added (``a_jpg``,
    ``a_png``), then folders above the image (``left_a``, ``right_a``). Names must differ in more
    than letter case, which some file systems ignore.

    Args:
        images: The images, each once.
        taken: Names that images already have; they are kept, and not given to other images.

    Returns:
        Image -> name, for ``images`` and the images in ``taken``.
    """
    names = dict(taken or {})
    used = {name.casefold() for name in names.values()}
    waiting = [image for image in images if image not in names]
    depth = 0
    while waiting:
        groups: dict[str, list[Path]] = defaultdict(list)
        for image in waiting:
            groups[_candidate(image, depth).casefold()].append(image)
        waiting = []
        for folded, group in groups.items():
            if len(group) == 1 and folded not in used:
                names[group[0]] = _candidate(group[0], depth)
                used.add(folded)
            else:
                waiting += group
        depth += 1
        if depth > 2 * max((len(image.parts) for image in waiting), default=0) + 2:
            break
    for image in waiting:  # images that folders do not distinguish are numbered
        number = 2
        while (name := f"{_shortened(image.stem)}_{number}").casefold() in used:
            number += 1
        names[image] = name
        used.add(name.casefold())
    return names


def _candidate(image: Path, depth: int) -> str:
    """The name at a depth: 0 stem, 1 with suffix, 2 with a folder, 3 both, 4 two folders, ..."""
    stem, suffix = image.stem, image.suffix.lstrip(".")
    folders, with_suffix = divmod(depth, 2)
    parents = [part for part in image.parts[:-1] if part not in (image.anchor, "..", ".")]
    above = parents[len(parents) - min(folders, len(parents)) :]
    return _shortened("_".join([*above, stem, *([suffix] if with_suffix and suffix else [])]))


def _shortened(name: str) -> str:
    """Keep the end of a name that is too long, since frames differ there."""
    encoded = name.encode("utf-8", "surrogateescape")
    return encoded[-_LONGEST:].decode("utf-8", "ignore") if len(encoded) > _LONGEST else name
