"""How usable the page of a large folder is: its size, how soon it shows, filters and is in order.

    python experiments/folder_page.py 5000 [--out DIR] [--picture PREFIX]

Writes as many small pictures and the page of them, opens it from disk in headless Chromium, and
prints one figure a line. An action is timed from its event until the next frame is drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ending import run_main
from hierseg.labels import CITYSCAPES
from hierseg.media import write_picture
from hierseg.pages import FILE, ImageRecord, Page, Panel, write_page

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
if TYPE_CHECKING:
    from tests.support.browser import Browser
else:
    from support.browser import Browser

_DRAWN = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
_SEEN = """[...document.images].filter((i) => {
  const box = i.getBoundingClientRect();
  return i.getAttribute("src") && box.bottom > 0 && box.top < innerHeight && box.width > 0;
}).every((i) => i.complete) && document.querySelectorAll(".card").length > 0"""
_ACTIONS = {
    "filter by a class": "document.querySelector('button.class').click()",
    "filter by two": "document.querySelectorAll('button.class')[4].click()",
    "show all": "document.getElementById('clear').click()",
    "order by confidence": "const o = document.getElementById('order'); o.value = 'confidence';"
    "o.dispatchEvent(new Event('change'))",
    "search by name": "const s = document.getElementById('search'); s.value = '0012';"
    "s.dispatchEvent(new Event('input'))",
    "show all again": "document.getElementById('clear').click()",
    "large cards": "document.getElementById('compact').click()",
    "to the end": "scrollTo(0, document.body.scrollHeight)",
    "enlarge a picture": "document.querySelector('.card figure a').click()",
}


def write(count: int, out: Path) -> None:
    """A page of so many images with two pictures each, as of Cityscapes."""
    random = np.random.default_rng(0)
    (out / "page").mkdir(parents=True, exist_ok=True)
    records = []
    for i in range(count):
        name = f"frankfurt_{i // 1000:06d}_{i:06d}_leftImg8bit"
        blocks = random.integers(60, 220, (4, 8, 3)).astype(np.uint8)
        for kind in ("image", "overlay"):
            picture = blocks.repeat(32, axis=0).repeat(32, axis=1)
            write_picture(out / "page" / f"{name}_{kind}.jpg", picture)
        found = zip(CITYSCAPES.names, random.dirichlet(np.full(19, 0.3)).tolist(), strict=True)
        shares = dict(sorted(found, key=lambda pair: -pair[1]))
        panels = [
            Panel("image", "image", f"page/{name}_image.jpg"),
            Panel("overlay", "prediction", f"page/{name}_overlay.jpg"),
            Panel("pixels", "", f"page/{name}_pixels.js"),
        ]
        source = f"/data/cityscapes/leftImg8bit/val/frankfurt/{name}.png"
        sure = float(random.random())
        records.append(
            ImageRecord(source, 1, 2, name, 1024, 2048, sure, shares, 0.1, [], panels)
        )  # fmt: skip
    skipped = {f"/data/{i}.png": "the file is empty" for i in range(20)}
    begun = time.perf_counter()
    page = Page("Segmented images", [f"{count} images"], CITYSCAPES, records, skipped)
    path = write_page(page, out)
    print(f"written in {time.perf_counter() - begun:.2f} s; {path.stat().st_size / 1e6:.2f} MB")


def measure(page: Path, picture: str) -> None:
    """Open the page, use it, and print what each thing took."""
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        browser.open("about:blank")
        begun = time.perf_counter()
        browser.open(page)
        while not browser.evaluate(_SEEN):
            time.sleep(0.02)
        print(f"first screen with its pictures: {time.perf_counter() - begun:.2f} s")
        _print_memory(browser)
        if picture:
            for width, dark in ((1400, False), (420, True)):
                browser.emulate(width, 1000, dark)
                time.sleep(1)
                browser.take_picture(Path(f"{picture}{width}.png"))
            browser.emulate(1400, 1000, False)
        for name, action in _ACTIONS.items():
            browser.evaluate(
                "globalThis.took = null; (async () => { const begun = performance.now();"
                f"{action}; await {_DRAWN}; globalThis.took = performance.now() - begun; }})()"
            )
            while (took := browser.evaluate("globalThis.took")) is None:
                time.sleep(0.02)
            print(f"{name}: {took / 1000:.3f} s")
        _print_memory(browser)


def _print_memory(browser: Browser) -> None:
    nodes = browser.evaluate("document.querySelectorAll('*').length")
    cards = browser.evaluate("document.querySelectorAll('.card').length")
    heap = browser.evaluate("performance.memory.usedJSHeapSize") / 1e6
    print(f"{cards} cards, {nodes} elements, {heap:.0f} MB of script's memory")


def main() -> None:
    """Make a page and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--out", type=Path, help="keep the page here")
    parser.add_argument("--picture", default="", help="write PREFIX1400.png and PREFIX420.png")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = words.out or Path(scratch)
        write(words.count, out)
        measure(out / FILE, words.picture)


if __name__ == "__main__":
    run_main(main)
