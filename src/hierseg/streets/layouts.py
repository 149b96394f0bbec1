"""Miniature Streets in the layout of every data set that hierseg reads: for tests and tutorials.

A few scenes, labelled in Cityscapes' ids, are written as Cityscapes (three ways), Mapillary Vistas,
KITTI and CamVid are distributed, or as a user may keep data of their own (``own.py``).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from hierseg.labels import CAMVID, CITYSCAPES, IGNORE, MAPILLARY
from hierseg.size import Size
from hierseg.streets.canvas import Pixels
from hierseg.streets.rendering import draw_street
from hierseg.streets.writing import TRAIN_CITIES, VAL_CITIES, scene_seed

VAL_SHARE = 3
"""Every third scene is for validation."""


class Scene(NamedTuple):
    """A drawn street.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        ids: (H, W) uint8 Cityscapes label ids.
    """

    image: Pixels
    ids: Pixels


def draw_scenes(count: int, size: Size, seed: int = 0) -> list[Scene]:
    """Scenes of a set, as ``hierseg streets`` draws them."""
    return [Scene(*draw_street(scene_seed(seed, index), size)) for index in range(count)]


def split_of(index: int) -> str:
    """The split of a scene: every third is for validation."""
    return "val" if index % VAL_SHARE == VAL_SHARE - 1 else "train"


def save(path: Path, pixels: Pixels, **options: Any) -> None:
    """Write pixels as the suffix says, folders and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def write_cityscapes(out: Path, scenes: Sequence[Scene]) -> Path:
    """Fine labels, a test split, and train_extra with coarse and auto-labels; plain folders."""
    for index, scene in enumerate(scenes):
        split = split_of(index)
        cities = VAL_CITIES if split == "val" else TRAIN_CITIES
        city = cities[index // 2 % 2]
        _write_frame(out, split, city, index, scene, fine=True)
        _write_frame(out, "train_extra", "nebelau", index, _mirror(scene), fine=False)
    _write_frame(out, "test", "ostwende", 0, _darken(scenes[0]), fine=False)
    return out


def write_cityscapes_archives(out: Path, scenes: Sequence[Scene]) -> Path:
    """As the downloaded archives unpack, each into a folder of its own name."""
    plain = write_cityscapes(out / "unsorted", scenes)
    for archive, kind, splits in ARCHIVES:
        for split in splits:
            target = out / archive / kind / split
            target.parent.mkdir(parents=True, exist_ok=True)
            (plain / kind / split).rename(target)
    return out


def write_cityscapes_zips(out: Path, scenes: Sequence[Scene]) -> Path:
    """As they are downloaded."""
    folders = write_cityscapes_archives(out / "folders", scenes)
    root = out / "zips"
    root.mkdir(parents=True)
    for archive in dict.fromkeys(archive for archive, _, _ in ARCHIVES):
        with zipfile.ZipFile(root / f"{archive}.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted((folders / archive).rglob("*.png")):
                file.write(path, path.relative_to(folders / archive).as_posix())
    return root


ARCHIVES = (
    ("leftImg8bit_trainvaltest", "leftImg8bit", ("train", "val", "test")),
    ("gtFine_trainvaltest", "gtFine", ("train", "val")),
    ("leftImg8bit_trainextra", "leftImg8bit", ("train_extra",)),
    ("gtCoarse", "gtCoarse", ("train_extra",)),
    ("autolabelled", "autolabelled", ("train_extra",)),
)


def write_mapillary(out: Path, scenes: Sequence[Scene], version: str = "v1.2") -> Path:
    """Mapillary Vistas: JPEG, palette PNG, and a ``config.json`` of the version."""
    labels, table = _mapillary_v1() if version == "v1.2" else _mapillary_v2()
    inner = "labels" if version == "v1.2" else f"{version}/labels"
    out.mkdir(parents=True, exist_ok=True)
    name = "config.json" if version == "v1.2" else f"config_{version}.json"
    (out / name).write_text(json.dumps({"labels": labels, "version": version}), encoding="utf-8")
    palette = [part for label in labels for part in label["color"]]
    for index, scene in enumerate(scenes):
        part = {"train": "training", "val": "validation"}[split_of(index)]
        save(out / part / "images" / f"street{index:03}.jpg", scene.image, quality=95)
        picture = Image.fromarray(table[scene.ids])
        picture.putpalette(palette)
        path = out / part / inner / f"street{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    save(out / "testing" / "images" / "street900.jpg", _darken(scenes[0]).image, quality=95)
    return out


def write_mapillary_v2(out: Path, scenes: Sequence[Scene]) -> Path:
    """Version 2.0."""
    return write_mapillary(out, scenes, "v2.0")


def write_kitti(out: Path, scenes: Sequence[Scene]) -> Path:
    """KITTI's semantic segmentation benchmark."""
    for index, scene in enumerate(scenes):
        save(out / "training" / "image_2" / f"{index:06}_10.png", scene.image)
        save(out / "training" / "semantic" / f"{index:06}_10.png", scene.ids)
    save(out / "testing" / "image_2" / "000000_10.png", _darken(scenes[0]).image)
    return out


def write_camvid(out: Path, scenes: Sequence[Scene]) -> Path:
    """CamVid in 11 classes."""
    table = np.full(256, CAMVID.void_raw_id, np.uint8)
    same = {"road": "road", "sidewalk": "pavement", "vegetation": "tree", "traffic sign": "sign"}
    for raw, name in zip(CITYSCAPES.raw_ids, CITYSCAPES.names, strict=True):
        name = same.get(name, name)
        if name in CAMVID.names:
            table[raw] = CAMVID.names.index(name)
    for index, scene in enumerate(scenes):
        split = split_of(index)
        save(out / split / f"street{index:03}.jpg", scene.image, quality=95)
        save(out / f"{split}annot" / f"street{index:03}.png", table[scene.ids])
    return out


LAYOUTS: dict[str, Callable[[Path, Sequence[Scene]], Path]] = {
    "cityscapes": write_cityscapes,
    "cityscapes-archives": write_cityscapes_archives,
    "cityscapes-zips": write_cityscapes_zips,
    "mapillary": write_mapillary,
    "mapillary-v2.0": write_mapillary_v2,
    "kitti": write_kitti,
    "camvid": write_camvid,
}
"""Writers of (folder, scenes), which return the data set's root; the folder must be new."""


def _write_frame(out: Path, split: str, city: str, index: int, scene: Scene, *, fine: bool) -> None:
    """A frame of Cityscapes; without fine labels, coarse and auto-labels for train_extra."""
    stem = f"{city}_{index:06d}_000019"
    save(out / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", scene.image)
    if fine:
        save(out / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png", scene.ids)
    elif split == "train_extra":
        uniform = _uniform(scene.ids)
        coarse = np.where(uniform, scene.ids, 0).astype(np.uint8)
        save(out / "gtCoarse" / split / city / f"{stem}_gtCoarse_labelIds.png", coarse)
        auto = out / "autolabelled" / split / city
        confidence = np.where(uniform, 240, 90).astype(np.uint8)
        save(auto / f"{stem}_leftImg8bit.png", np.where(scene.ids == 0, 11, scene.ids))
        save(auto / f"{stem}_leftImg8bit_prob.png", confidence)


def _mirror(scene: Scene) -> Scene:
    """The street from its other side, so that no image is in two splits."""
    return Scene(*(np.ascontiguousarray(pixels[:, ::-1]) for pixels in scene))


def _darken(scene: Scene) -> Scene:
    """The street at dusk, likewise."""
    return Scene(scene.image // 2, scene.ids)


def _uniform(ids: Pixels) -> Any:
    """(H, W) bool, whether the 5x5 pixels around have one id: far from what a hand leaves out."""
    square = np.ones((5, 5), np.uint8)
    return cv2.erode(ids, square) == cv2.dilate(ids, square)


def _mapillary_v1() -> tuple[list[dict[str, Any]], Pixels]:
    """The labels of v1.2, and the table from Cityscapes' ids to theirs."""
    rows = list(zip(MAPILLARY.names, MAPILLARY.colors, strict=True))
    ours = {"vegetation": "Vegetation", "rider": "Bicyclist", "train": "On Rails"}
    ours |= {"traffic sign": "Traffic Sign (Front)"}
    by_name = {name.lower(): raw for raw, name in enumerate(MAPILLARY.names)}
    table = np.full(256, MAPILLARY.void_raw_id, np.uint8)
    for raw, name in zip(CITYSCAPES.raw_ids, CITYSCAPES.names, strict=True):
        table[raw] = by_name[ours.get(name, name).lower()]
    return _describe([*rows, ("Unlabeled", (0, 0, 0))], {"Unlabeled"}), table


def _mapillary_v2() -> tuple[list[dict[str, Any]], Pixels]:
    """Few of the labels of v2.0, in an order of their own, two of them not evaluated."""
    rows = [("Dynamic", (111, 74, 0))]
    rows += [(name.title(), color) for name, color in _reversed_classes()]
    labels = _describe([*rows, ("Unlabeled", (0, 0, 0))], {"Dynamic", "Unlabeled"})
    table = np.full(256, len(labels) - 1, np.uint8)
    for place, raw in enumerate(reversed(CITYSCAPES.raw_ids)):
        table[raw] = place + 1
    return labels, table


def _reversed_classes() -> list[tuple[str, tuple[int, int, int]]]:
    return list(zip(reversed(CITYSCAPES.names), reversed(CITYSCAPES.colors), strict=True))


def _describe(
    rows: Sequence[tuple[str, tuple[int, int, int]]], void: set[str]
) -> list[dict[str, Any]]:
    assert len(rows) < IGNORE
    return [
        {
            "readable": name,
            "name": f"object--{name.lower().replace(' ', '-')}",
            "color": list(color),
            "evaluate": name not in void,
        }
        for name, color in rows
    ]
