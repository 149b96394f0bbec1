"""The page: what it refers to, and what a user does with it in a browser."""

from __future__ import annotations

import base64
import json
import re
import time
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient

from support.browser import CHROMIUM, Browser
from support.serving import as_file

ASSETS = resources.files("hierseg.serving") / "assets"
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
_DROP = """(() => {
  const given = new DataTransfer();
  for (const [name, content] of %s) {
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    given.items.add(new File([bytes], name, {type: "image/png"}));
  }
  const about = {bubbles: true, cancelable: true, dataTransfer: given};
  document.dispatchEvent(new DragEvent("drop", about));
})()"""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.unnamed: list[str] = []
        self.inline: list[str] = []
        self._labels = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.addresses += [value for key in ("href", "src") if (value := named.get(key))]
        self.inline += [key for key in named if key == "style" or key.startswith("on")]
        self.ids.add(named.get("id") or "")
        self._labels += tag == "label"
        if tag in ("input", "select") and not self._labels and "id" in named:
            self.unnamed.append(named["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._labels -= tag == "label"


@pytest.mark.parametrize("file", ["page.html", "login.html"])
def test_the_page_needs_no_network_and_no_inline_code(file: str) -> None:
    text = (ASSETS / file).read_text(encoding="utf-8")
    reader = _Reader()
    reader.feed(text)
    assert set(reader.addresses) <= {"data:,", "page.css", "page.js", "#viewer"}
    assert reader.inline == []
    assert "<script>" not in text
    assert "<style" not in text
    for field in reader.unnamed:  # named by a label elsewhere
        assert f'for="{field}"' in text
    for asset in ("page.css", "page.js"):
        assert not re.search(r"https?:|//\w+\.|@import|url\(", (ASSETS / asset).read_text())


def test_what_the_script_looks_for_is_in_the_page(client: TestClient) -> None:
    reader = _Reader()
    reader.feed(client.get("/").text)
    looked_for = set(re.findall(r'find\("([\w-]+)"\)', client.get("/page.js").text))
    assert looked_for <= reader.ids
    assert client.get("/page.js").headers["content-type"].startswith("text/javascript")


@in_a_browser
def test_drop_hover_wipe_attention_and_download_in_a_browser(
    answering: Any, image: npt.NDArray[Any], tmp_path: Path
) -> None:
    address, _ = answering
    with Browser(tmp_path / "profile", (1400, 1000)) as browser:
        page = _Page(browser, address)
        page.drop_both(image)
        page.drop({"notes.png": b"only text"})
        page.until('document.querySelectorAll("#queue .done").length === 2')
        page.until('document.querySelectorAll("#queue .failed").length === 1')
        assert page.text("#queue .failed small") == "Not an image of a known format."
        assert page.text("#queue-title") == "2 of 3 done"
        page.until('!document.getElementById("shown").hidden')
        page.pick(0, "first.png")

        left, top, width, height = page.box("#stage")
        browser.move(left + width * 0.5, top + height * 0.25)
        page.reads("#readout", "red, 100 % sure; attention at 0.5: 0.2")
        browser.move(left + width * 0.1, top + height * 0.9)
        page.reads("#readout", "green, 100 % sure; attention at 0.5: 0.0")
        assert page.color(0.5, 0.25) == pytest.approx([250, 10, 10, 140], abs=2)  # 55 % of it

        browser.drag((left + 4, top + 50), (left + width * 0.75, top + 50))
        assert 74 <= float(browser.evaluate("document.getElementById('wipe').value")) <= 76
        clipped = browser.evaluate("document.getElementById('over').style.clipPath")
        assert re.fullmatch(r"inset\(0(px)? 0(px)? 0(px)? 7[45][.\d]*%\)", clipped)

        browser.click("#tabs button:nth-child(3)")
        assert page.text("#tabs [aria-pressed=true]") == "attention at 0.5"
        dark, light = page.color(0.02, 0.5), page.color(0.98, 0.5)
        assert sum(dark[:3]) + 150 < sum(light[:3])

        browser.evaluate("document.getElementById('stage').focus()")
        browser.press("ArrowDown")
        page.reads("#live", "red, 100 % sure")
        for _ in range(8):
            browser.press("ArrowDown")
        page.reads("#live", "blue & <b>white</b>, 100 % sure")

        browser.evaluate("document.querySelector('#queue .pick').focus()")
        browser.press("ArrowDown")
        page.until("document.getElementById('name').textContent === 'second.png'")
        links = browser.evaluate("document.getElementById('download').href")
        assert links.startswith(f"{address}download?id=")
        zipped = browser.evaluate(
            "(() => { const r = new XMLHttpRequest(); r.open('GET',"
            " document.getElementById('download').href, false);"
            " r.overrideMimeType('text/plain; charset=x-user-defined'); r.send();"
            " return r.status + r.responseText.slice(0, 2); })()"
        )
        assert zipped == "200PK"
        browser.evaluate("document.querySelectorAll('#queue .drop-it')[2].click()")
        page.reads("#live", "notes.png is removed")


@in_a_browser
def test_a_pointer_that_rests_reads_the_picture_that_comes_beneath_it(
    answering: Any, image: npt.NDArray[Any], tmp_path: Path
) -> None:
    address, _ = answering
    with Browser(tmp_path / "profile", (1400, 1000)) as browser:
        page = _Page(browser, address)
        page.drop_both(image)
        page.until('document.querySelectorAll("#queue .done").length === 2')
        page.pick(0, "first.png")
        page.until('!document.getElementById("shown").hidden')
        left, top, width, height = page.box("#stage")
        browser.move(left + width * 0.1, top + height * 0.9)
        page.reads("#readout", "green")
        page.pick(1, "second.png")
        page.reads("#readout", "blue")
        browser.move(1, 1)
        page.pick(0, "first.png")
        page.reads("#readout", "Point at the picture")


class _Page:
    """The page in a browser."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        browser.open(address)
        self.until("document.getElementById('facts').children.length > 0")

    def drop(self, files: dict[str, bytes]) -> None:
        given = [(name, base64.b64encode(content).decode()) for name, content in files.items()]
        self._browser.evaluate(_DROP % json.dumps(given))

    def drop_both(self, image: npt.NDArray[Any]) -> None:
        """Drop an image and its mirror image."""
        self.drop({"first.png": as_file(image), "second.png": as_file(image[:, ::-1])})

    def pick(self, number: int, name: str) -> None:
        """Choose a result of the queue, and wait until it is shown."""
        self._browser.evaluate(f"document.querySelectorAll('#queue .pick')[{number}].click()")
        self.until(f"document.getElementById('name').textContent === {json.dumps(name)}")

    def until(self, holds: str) -> None:
        end = time.monotonic() + 30
        while not self._browser.evaluate(holds):
            assert time.monotonic() < end, holds
            time.sleep(0.05)

    def text(self, selector: str) -> Any:
        return self._browser.evaluate(
            f"document.querySelector({json.dumps(selector)}).textContent.trim()"
        )

    def reads(self, selector: str, start: str) -> None:
        """Wait until a text starts so: a page answers when it comes to it."""
        wanted = json.dumps(start)
        self.until(
            f"document.querySelector({json.dumps(selector)}).textContent.trim().startsWith({wanted})"
        )

    def box(self, selector: str) -> Any:
        return self._browser.evaluate(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
        )

    def color(self, x: float, y: float) -> Any:
        """RGBA of what lies over the picture."""
        return self._browser.evaluate(
            "(() => { const c = document.getElementById('over');"
            f"return [...c.getContext('2d').getImageData({x} * c.width, {y} * c.height, 1, 1)"
            ".data]; })()"
        )
