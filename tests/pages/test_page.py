from __future__ import annotations

import dataclasses
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from hierseg.inference.prediction import Prediction
from hierseg.labels import LabelSpace
from hierseg.media.picture_writing import write_picture
from hierseg.media.pictures import read_image
from hierseg.pages.page import Page, render_page, write_page
from hierseg.pages.panels import LONGEST, write_panels
from hierseg.pages.records import ImageRecord, Panel
from support.browser import CHROMIUM, Browser
from support.pages import read_cards


class _Reader(HTMLParser):
    """Collects what a page refers to, and checks that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.addresses += [
            value for key in ("href", "src") if (value := named.get(key)) and value != "data:,"
        ]
        if tag == "img" and "src" in named:
            self.alternatives.append(named["alt"] or "")
        if tag not in ("meta", "link", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _record(name: str, shares: dict[str, float], confidence: float = 0.5) -> ImageRecord:
    panels = [
        Panel("image", "image", f"page/{name}_image.jpg"),
        Panel("attention", "attention at 0.5", f"page/{name}_a.jpg"),
    ]
    return ImageRecord(
        f"/in/{name}.png", 1, 2, name, 40, 60, confidence, shares, 0.1, [], panels, ["a <fact>"]
    )


@pytest.fixture
def page(space: LabelSpace) -> Page:
    records = [
        _record("one & <two>", {"red": 0.9, "green": 0.1}, 0.9),
        _record("100%#?ü", {"red": 0.5, "green": 0.4992, "blue & <b>white</b>": 0.0008}, 0.2),
        _record("plain", {"blue & <b>white</b>": 1.0}, 0.6),
    ]
    skipped = {"/in/<script>alert(1)</script>.png": "the file is empty"}
    return Page("A <title>", ["weights <w>"], space, records, skipped, notes=["A & B."])


def test_every_name_is_escaped_and_every_tag_closes(page: Page) -> None:
    text = render_page(page)
    reader = _Reader()
    reader.feed(text)
    assert reader.open == []
    for name in ("A <title>", "<w>", "<two>", "<b>white", "<script>alert", "<fact>"):
        assert name not in text
    assert "<h1>A &lt;title&gt;</h1>" in text
    assert "the file is empty" in text


def test_the_page_asks_for_nothing_but_its_pictures(page: Page) -> None:
    text = render_page(page)
    reader = _Reader()
    reader.feed(text)
    assert set(reader.addresses) == {"#skipped"}
    assert all(reader.alternatives)
    addresses = [address for card in read_cards(text) for address in card.addresses]
    assert all(not urlsplit(address).scheme for address in addresses)
    files = {unquote(address) for address in addresses}
    assert files == {panel.file for record in page.records for panel in record.panels}
    assert not re.search(r"https?://|@import|url\(", text)


def test_images_are_told_as_they_are(page: Page) -> None:
    strange = dataclasses.replace(
        page.records[0], name="b\udcff/ä", source="no folder", confidence=None, facts=[],
        panels=[Panel("image", "image", "elsewhere.jpg"), Panel("pixels", "", "page/b\udcff/ä.js")],
    )  # fmt: skip
    lists = {"worst": ["plain", "unknown", "one & <two>"]}
    records = [*page.records, strange]
    cards = read_cards(render_page(dataclasses.replace(page, records=records, lists=lists)))
    assert [card.name for card in cards] == [record.name for record in records]
    assert [card.source for card in cards] == [record.source for record in records]
    assert [card.confidence for card in cards] == [0.9, 0.2, 0.6, None]
    assert cards[0].facts == ["a <fact>"]
    assert cards[1].shares == {"red": 0.5, "green": 0.4992}  # 0.08 % is too little to show
    assert cards[3].addresses == ["elsewhere.jpg", "page/b%FF/%C3%A4.js"]
    assert [card.ranks for card in cards] == [{"worst": 1}, {}, {"worst": 0}, {}]


def test_the_legend_has_the_classes_that_occur_with_their_share(page: Page) -> None:
    text = render_page(page)
    names = re.findall(r'<button type="button" class="class"[^>]* data-class="([^"]+)"', text)
    assert names == ["red", "blue &amp; &lt;b&gt;white&lt;/b&gt;", "green"]
    assert 'title="46.7 % of all pixels, in 2 of 3 images"' in text  # red; (0.9 + 0.5) / 3
    assert 'title="33.4 % of all pixels, in 1 of 3 images"' in text  # 0.08 % is too little to find
    assert "#fa0a0a" in text


def test_a_page_without_images_is_a_page(space: LabelSpace) -> None:
    text = render_page(Page("t", [], space, []))
    assert "0 images" in text
    assert "<h2>Skipped" not in text
    assert 'href="#skipped"' not in text


def test_the_number_of_skipped_images_leads_to_their_table(page: Page) -> None:
    text = render_page(page)
    assert '<li><a href="#skipped">1 skipped</a></li></ul>' in text
    assert '<section class="skipped" id="skipped"><h2>Skipped (1)</h2>' in text


def test_one_image_is_one(space: LabelSpace) -> None:
    text = render_page(Page("t", [], space, [_record("a", {"red": 1.0})]))
    assert 'aria-live="polite">1 image</output>' in text
    assert "of all pixels, in 1 of 1 image" in text
    assert "1 images" not in text


def _predict(space: LabelSpace, height: int, width: int) -> Prediction:
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    heat = np.linspace(0, 1, width, dtype=np.float32) * np.ones((height, 1), np.float32)
    picture = space.color_table()[labels]
    return Prediction(
        picture, labels, heat, space, {0.5: heat}, {0.5: labels[:, ::-1], 1.0: labels}
    )


def test_small_outputs_are_shown_themselves_and_large_ones_shrunk(
    space: LabelSpace, tmp_path: Path
) -> None:
    (tmp_path / "page").mkdir()
    save = ["overlay", "attention"]
    small = write_panels(_predict(space, 40, 60), tmp_path, "s", save)
    assert [panel.file for panel in small] == [
        "page/s_image.jpg", "s_overlay.jpg", "s_attention_0.5_heat.jpg", "page/s_pixels.js",
    ]  # fmt: skip
    large = write_panels(_predict(space, 40, LONGEST + 2), tmp_path, "l", save)
    assert [panel.file for panel in large] == [
        "page/l_image.jpg", "page/l_overlay.jpg", "page/l_attention_0.5.jpg", "page/l_pixels.js",
    ]  # fmt: skip
    assert all((tmp_path / panel.file).is_file() for panel in large)
    scales = write_panels(_predict(space, 40, 60), tmp_path, "n", ["scales"])
    assert [(panel.kind, panel.caption, panel.file) for panel in scales[2:-1]] == [
        ("scale", "prediction at 0.5 alone", "page/n_scale_0.5.jpg"),
        ("scale", "prediction at 1 alone", "page/n_scale_1.jpg"),
    ]
    half, whole = (read_image(tmp_path / panel.file) for panel in scales[2:-1])
    assert half.shape == whole.shape == (40, 60, 3)
    assert np.abs(half.astype(int) - whole).mean() > 20  # each shows its own labels
    unasked = write_panels(_predict(space, 40, 60), tmp_path, "u", ["labels", "confidence"])
    assert [panel.file for panel in unasked] == [
        "page/u_image.jpg", "page/u_overlay.jpg", "page/u_confidence.jpg", "page/u_pixels.js",
    ]  # fmt: skip


_SCRIPT = """
const log = [];
const shown = () => [...document.querySelectorAll(".card")].filter((c) => !c.hidden)
  .map((c) => c.dataset.name).join(",");
