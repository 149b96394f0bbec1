"""Miniature Streets as a user may keep data: described by a file, in three forms."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hierseg.labels import CITYSCAPES, IGNORE
from hierseg.streets.layouts import Scene, save, split_of


def write_globs(out: Path, scenes: Sequence[Scene]) -> Path:
    """Folders by split, label maps of ids; a YAML file with globs and two ids for one class."""
    for index, scene in enumerate(scenes):
        place = f"{split_of(index)}/tour{index % 2}/{index:03}"
        save(out / "images" / f"{place}_camera.jpg", scene.image, quality=95)
        save(out / "masks" / f"{place}_mask.png", scene.ids)
    classes: list[dict[str, Any]] = [
        {"name": name, "color": list(color), "id": raw}
        for name, color, raw in zip(
            CITYSCAPES.names[:-1], CITYSCAPES.colors, CITYSCAPES.raw_ids, strict=False
        )
    ]
    # Bicycles count as motorcycles.
    last = classes.pop()
    classes.append({"name": last["name"], "ids": [last["id"], CITYSCAPES.raw_ids[-1]]})
    description = {
        "name": "tours",
        "classes": classes,
        "ignore": list(CITYSCAPES.ignored_raw_ids),
        "splits": {
            split: {
                "images": f"images/{split}/*/*_camera.jpg",
                "labels": f"masks/{split}/*/*_mask.png",
            }
            for split in ("train", "val")
        },
    }
    return _write(out / "tours.yaml", description)


def write_csv(out: Path, scenes: Sequence[Scene]) -> Path:
    """One folder, 16-bit label maps; a JSON file and a csv of pairs with a column for the split."""
    rows = [("image", "label", "split")]
    for index, scene in enumerate(scenes):
        image, label = f"all/{index:03}.png", f"all/{index:03}_ids.png"
        save(out / image, scene.image)
        ids = _train_ids(scene).astype(np.uint16) * 10
        save(out / label, ids)
        rows.append((image, label, split_of(index)))
    with (out / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    classes = [{"name": name, "id": 10 * train} for train, name in enumerate(CITYSCAPES.names)]
    description = {"classes": classes, "ignore": [10 * IGNORE], "pairs": "pairs.csv"}
    path = out / "listed.json"
    path.write_text(json.dumps(description, indent=1), encoding="utf-8")
    return path


def write_colors(out: Path, scenes: Sequence[Scene]) -> Path:
    """One folder, label maps of colours; a YAML file that draws a split and gives statistics."""
    table = CITYSCAPES.color_table()
    for index, scene in enumerate(scenes):
        save(out / "data" / "images" / f"{index:03}.png", scene.image)
        save(out / "data" / "masks" / f"{index:03}.png", table[_train_ids(scene)])
    pixels = np.stack([scene.image for scene in scenes]).reshape(-1, 3) / 255
    description = {
        "root": "data",
        "encoding": "colors",
        "classes": [
            {"name": name, "color": list(color)}
            for name, color in zip(CITYSCAPES.names, CITYSCAPES.colors, strict=True)
        ],
        "ignore": [[0, 0, 0]],
        "images": "images/*.png",
        "labels": "masks/*.png",
        "split": {"val": 0.3, "seed": 1},
        "mean": [round(float(value), 4) for value in pixels.mean(axis=0)],
        "std": [round(float(value), 4) for value in pixels.std(axis=0)],
    }
    return _write(out / "painted.yaml", description)


FORMS: dict[str, Callable[[Path, Sequence[Scene]], Path]] = {
    "globs": write_globs,
    "csv": write_csv,
    "colors": write_colors,
}
"""Writers of (folder, scenes), which return the file that describes the data."""


def _train_ids(scene: Scene) -> Any:
    return CITYSCAPES.encode(scene.ids)


def _write(path: Path, description: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return path
