"""Which layout a folder has: those that people have, tried one by one."""

from __future__ import annotations

from collections.abc import Callable

from hierseg.data.recognition.coco import find_coco
from hierseg.data.recognition.cvat import find_cvat
from hierseg.data.recognition.label_studio import find_brushes
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.layouts import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    find_beside,
    find_folders,
    find_segnet,
    find_voc,
)
from hierseg.data.recognition.listing import Listing
from hierseg.data.recognition.yolo import find_yolo
from hierseg.errors import UserError
from hierseg.wording import count


def find_layout(listing: Listing) -> Layout:
    """The layout of a folder.

    Raises:
        UserError: No layout fits, with what was found and what would do.
    """

    finders: tuple[Callable[[Listing], Layout | None], ...] = (
        find_coco, find_cvat, find_brushes, find_yolo, find_voc, find_segnet, find_folders,
        find_beside,
    )  # fmt: skip
    for find in finders:
        layout = find(listing)
        if layout is not None:
            return layout
    raise _explain(listing)


def _explain(listing: Listing) -> UserError:
    """The sentence about a folder of no known layout."""
    named = [
        [p for p in listing.pictures if any(part.lower() in names for part in p.parts[:-1])]
        for names in (IMAGE_FOLDERS, MASK_FOLDERS)
    ]
    images, masks = named
    if images and masks:
        return UserError(
            f"no mask in '{listing.root}' has the name of an image: there is '{images[0]}' and "
            f"'{masks[0]}'; name each mask as its image (or NAME_mask.png)."
        )
    what = count(len(listing.pictures), "picture")
    return UserError(
        f"'{listing.root}' holds {what}, of which none is recognised as a mask; put images "
        "into images/ and their masks, PNG files of the same names, into masks/."
    )