const press = (key, on) => (on ?? document.getElementById("viewer")).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const name = () => document.getElementById("viewer-name").textContent;
log.push("all " + shown());
document.querySelector('button.class[data-class="green"]').click();
log.push("green " + shown(), document.getElementById("shown").textContent);
document.getElementById("clear").click();
log.push("cleared " + shown());
const order = document.getElementById("order");
order.value = "confidence"; order.dispatchEvent(new Event("change"));
log.push("confidence " + shown());
document.querySelector(".card figure a").click();
log.push("open " + document.getElementById("viewer").open, name());
press("ArrowRight"); log.push("right " + name());
press("ArrowLeft"); press("ArrowLeft"); log.push("left " + name());
press("2"); log.push(document.querySelector("#viewer-tabs [aria-pressed=true]").textContent);
document.getElementById("close").click();
log.push("open " + document.getElementById("viewer").open);
"""


def _browse(path: Path, script: str, profile: Path) -> list[str]:
    """What a script logs that is run in the page, in headless Chromium."""
    with Browser(profile) as browser:
        browser.open(path)
        log: list[str] = browser.evaluate(f"(() => {{ {script} return log.map(String); }})()")
    return log


def _wait(browser: Browser, holds: str) -> None:
    """Until something is true in the page."""
    end = time.monotonic() + 20
    while not browser.evaluate(f"Boolean({holds})"):
        assert time.monotonic() < end, holds
        time.sleep(0.02)


def _write_with_pictures(page: Page, out: Path) -> Path:
    (out / "page").mkdir()
    for record in page.records:
        for panel in record.panels:
            write_picture(out / panel.file, np.full((40, 60, 3), 90, np.uint8))
    return write_page(page, out)


in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@in_a_browser
def test_filter_order_and_viewer_work_in_a_browser(page: Page, tmp_path: Path) -> None:
    path = _write_with_pictures(page, tmp_path)
    assert _browse(path, _SCRIPT, tmp_path / "profile") == [
        "all one & <two>,100%#?ü,plain",
        "green one & <two>,100%#?ü",
        "2 of 3 images",
        "cleared one & <two>,100%#?ü,plain",
        "confidence 100%#?ü,plain,one & <two>",
        "open true",
        "100%#?ü",
        "right plain",
        "left one & <two>",
        "attention at 0.5",
        "open false",
    ]


@in_a_browser
def test_the_viewer_obeys_keys_wherever_the_focus_is(page: Page, tmp_path: Path) -> None:
    path = _write_with_pictures(page, tmp_path)
    with Browser(tmp_path / "profile") as browser:
        browser.open(path)

        def see() -> str:
            return browser.evaluate(
                "document.getElementById('viewer-name').textContent + '|' +"
                "document.querySelector('#viewer-tabs [aria-pressed=true]').textContent + '|' +"
                "(document.activeElement.textContent || document.activeElement.tagName)"
            )

        browser.click(".card figure a")
        assert see() == "one & <two>|image|image"
        seen = []
        for key in ["ArrowRight"] * 4 + ["ArrowLeft"] * 2 + ["2", "ArrowRight", "1", "ArrowLeft"]:
            browser.press(key)
            seen.append(see())
        assert seen == [
            "100%#?ü|image|image",
            "plain|image|image",
            "one & <two>|image|image",
            "100%#?ü|image|image",
            "one & <two>|image|image",
            "plain|image|image",
            "plain|attention at 0.5|attention at 0.5",
            "one & <two>|attention at 0.5|attention at 0.5",
            "one & <two>|image|image",
            "plain|image|image",
        ]
        # The buttons keep the focus, and the keys work from there, and from nowhere too.
        browser.click("#next")
        browser.press("Enter")
        assert see() == "100%#?ü|image|→"
        browser.press("ArrowRight")
        assert see() == "plain|image|→"
        browser.evaluate("document.activeElement.blur()")
        browser.press("ArrowRight")
        assert see().startswith("one & <two>|image|")
        browser.press("Escape")
        assert browser.evaluate("document.getElementById('viewer').open") is False
        assert browser.evaluate("document.activeElement.closest('.card').dataset.name") == (
            "one & <two>"
        )
        browser.press("ArrowRight")  # of the page now, which it scrolls
        assert browser.evaluate("document.getElementById('viewer').open") is False


@in_a_browser
def test_the_slider_keeps_its_arrow_keys(page: Page, tmp_path: Path) -> None:
    path = _write_with_pictures(page, tmp_path)
    with Browser(tmp_path / "profile") as browser:
        browser.open(path)
        browser.click(".card figure.attention a")
        browser.evaluate("document.getElementById('wipe').focus()")
        for _ in range(3):
            browser.press("ArrowRight")
        assert browser.evaluate("document.getElementById('wipe').value") == "3"
        assert browser.evaluate("document.getElementById('viewer-name').textContent") == (
            "one & <two>"
        )


def _point(browser: Browser, selector: str, across: float, down: float) -> str:
    """What stands beside the cursor over a place of an element, as shares of its sides."""
    browser.evaluate(
        f"(() => {{ const e = document.querySelector({selector!r});"
        "e.scrollIntoView({block: 'center'}); })()"
    )
    place = browser.evaluate(
        f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
        f"return [b.x + b.width * {across}, b.y + b.height * {down}]; }})()"
    )
    end = time.monotonic() + 20
    while True:
        browser.move(*place)
        said = browser.evaluate(
            "document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText"
        )
        if said or time.monotonic() > end:
            return said.strip()
        time.sleep(0.05)


@in_a_browser
def test_class_and_confidence_stand_beside_the_cursor_and_pictures_zoom(
    space: LabelSpace, tmp_path: Path
) -> None:
    (tmp_path / "page").mkdir()
    name = "a #1 ü"
    panels = write_panels(_predict(space, 90, 120), tmp_path, name, ["scales"])
    record = ImageRecord("/in/a.png", 1, 2, name, 90, 120, 0.5, {"red": 1.0}, 0.1, [], panels)
    path = write_page(Page("t", [], space, [record]), tmp_path)
    with Browser(tmp_path / "profile") as browser:
        browser.open(path)
        assert _point(browser, "figure.overlay img", 0.25, 0.5) == "red 26 %"
        assert _point(browser, "figure.image img", 0.75, 0.5) == "green 76 %"
        assert _point(browser, "figure.scale img", 0.25, 0.5) == "green"  # what 0.5 says alone
        browser.click("figure.overlay a")
        assert _point(browser, "#over", 0.5 + 0.02, 0.5) in ("green 52 %", "green 54 %")
        before = browser.evaluate("document.getElementById('over').getBoundingClientRect().width")
        for _ in range(3):
            browser.press("+")
        assert browser.evaluate(
            "document.getElementById('over').getBoundingClientRect().width"
        ) == pytest.approx(before * 1.5**3, rel=1e-3)
        assert _point(browser, "#stage", 0.47, 0.5) in ("red 48 %", "red 50 %")
        browser.press("0")
        assert browser.evaluate(
            "document.getElementById('over').getBoundingClientRect().width"
        ) == pytest.approx(before)


_LISTS = """
const log = [];
const shown = () => [...document.querySelectorAll(".card")].filter((c) => !c.hidden)
  .map((c) => c.dataset.name).join(",");
