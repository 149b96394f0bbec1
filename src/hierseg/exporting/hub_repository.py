"""Writes a model as a repository of the Hub: weights, card, label space and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hierseg.checkpoint import annotate_checkpoint, header_of
from hierseg.exporting.hub_card import PICTURE, WEIGHTS, License, write_card
from hierseg.exporting.hub_figures import Figures, find_figures
from hierseg.files import write_json, write_text
from hierseg.inference import Predictor
from hierseg.media import shrink, write_picture
from hierseg.models import SegmentationNetwork
from hierseg.ownership import find_foreign, refuse_foreign, require_own_json, with_header
from hierseg.size import Size
from hierseg.streets import draw_street

CARD, SPACE = "README.md", "label_space.json"
FILES = (CARD, WEIGHTS, SPACE, PICTURE)
COMMAND = "publish"
DRAWN = "A drawn scene of Miniature Streets, and its segmentation by this model."
OWN = "A picture, and its segmentation by this model."
_SEED, _SIZE = 4, Size(256, 512)
_LONGEST = 1024
"""Pixels of the longer side of each half of the picture."""


def require_own_repository(folder: Path, overwrite: bool) -> None:
    """UsageError if files would be replaced that `hierseg publish` did not write."""
    require_own_json("--to", folder / SPACE, COMMAND, overwrite)
    if not overwrite and not (folder / SPACE).is_file():
        refuse_foreign(folder, find_foreign(folder, FILES, lambda _: False), COMMAND, "--to")


def write_repository(
    folder: Path,
    network: SegmentationNetwork,
    source: str | Path | None,
    license_: License,
    address: str,
    figures: Sequence[Figures] = (),
    picture: Path | None = None,
) -> list[Path]:
    """Write a model as a repository of the Hub.

    Args:
        folder: The folder to write; created if it does not exist. Files of the same names are
            replaced.
        network: The network that ``load_model`` made of the weights.
        source: The weights, as ``load_model`` takes them.
        license_: Licence of the weights.
        address: Address of the repository, ``hf:owner/name``, for the card.
        figures: Measured figures; if empty, those of the training record.
        picture: Picture that the card shows segmented; None for a drawn scene.

    Returns:
        The files.

    Raises:
        UserError: The picture cannot be read, or a file cannot be written.
    """
    header = header_of(network)
    recorded = find_figures(header.record)
    if not figures and recorded is not None:
        figures = [recorded]
    shown = _draw(network, picture)
    folder.mkdir(parents=True, exist_ok=True)
    # This file's header marks the folder as hierseg's.
    write_json(folder / SPACE, with_header(header.label_space.to_dict(), COMMAND))
    write_picture(folder / PICTURE, shown)
    annotate_checkpoint(source, folder / WEIGHTS, network, {})
    count = sum(parameter.numel() for parameter in network.parameters())
    title = address.rpartition("/")[2]
    text = write_card(
        header, count, figures, license_, title, address, DRAWN if picture is None else OWN
    )
    write_text(folder / CARD, text)
    return [folder / name for name in FILES]


def _draw(network: SegmentationNetwork, picture: Path | None) -> np.ndarray:
    """(H, 2W, 3) uint8 RGB: an image, and beside it the image with its classes in colour."""
    image = draw_street(_SEED, _SIZE)[0] if picture is None else picture
    prediction = Predictor(network)(image)
    halves = (prediction.image, prediction.overlay(names=True))
    return np.hstack([shrink(half, _LONGEST) for half in halves])
