"""The F-score of boundaries: the share of border pixels with a counterpart within a few pixels.

It is the measure F of DAVIS (Perazzi et al., CVPR 2016, section 4) by class, as in Gated-SCNN
(Takikawa et al., ICCV 2019, arXiv 1907.05740); it goes back to Martin, Fowlkes and Malik (PAMI
2004). H and W are the image's size, K classes, T tolerances.

Each class is one bit of a 32-bit word, so that one pass over an image serves 32 classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]

TOLERANCES = (3, 5, 9, 12)
"""Tolerances in pixels; Gated-SCNN has the same."""
WORD = 32
STRIP = 64
"""Rows that are dilated together: few enough for the processor's cache."""


class ContourScores(NamedTuple):
    """F-scores of one image.

    Attributes:
        f_score: (T, K) in [0, 1]; 0 for classes without a border in truth and prediction.
        occurs: (K,) whether a class has a border in truth or prediction.
    """

    f_score: Floats
    occurs: npt.NDArray[np.bool_]


def score_contours(
    prediction: Labels, truth: Labels, num_classes: int, tolerances: Sequence[int] = TOLERANCES
) -> ContourScores:
    """F = 2 P R / (P + R) of each class.

    P is the share of the class's predicted border pixels with a true one within the tolerance
    (Euclidean distance); R is the share of its true border pixels with a predicted one.

    Args:
        prediction: (H, W) uint8 or uint16, 0 to K-1, or K for no class.
        truth: Likewise. Both are K in pixels that do not count.
        num_classes: K.
        tolerances: T distances in pixels.
    """
    scores = np.zeros((len(tolerances), num_classes))
    occurs = np.zeros(num_classes, np.bool_)
    for first in range(0, num_classes, WORD):
        classes = slice(first, min(first + WORD, num_classes))
        kept = classes.stop - first
        ours, theirs = (trace_borders(labels, first, num_classes) for labels in (prediction, truth))
        our_count, their_count = (count_bits(words)[:kept] for words in (ours, theirs))
        met = count_met(ours, theirs, tolerances)[:, :kept]
        found = count_met(theirs, ours, tolerances)[:, :kept]
        occurs[classes] = our_count + their_count > 0
        # If one of the two has no border, nothing is met, and F is 0 whatever it is divided by.
        precision, recall = met / np.maximum(our_count, 1), found / np.maximum(their_count, 1)
        total = precision + recall
        scores[:, classes] = 2 * precision * recall / np.where(total > 0, total, 1)
    return ContourScores(scores, occurs)


def trace_borders(labels: Labels, first: int, num_classes: int) -> Words:
    """(H, W) words: bit i is set if the pixel is on the border of class ``first + i``.

    A pixel is on the border of a class if exactly one of it and its neighbour to the right, below,
    or diagonally below right has the class. DAVIS and Berkeley's benchmark trace borders so. The
    edge of the image is no border.
    """
    bits = np.zeros(num_classes + 1, np.dtype("<u4"))
    bits[first:num_classes][:WORD] = np.uint32(1) << np.arange(
        min(WORD, num_classes - first), dtype=np.uint32
    )
    own = bits[labels]
    borders = np.zeros_like(own)
    height, width = labels.shape
    for down, right in ((0, 1), (1, 0), (1, 1)):
        here = own[: height - down, : width - right]
        # Different classes have different bits: XOR sets both; of equal classes it sets none.
        borders[: height - down, : width - right] |= here ^ own[down:, right:]
    return borders


def count_bits(words: Words) -> npt.NDArray[np.int64]:
    """(32,) number of words that have each bit."""
    some = words[words != 0]
    bits = np.unpackbits(some.view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    return np.asarray(bits.sum(0, dtype=np.int64))


def count_met(ours: Words, theirs: Words, tolerances: Sequence[int]) -> npt.NDArray[np.int64]:
    """(T, 32) number of border pixels in ``ours`` that have one of the same class in ``theirs``
    within each tolerance.
    """
    met = np.zeros((len(tolerances), WORD), np.int64)
    reach = max(tolerances)
    for top in range(0, len(ours), STRIP):
        strip = ours[top : top + STRIP]
        places = np.flatnonzero(strip)
        start = max(0, top - reach)
        around = theirs[start : top + STRIP + reach]
        rows = slice(top - start, top - start + len(strip))
        own = strip.reshape(-1)[places]
        for index, wide in enumerate(_widen(around, rows, tolerances)):
            met[index] += count_bits(own & wide.reshape(-1)[places])
    return met


def _widen(words: Words, rows: slice, radii: Sequence[int]) -> Iterator[Words]:
    """For each radius the rows, each word OR-ed with all words of the disk around it."""
    height, width = words.shape
    lines = [words]  # lines[w]: OR-ed with w words to each side
    for reach in range(1, min(max(radii), width - 1) + 1):
        line = lines[-1].copy()
        line[:, reach:] |= words[:, :-reach]
        line[:, :-reach] |= words[:, reach:]
        lines.append(line)
    for radius in radii:
        wide = np.zeros_like(words[rows])
        for shift in range(-radius, radius + 1):
            # The disk's row at this height, cut off at the image's width.
            line = lines[min(math.isqrt(radius * radius - shift * shift), len(lines) - 1)]
            start, stop = max(0, rows.start + shift), min(height, rows.stop + shift)
            if start < stop:
                offset = start - shift - rows.start
                wide[offset : offset + stop - start] |= line[start:stop]
        yield wide
