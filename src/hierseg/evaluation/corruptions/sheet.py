"""One image under all corruptions, on a sheet to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hierseg.evaluation.corruptions.catalog import CORRUPTIONS, SEVERITIES, Pixels, corrupt

WIDTH = 420
HEAD = 26
GAP = 6


def draw_sheet(image: Pixels, names: Sequence[str] = tuple(CORRUPTIONS), key: str = "") -> Pixels:
    """(h, w, 3) uint8 RGB: a row for each corruption with the clean image and each severity.

    Args:
        image: (H, W, 3) uint8 RGB; corrupted at its own size, shown 420 pixels wide.
        names: Corruptions.
        key: As in ``corrupt``.
    """
    height = max(1, round(WIDTH * image.shape[0] / image.shape[1]))
    columns, row = 1 + len(SEVERITIES), height + HEAD + GAP
    sheet = Image.new("RGB", (columns * (WIDTH + GAP) + GAP, len(names) * row), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for line, name in enumerate(names):
        shown = [("as it is", image)]
        shown += [(f"{name} {one}", corrupt(image, name, one, key)) for one in SEVERITIES]
        for column, (words, pixels) in enumerate(shown):
            x, y = GAP + column * (WIDTH + GAP), line * row
            draw.text((x, y + 4), words, fill=(34, 34, 34), font=font)
            shrunk = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_AREA)
            sheet.paste(Image.fromarray(np.asarray(shrunk, np.uint8)), (x, y + HEAD))
    return np.asarray(sheet)
