"""Writes the pictures of a page, small enough for a browser to hold many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.inference import PLAIN, Look, Prediction
from hierseg.labels import LabelSpace
from hierseg.media import render_heat, render_overlay, shrink, write_picture
from hierseg.pages.pixels import write_pixels
from hierseg.pages.records import Panel

FOLDER = "page"
LONGEST = 1280
"""Most pixels of the longer side of a picture on the page."""


_ENDINGS = {
    "scales": ("_scale_{:g}.jpg",),
    "confidence": ("_confidence.jpg",),
    "attention": ("_attention_{:g}.jpg",),
}


def list_panels(name: str, save: Sequence[str], scales: Sequence[float]) -> list[str]:
    """The files that ``write_panels`` may write, relative to the page's folder."""
    endings = [
        "_image.jpg",
        "_overlay.jpg",
        "_pixels.js",
        *(e for key in save for e in _ENDINGS.get(key, ())),
    ]
    return [f"{FOLDER}/{name}{ending}" for ending in fill_scales(endings, scales)]


def write_panels(
    prediction: Prediction,
    out: Path,
    name: str,
    save: Sequence[str],
    shown: Sequence[str] | None = None,
    look: Look = PLAIN,
) -> list[Panel]:
    """Write the pictures that a page shows of an image, ``page/NAME_*.jpg``.

    They are the image, the overlay and the outputs in ``shown``. If an output's own file is small
    enough, the page shows that file.

    Args:
        prediction: The prediction for the image.
        out: Folder of the page.
        name: Common beginning of the files' names.
        save: Outputs that are written as files of their own.
        shown: Outputs that the page shows; None for ``save``.
        look: How classes are shown.

    Returns:
        The panels of the page, with the script of classes and confidences as the last.
    """
    shown = save if shown is None else shown

    def panel(kind: str, caption: str, output: str, make: Callable[[], Path]) -> Panel:
        small = max(prediction.labels.shape) <= LONGEST
        path = out / output if output and small else make()
        return Panel(kind, caption, path.relative_to(out).as_posix())

    def small_picture(kind: str, picture: npt.NDArray[np.uint8]) -> Path:
        return write_picture(out / FOLDER / f"{name}_{kind}.jpg", shrink(picture, LONGEST))

    image, labels, space = prediction.image, prediction.labels, prediction.label_space
    panels = [
        panel("image", "image", "", lambda: small_picture("image", image)),
        panel(
            "overlay",
            "prediction",
            f"{name}_overlay.jpg" if "overlay" in save else "",
            lambda: write_overlay_panel(image, labels, space, out, f"{name}_overlay", look),
        ),
    ]
    if "scales" in shown:
        for scale, alone in (prediction.per_scale or {}).items():
            stem = f"{name}_scale_{scale:g}"
            picture = write_overlay_panel(image, alone, space, out, stem, look)
            file = picture.relative_to(out).as_posix()
            panels.append(Panel("scale", f"prediction at {scale:g} alone", file))
    if "confidence" in shown and not np.isnan(prediction.confidence[0, 0]):
        heat = render_heat(prediction.confidence)
        panels.append(
            panel("confidence", "confidence", "", lambda: small_picture("confidence", heat))
        )
    if "attention" in shown:
        for scale, weight in (prediction.attention or {}).items():
            kind = f"attention_{scale:g}"
            panels.append(
                panel(
                    "attention",
                    f"attention at {scale:g}",
                    f"{name}_{kind}_heat.jpg" if "attention" in save else "",
                    lambda kind=kind, weight=weight: small_picture(kind, render_heat(weight)),  # type: ignore[misc]
                )
            )
    script = out / FOLDER / f"{name}_pixels.js"
    script = write_pixels(prediction, script, name, scales="scales" in shown)
    return [*panels, Panel("pixels", "", script.relative_to(out).as_posix())]


def write_overlay_panel(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    space: LabelSpace,
    out: Path,
    stem: str,
    look: Look = PLAIN,
) -> Path:
    """Write ``page/STEM.jpg``, an overlay of the reduced image, so that its lines stay thin.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 train ids.
        space: The label space, for names and colours.
        out: Folder of the page.
        stem: Name of the file without suffix.
        look: How classes are shown.
    """
    small = shrink(image, LONGEST)
    rows = np.linspace(0, labels.shape[0] - 1, small.shape[0]).round().astype(int)
    columns = np.linspace(0, labels.shape[1] - 1, small.shape[1]).round().astype(int)
    fitting = labels[np.ix_(rows, columns)]
    overlay = render_overlay(small, fitting, space, names=look.names)
    return write_picture(out / FOLDER / f"{stem}.jpg", overlay)


def fill_scales(endings: Sequence[str], scales: Sequence[float]) -> list[str]:
    """Endings of file names, those with a field for a scale filled in for each scale."""
    every = [e.format(s) for e in endings if "{" in e for s in scales]
    return [*(e for e in endings if "{" not in e), *every]
