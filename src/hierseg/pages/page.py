"""``index.html``: the segmented images of a run on one page. It opens from disk, without a network.

The page's HTML, style and script are in ``assets``; this module fills in the records of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from hierseg.files import write_text
from hierseg.labels import LabelSpace
from hierseg.media import hex_colors
from hierseg.pages.cards import OTHER_COLOR, SHOWN_SHARE, describe_cards
from hierseg.pages.policy import describe_policy
from hierseg.pages.records import ImageRecord
from hierseg.pages.sections import Section, render_sections
from hierseg.wording import count

FILE = "index.html"

_SKIPPED = "skipped"
_SCRIPTS = ("cards.js", "zoom.js", "page.js", "pixels.js")


@dataclass(frozen=True)
class Page:
    """Content of a page.

    Attributes:
        title: Heading.
        facts: Short texts beside the heading: network, scales, counts. The number of skipped
            images is added, with a link to their table.
        label_space: Names and colours of the classes.
        records: The images, in order.
        skipped: Source -> reason, for images that could not be segmented.
        notes: Sentences below the heading.
        lists: Title -> names of records, in order; the reader can choose a list to see.
        sections: Sections above the images.
    """

    title: str
    facts: Sequence[str]
    label_space: LabelSpace
    records: Sequence[ImageRecord]
    skipped: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sections: Sequence[Section] = ()


def write_page(page: Page, out: Path) -> Path:
    """Write ``index.html`` into ``out``, the folder to which the records' files are relative."""
    return write_text(out / FILE, render_page(page))


def render_page(page: Page) -> str:
    """The page as HTML, with escaped text."""
    assets = resources.files("hierseg.pages") / "assets"
    skeleton = Template((assets / "page.html").read_text(encoding="utf-8"))
    script = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return skeleton.substitute(
        policy=describe_policy(script),
        title=escape(page.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in page.facts) + _link_skipped(page),
        notes="".join(f"<p>{escape(note)}</p>" for note in page.notes),
        style=(assets / "page.css").read_text(encoding="utf-8"),
        script=script,
        cards=describe_cards(page.records, page.lists, page.label_space),
        sections=render_sections(page.sections),
        classes=_classes(page),
        lists=_lists(page.lists),
        skipped=_skipped(page.skipped),
        count=count(len(page.records), "image"),
    )


def _classes(page: Page) -> str:
    """The legend of the classes that occur, largest first; its entries are the filter's buttons."""
    space = page.label_space
    total = sum(record.height * record.width for record in page.records) or 1
    shares = dict.fromkeys(space.names, 0.0)
    for record in page.records:
        for name, share in record.shares.items():
            shares[name] = shares.get(name, 0.0) + share * record.height * record.width / total
    shown = [
        name
        for name in shares
        if any(record.shares.get(name, 0.0) >= SHOWN_SHARE for record in page.records)
    ]
    buttons, all_ = [], count(len(page.records), "image")
    colors = hex_colors(space)
    for name in sorted(shown, key=lambda name: -shares[name]):
        hue = colors.get(name, OTHER_COLOR)
        having = sum(record.shares.get(name, 0.0) >= SHOWN_SHARE for record in page.records)
        buttons.append(
            f'<button type="button" class="class" aria-pressed="false" data-class="{escape(name)}"'
            f' title="{_percent(shares[name])} of all pixels, in {having} of {all_}">'
            f'<i style="background:{hue}"></i>'
            f"{escape(name)}<small>{_percent(shares[name])}</small></button>"
        )
    return "".join(buttons)


def _lists(lists: Mapping[str, Sequence[str]]) -> str:
    """The selection of a list; empty if there are none."""
    if not lists:
        return ""
    options = "".join(
        f'<option value="{escape(title)}">{escape(title)}</option>' for title in lists
    )
    return (
        '<select id="list" aria-label="show the images of a list"><option value="">all lists'
        f"</option>{options}</select>"
    )


def _link_skipped(page: Page) -> str:
    """The number of skipped images, as a link to their table."""
    return f'<li><a href="#{_SKIPPED}">{len(page.skipped)} skipped</a></li>' if page.skipped else ""


def _skipped(skipped: dict[str, str]) -> str:
    if not skipped:
        return ""
    rows = "".join(
        f"<tr><td>{escape(source)}</td><td>{escape(reason)}</td></tr>"
        for source, reason in skipped.items()
    )
    return (
        f'<section class="skipped" id="{_SKIPPED}"><h2>Skipped ({len(skipped)})</h2>'
        '<div class="table"><table>'
        f"<thead><tr><th>file</th><th>reason</th></tr></thead><tbody>{rows}</tbody></table></div>"
        "</section>"
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share >= 0.0005 or share == 0 else "&lt;0.1 %"
