"""Draw the pictures of the tutorials: run their commands, and photograph what these made.

    PYTHONPATH=src:tests python tests/draw_tutorials.py [NAME ...]

Needs Chromium. Takes about five minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from support.browser import Browser
from support.documents import run_blocks

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES = DOCS / "images" / "tutorials"
PAGES = {
    "pictures": {"page": "masks/index.html"},
    "data": {"finetune": "runs/mine/index.html", "predictions": "predictions/index.html"},
    "cityscapes": {"worst": "worst/index.html"},
}
SIZE = (1200, 760)


def main() -> None:
    """Draw those of the tutorials that are named, or of all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or PAGES:
        text = (DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            run_blocks(text, name, folder)
            photograph_pages(name, folder)
            if name == "pictures":
                copy_overlays(folder)
            if name == "data":
                lay_pairs(folder)


def photograph_pages(name: str, folder: Path) -> None:
    """Pictures of the pages that a tutorial has made."""
    with Browser(folder / "profile", SIZE) as browser:
        for picture, page in PAGES[name].items():
            browser.open(folder / page)
            browser.emulate(*SIZE, dark=False)
            browser.take_picture(folder / "page.png")
            save(Image.open(folder / "page.png"), picture)


def copy_overlays(folder: Path) -> None:
    """One scene, and its overlay in two palettes."""
    scene = sorted((folder / "streets").rglob("*_leftImg8bit.png"))[0]
    save(Image.open(scene), "scene")
    for picture, made in (("overlay", "masks"), ("colorblind", "distinct")):
        save(Image.open(folder / made / f"{scene.stem}_overlay.jpg"), picture)


def lay_pairs(folder: Path) -> None:
    """The first images of the drawn data beside their masks."""
    colors = np.array([[60, 60, 60], [128, 64, 128], [0, 0, 200]], np.uint8)
    rows = []
    for path in sorted((folder / "mine" / "images").iterdir())[:3]:
        mask = np.array(Image.open(folder / "mine" / "masks" / f"{path.stem}.png"))
        rows.append(np.vstack([np.array(Image.open(path)), colors[mask]]))
    save(Image.fromarray(np.hstack(rows)), "mine")


def save(picture: Image.Image, name: str) -> None:
    """Write it where the tutorials look for it."""
    picture.convert("RGB").save(PICTURES / f"{name}.jpg", quality=82, optimize=True)


if __name__ == "__main__":
    main()
