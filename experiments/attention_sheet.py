"""A sheet of images, what a model makes of them, and where each of its scales decides.

    python experiments/attention_sheet.py IMAGE ... --out sheet.png [--weights streetlite]

A row an image: itself, the overlay, and for each scale but the largest its attention as heat: where
it is bright the scale decides, where it is dark the larger ones do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ending import run_main
from hierseg.checkpoint.load import load_model
from hierseg.inference.predictor import Predictor
from hierseg.media.pictures import read_image
from hierseg.media.rendering import render_heat

Picture = npt.NDArray[np.uint8]
GAP = 6
HEADER = 26


def draw_row(predictor: Predictor, image: Picture, height: int) -> list[Picture]:
    """Image, overlay and heat of each scale, each (``height``, w, 3) RGB."""
    prediction = predictor.predict_batch([image])[0]
    heat = [render_heat(weight) for weight in (prediction.attention or {}).values()]
    width = round(image.shape[1] * height / image.shape[0])
    return [
        np.asarray(cv2.resize(panel, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for panel in (image, prediction.overlay(), *heat)
    ]


def join(rows: list[list[Picture]], titles: list[str]) -> Picture:
    """Rows below each other, white between, each column under its title."""
    widths = [max(row[column].shape[1] for row in rows) for column in range(len(titles))]
    total = sum(widths) + GAP * (len(widths) - 1)
    lines: list[Picture] = [np.full((HEADER, total, 3), 255, np.uint8)]
    starts = [sum(widths[:column]) + GAP * column for column in range(len(widths))]
    for start, title in zip(starts, titles, strict=True):
        place = (start + 4, HEADER - 9)
        cv2.putText(
            lines[0], title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
        )
    for row in rows:
        line = np.full((row[0].shape[0] + GAP, total, 3), 255, np.uint8)
        for start, panel in zip(starts, row, strict=True):
            line[: panel.shape[0], start : start + panel.shape[1]] = panel
        lines.append(line)
    return np.concatenate(lines)


def main(words: list[str] | None = None) -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights")
    parser.add_argument("--scales", type=float, nargs="+")
    parser.add_argument("--height", type=int, default=240, help="of a row, in pixels")
    arguments = parser.parse_args(words)
    predictor = Predictor(load_model(arguments.weights), arguments.scales, keep_scales=True)
    rows = [draw_row(predictor, read_image(path), arguments.height) for path in arguments.images]
    scales = sorted(predictor.scales)[:-1]
    titles = ["image", "prediction", *(f"attention of {scale:g}x" for scale in scales)]
    sheet = join(rows, titles)
    assert cv2.imwrite(str(arguments.out), sheet[..., ::-1])


if __name__ == "__main__":
    run_main(main)
