"""Mapillary Vistas, v1.2 and v2.0, with the classes of its ``config.json`` (METHOD section 6).

``{training,validation,testing}/images/*.jpg`` beside ``labels/*.png`` (v1.2) or
``v2.0/labels/*.png``, in a folder or in the downloaded zip file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hierseg.data.archive import is_file, is_folder
from hierseg.data.base import (
    SegmentationDataset,
    find_named,
    first_folder,
    pair_with_labels,
    require_root,
    require_samples,
    require_split,
)
from hierseg.data.datasets.mapillary_config import read_config
from hierseg.data.options import STANDARD, DataOptions
from hierseg.errors import UserError

NAMES = {"v1.2": "mapillary", "v2.0": "mapillary-v2.0"}
FOLDERS = {"train": "training", "val": "validation", "test": "testing"}


def open_mapillary(
    root: Path | None,
    split: str,
    options: DataOptions = STANDARD,
    version: Literal["v1.2", "v2.0"] = "v1.2",
) -> SegmentationDataset:
    """A split; ``test`` has no labels. Errors name the flag and what was expected."""
    name = NAMES[version]
    require_split(name, split, list(FOLDERS))
    options.require_plain(name)
    part = FOLDERS[split]
    places = [f"{part}/labels"] if version == "v1.2" else [f"{part}/v2.0/labels"]
    layout = f"{part}/images/*.jpg, {places[0]}/*.png and config.json"
    root = require_root(name, root, layout)
    archive = f"mapillary-vistas-dataset_public_{version}.zip"
    base = first_folder(root, part, f"{archive}/{part}").parent
    if version == "v2.0":
        places.append(f"v2.0/{part}/labels")
    elif is_folder(base / part / "v2.0") and not is_folder(base / places[0]):
        raise UserError(f"'{base}' has labels of version 2.0; name the data set {NAMES['v2.0']}.")
    labels = first_folder(base, *places)
    samples = pair_with_labels(
        find_named(base / part / "images", "*.jpg", ".jpg"),
        lambda stem, _: None if split == "test" else labels / f"{stem}.png",
    )
    require_samples(name, root, split, samples, layout)
    configs = [base / f"config_{version}.json", base / version / "config.json"]
    config = next((path for path in configs if is_file(path)), base / "config.json")
    return SegmentationDataset(name, split, read_config(config, name), samples)
