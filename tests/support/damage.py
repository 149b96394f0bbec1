"""A sound little data set of a user's own, and ten ways to damage it.

``write_sound(folder)`` writes ``folder/data.yaml`` with six pairs of 64x96 in two splits; each
function in ``DAMAGES`` damages such a folder and returns the words that whoever reports it must
use. Those in ``STOPS_OPENING`` cannot be opened at all; the others show when the file is read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 64, 96
COLORS = np.array([(128, 64, 128), (70, 70, 70), (70, 130, 180)], np.uint8)
IDS = np.array([7, 11, 23], np.uint8)
NAMES = {
    "train": ["street_0", "street_1", "street_2", "street_3"],
    "val": ["street_4", "street_5"],
}

SOUND = """\
name: toy
classes:
  - {name: road, color: [128, 64, 128], id: 7}
  - {name: building, color: [70, 70, 70], id: 11}
  - {name: sky, color: [70, 130, 180], id: 23}
ignore: [0, 255]
splits:
  train: {images: "images/train/*.png", labels: "labels/train/*.png"}
  val: {images: "images/val/*.png", labels: "labels/val/*.png"}
"""


def write_sound(folder: Path) -> Path:
    """Write the sound data set; returns its description, ``folder/data.yaml``."""
    for split, names in NAMES.items():
        for name in names:
            random = np.random.default_rng([ord(name[-1]), len(split)])
            labels = np.zeros((HEIGHT, WIDTH), np.uint8)
            labels[: random.integers(20, 30)] = 2
            labels[20:45, random.integers(0, 30) : random.integers(40, 70)] = 1
            noise = random.integers(0, 30, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            ids = IDS[labels]
            ids[:, :2] = 0
            for kind, pixels in (("images", COLORS[labels] + noise), ("labels", ids)):
                path = folder / kind / split / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    description = folder / "data.yaml"
    description.write_text(SOUND, encoding="utf-8")
    return description


def _image(folder: Path) -> Path:
    return folder / "images" / "train" / "street_1.png"


def _label(folder: Path) -> Path:
    return folder / "labels" / "train" / "street_1.png"


def _edit(folder: Path, old: str, new: str) -> None:
    description = folder / "data.yaml"
    text = description.read_text(encoding="utf-8")
    assert old in text
    description.write_text(text.replace(old, new), encoding="utf-8")


def miss_a_label(folder: Path) -> list[str]:
    """An image without its label map."""
    _label(folder).unlink()
    return ["street_1.png", "no label map"]


def resize_a_label(folder: Path) -> list[str]:
    """A label map of half the size of its image."""
    with Image.open(_label(folder)) as labels:
        small = labels.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.NEAREST)
    small.save(_label(folder))
    return ["street_1.png", "32x48"]


def add_an_unknown_id(folder: Path) -> list[str]:
    """A pixel with an id that no class claims."""
    ids = np.array(Image.open(_label(folder)))
    ids[10, 20] = 99
    Image.fromarray(ids).save(_label(folder))
    return ["street_1.png", "99"]


def truncate_an_image(folder: Path) -> list[str]:
    """A PNG of which the second half is not there."""
    content = _image(folder).read_bytes()
    _image(folder).write_bytes(content[: len(content) // 2])
    return ["street_1.png", "damaged or cut short"]


def color_a_label(folder: Path) -> list[str]:
    """A label map with three channels."""
    with Image.open(_label(folder)) as labels:
        labels.convert("RGB").save(_label(folder))
    return ["street_1.png", "3 channels"]


def rotate_by_exif(folder: Path) -> list[str]:
    """An image that EXIF turns by a quarter, beside a label map drawn on its raw pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(_image(folder)) as image:
        image.save(_image(folder), exif=exif)
    return ["street_1.png", "EXIF"]


def empty_a_split(folder: Path) -> list[str]:
    """A split whose pattern matches nothing."""
    for path in (folder / "images" / "val").iterdir():
        path.unlink()
    return ["val", "no images"]


def spoil_a_csv(folder: Path) -> list[str]:
    """Pairs in a csv, of which the row in line 3 has a column too few."""
    rows = [f"images/train/{name}.png,labels/train/{name}.png" for name in NAMES["train"]]
    rows[1] = "images/train/street_1.png"
    (folder / "train.csv").write_text("\n".join(["image,label", *rows, ""]), encoding="utf-8")
    _edit(
        folder, '{images: "images/train/*.png", labels: "labels/train/*.png"}', "{pairs: train.csv}"
    )
    return ["train.csv", "line 3"]


def misspell_a_key(folder: Path) -> list[str]:
    """A key that is not known, near one that is."""
    _edit(folder, "ignore:", "ingore:")
    return ["data.yaml", "ingore", "ignore"]


def repeat_an_id(folder: Path) -> list[str]:
    """Two classes with one id."""
    _edit(folder, "id: 23", "id: 11")
    return ["data.yaml", "building", "sky", "11"]


DAMAGES: dict[str, Callable[[Path], list[str]]] = {
    "a missing label": miss_a_label,
    "a label of another size": resize_a_label,
    "an id out of range": add_an_unknown_id,
    "a truncated PNG": truncate_an_image,
    "a 3-channel label": color_a_label,
    "a rotated image by EXIF": rotate_by_exif,
    "an empty split": empty_a_split,
    "a csv with a bad row": spoil_a_csv,
    "an unknown key": misspell_a_key,
    "two classes with the same id": repeat_an_id,
}

STOPS_OPENING = frozenset(
    {
        "a missing label", "an empty split", "a csv with a bad row", "an unknown key",
        "two classes with the same id",
    }
)  # fmt: skip