const list = document.getElementById("list");
const choose = (value) => { list.value = value; list.dispatchEvent(new Event("change")); };
log.push([...list.options].map((o) => o.value).join("|"));
choose("lowest IoU"); log.push(shown(), document.getElementById("shown").textContent);
choose("red <most>"); log.push(shown());
document.getElementById("clear").click(); log.push(shown(), list.value);
const first = document.querySelector("button.class");
first.focus(); log.push(document.activeElement.dataset.class);
log.push(document.querySelectorAll(".skipped td").length);
log.push([...document.querySelectorAll("img")].filter((i) => i.complete).length > 0);
"""


@in_a_browser
def test_lists_show_their_images_in_their_order(page: Page, tmp_path: Path) -> None:
    lists = {"lowest IoU": ["plain", "one & <two>"], "red <most>": ["100%#?ü"]}
    path = _write_with_pictures(dataclasses.replace(page, lists=lists), tmp_path)
    assert _browse(path, _LISTS, tmp_path / "profile") == [
        "|lowest IoU|red <most>",
        "plain,one & <two>",
        "2 of 3 images",
        "100%#?ü",
        "one & <two>,100%#?ü,plain",
        "",
        "red",
        str(2 * len(page.skipped)),
        "true",
    ]


def test_a_share_that_rounds_to_nothing_is_not_said_to_be_nothing(space: LabelSpace) -> None:
    records = [_record("a", {"red": 0.999, "green": 0.001}), _record("b", {"red": 1.0})]
    large = [dataclasses.replace(records[1], height=4000, width=6000)]
    text = render_page(Page("t", [], space, records[:1] + large))
    assert 'title="&lt;0.1 % of all pixels, in 1 of 2 images"' in text


_PANELS = """
const log = [...document.querySelectorAll(".panels")].map((panels) =>
  [...panels.querySelectorAll("figure")].map((figure) => figure.className).join(","));
