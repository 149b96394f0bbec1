"""Centroids of the classes in the tiles of a label map (METHOD section 6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int32Array = npt.NDArray[np.int32]

VALUES = 256  # of a label


def find_centroids(labels: npt.NDArray[np.uint8], tile: int, ignore: int) -> Int32Array:
    """Where the classes of a label map are, tile by tile.

    Tiles of ``tile`` pixels square are laid from the top left; what is left over at the edges is
    dropped, and a map in which no tile has room is one tile. A centroid is the mean row and column
    of a class's pixels in a tile, cut to integers. It need not be a pixel of the class.

    Labels come in runs along the rows, of which a map has a hundredth as many as pixels: one pass
    finds where they begin, and sums over runs give those over pixels.

    Args:
        labels: (H, W) uint8.
        tile: Side of a tile.
        ignore: The label that is no class.

    Returns:
        (N, 3) int32: label, row, column, by tile in reading order, then by label.
    """
    height, width = labels.shape
    tall, wide = (tile, tile) if min(height, width) >= tile else (height, width)
    across = width // wide
    height, width = height // tall * tall, across * wide
    labels = np.ascontiguousarray(labels[:height, :width])
    begins = np.empty((height, width), np.bool_)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    begins[:, ::wide] = True
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=labels.size)
    rows, columns = np.divmod(starts, width)
    tiles_down, rows = np.divmod(rows, tall)
    tiles_across, columns = np.divmod(columns, wide)
    keys = (tiles_down * across + tiles_across) * VALUES + labels.ravel()[starts]
    # Sums of whole numbers below 2**53, exact in the float64 of bincount.
    pixels = np.bincount(keys, lengths).astype(np.int64)
    row_sums = np.bincount(keys, rows * lengths).astype(np.int64)
    column_sums = np.bincount(keys, lengths * (2 * columns + lengths - 1) // 2).astype(np.int64)
    found = np.flatnonzero(pixels)
    found = found[found % VALUES != ignore]
    tiles, classes = np.divmod(found, VALUES)
    down, right = np.divmod(tiles, across)
    centre_rows = down * tall + row_sums[found] // pixels[found]
    centre_columns = right * wide + column_sums[found] // pixels[found]
    return np.stack([classes, centre_rows, centre_columns], axis=1).astype(np.int32)
