"""The classes that are right for a pixel: its own, or those around it (METHOD section 4).

Shapes: B batch, K classes, H and W pixels, P pixels beside a border, M places in a window. Class
maps are int16. Class K stands for ignore, as do places outside the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from hierseg.losses.set_likelihood import Mixed


def find_mixed(classes: Tensor, num_classes: int, window: int, strict: Sequence[int]) -> Mixed:
    """The pixels that have more than one label, ignore included, within ``window`` pixels.

    Pixels of a strict class are left out. Every pixel that is not returned has its own label alone.

    Args:
        classes: (B, H, W) int16 classes in [0, K], K for ignore.
        num_classes: K.
        window: Radius of the window in pixels; with 0 no pixel is found.
        strict: Classes that are never mixed.
    """
    padded = functional.pad(classes, [window] * 4, value=num_classes)
    spread = _slide(padded, window, torch.maximum) != _slide(padded, window, torch.minimum)
    for label in strict:
        spread &= classes != label
    image, row, column = spread.nonzero(as_tuple=True)
    height, width = padded.shape[1:]
    corners = (image * height + row) * width + column
    side = 2 * window + 1
    offsets = [down * width + right for down in range(side) for right in range(side)]
    flat = padded.flatten()
    members = torch.stack([flat.index_select(0, corners + offset) for offset in offsets])
    return Mixed(image, row * classes.shape[2] + column, members)


def touches_border(classes: Tensor, num_classes: int, window: int = 1) -> Tensor:
    """(B, H, W) bool: more than one label, ignore left out, within ``window`` pixels."""
    counted = classes != num_classes
    margins = [window] * 4
    highest = functional.pad(classes.where(counted, -1), margins, value=-1)
    lowest = functional.pad(classes, margins, value=num_classes)
    return _slide(highest, window, torch.maximum) > _slide(lowest, window, torch.minimum)


def count_classes(classes: Tensor, counted: Tensor, num_classes: int) -> Tensor:
    """(B, num_classes) int64: the counted pixels of each class, image by image."""
    batch = len(classes)
    images = torch.arange(batch, device=classes.device)[:, None, None] * num_classes
    counts = torch.bincount((images + classes)[counted], minlength=batch * num_classes)
    return counts.view(batch, num_classes)


def count_members(mixed: Mixed, batch: int, num_classes: int) -> Tensor:
    """(B, num_classes) int64: the mixed pixels whose set has the class, image by image."""
    counts = torch.zeros(batch, num_classes, dtype=torch.int64, device=mixed.image.device)
    for image, band in mixed.bands(num_classes):
        counts[image] += mixed.memberships(band, num_classes).sum(1)
    return counts


def _slide(padded: Tensor, window: int, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Minimum or maximum of every window; (B, H + 2 * window, W + 2 * window) to (B, H, W)."""
    for dim in (1, 2):
        length = padded.shape[dim] - 2 * window
        result = padded.narrow(dim, 0, length)
        for start in range(1, 2 * window + 1):
            result = extreme(result, padded.narrow(dim, start, length))
        padded = result
    return padded