"""


@in_a_browser
def test_heat_maps_come_small_below_and_errors_beside_what_they_compare(
    space: LabelSpace, tmp_path: Path
) -> None:
    record = _record("one", {"red": 1.0})
    record.panels.append(Panel("errors", "wrong pixels", "page/one_errors.png"))
    path = write_page(Page("Seen", [], space, [record]), tmp_path)
    assert _browse(path, _PANELS, tmp_path / "profile") == ["image,errors", "attention"]


_CARDS = """
[...document.querySelectorAll(".card")].map((card) => [
  card.querySelector("h2").textContent, card.querySelector("h2").title,
  ...[...card.querySelectorAll(".facts li, .shares span, .shares small, figcaption")]
    .map((part) => part.textContent),
  ...[...card.querySelectorAll("img")].map((i) => `${i.alt}: ${i.naturalWidth}`),
].join("|"));
"""


@in_a_browser
def test_cards_say_what_is_known_and_show_pictures_of_all_names(page: Page, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(_write_with_pictures(page, tmp_path))
        browser.evaluate("document.querySelectorAll('.card img').forEach(i => i.loading = 'eager')")
        _wait(browser, "[...document.querySelectorAll('.card img')].every((i) => i.complete)")
        said = browser.evaluate(_CARDS)
    assert said == [
        "one & <two>|/in/one & <two>.png|40x60|confidence 90.0 %|a <fact>|image|attention at 0.5"
        "|red|90.0 %|green|10.0 %|one & <two>: image: 60|one & <two>: attention at 0.5: 60",
        "100%#?ü|/in/100%#?ü.png|40x60|confidence 20.0 %|a <fact>|image|attention at 0.5"
        "|red|50.0 %|green|49.9 %|100%#?ü: image: 60|100%#?ü: attention at 0.5: 60",
        "plain|/in/plain.png|40x60|confidence 60.0 %|a <fact>|image|attention at 0.5"
        "|blue & <b>white</b>|100.0 %|plain: image: 60|plain: attention at 0.5: 60",
    ]


@in_a_browser
def test_no_script_but_its_own_runs_in_a_page(page: Page, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    path = write_page(page, tmp_path)
    strange = "<img src=x onerror='globalThis.ran = 1'><script>globalThis.ran = 1</script>"
    path.write_text(path.read_text().replace("<main", f"{strange}<main", 1))
    with Browser(tmp_path / "profile") as browser:
        browser.open(path)
        assert browser.evaluate("document.querySelectorAll('.card').length") == 3
        assert browser.evaluate("globalThis.ran") is None


@in_a_browser
def test_of_many_images_those_near_the_screen_have_cards(space: LabelSpace, tmp_path: Path) -> None:
    count = 600
    records = [
        _record(f"image_{i:03d}", {"red": 0.9, "green": 0.1} if i % 2 else {"red": 1.0}, i / count)
        for i in range(count)
    ]
    skipped = {"/in/x.png": "the file is empty"}
    page = Page("Many", [], space, records, skipped)
    path = write_page(page, tmp_path)
    empty = len(render_page(dataclasses.replace(page, records=[])))
    assert path.stat().st_size - empty < 250 * count
    cards = "document.querySelectorAll('.card').length"

    def is_there(name: str) -> str:
        return (
            "[...document.querySelectorAll('.card')].some((c) =>"
            f"c.dataset.name.startsWith({name!r}) &&"
            "c.getBoundingClientRect().top < innerHeight && c.getBoundingClientRect().bottom > 0)"
        )

    with Browser(tmp_path / "profile") as browser:
        browser.open(path)
        assert browser.evaluate(is_there("image_000"))
        order = "const o = document.getElementById('order'); o.dispatchEvent(new Event('change'));"
        assert browser.evaluate(f"(() => {{ {order} return {cards}; }})()") < 150  # at no time more
        assert browser.evaluate(cards) < 150
        browser.evaluate("scrollTo(0, document.body.scrollHeight)")
        _wait(browser, is_there("image_599"))
        assert browser.evaluate(cards) < 150
        # The viewer goes on to images without a card, and comes back to one that has it.
        browser.click(".batch:last-child .card:last-child figure a")
        browser.press("ArrowRight")
        assert browser.evaluate("document.getElementById('viewer-name').textContent") == "image_000"
        browser.press("Escape")
        _wait(browser, "document.activeElement.closest('.card')?.dataset.name === 'image_000'")
        browser.evaluate("document.activeElement.blur()")
        # Scrolled through, there are cards everywhere, and those left behind go.
        for share in range(1, 10):
            browser.evaluate(f"scrollTo(0, document.body.scrollHeight * {share / 10})")
            _wait(browser, is_there("image_"))
        _wait(browser, f"{cards} < 150")
        # A filter begins with its first image, below the tools.
        browser.evaluate("document.querySelector('button.class[data-class=green]').click()")
        _wait(browser, is_there("image_001"))
        assert browser.evaluate("document.getElementById('shown').textContent") == (
            "300 of 600 images"
        )
        browser.evaluate("location.hash = 'skipped'")
        _wait(
            browser, "document.getElementById('skipped').getBoundingClientRect().top < innerHeight"
        )
        _wait(browser, f"{cards} < 150 && {is_there('image_599')}")
