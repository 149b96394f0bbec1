"""``index.html``: what was segmented, on one page that opens from disk and needs no network.

The page's text, style and script are in ``assets``; here they meet the records of a run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from urllib.parse import quote

from hierseg.files import write_text
from hierseg.labels import LabelSpace
from hierseg.media import hex_of
from hierseg.pages.records import ImageRecord, Panel
from hierseg.pages.sections import Section, render_sections
from hierseg.wording import count

FILE = "index.html"
SHOWN_SHARE = 0.001
"""Classes with a smaller share of an image are neither shown nor found by the filter."""

_HEAT = ("attention", "confidence")
_SMALL = ("scale", *_HEAT)
_SKIPPED = "skipped"
_PIXELS = "pixels"
_SCRIPTS = ("zoom.js", "page.js", "pixels.js")


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        title: Heading.
        facts: Short statements beside it: network, scales, counts; that some were skipped, and the
            way to which, is added.
        notes: Sentences below it.
        lists: Title -> names of records in the order of the list, to choose one of.
        label_space: Names and colours of the classes.
        records: The images, in order.
        skipped: Source -> reason of those that could not be segmented.
        sections: What stands above the images.
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
    """Write ``index.html`` into the folder that the records' files are relative to."""
    return write_text(out / FILE, render_page(page))


def render_page(page: Page) -> str:
    """The page as HTML; every name is escaped."""
    assets = resources.files("hierseg.pages") / "assets"
    skeleton = Template((assets / "page.html").read_text(encoding="utf-8"))
    return skeleton.substitute(
        title=escape(page.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in page.facts) + _link_skipped(page),
        notes="".join(f"<p>{escape(note)}</p>" for note in page.notes),
        style=(assets / "page.css").read_text(encoding="utf-8"),
        script="\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS),
        space=_describe_space(page.label_space),
        sections=render_sections(page.sections),
        classes=_classes(page),
        lists=_lists(page.lists),
        cards="\n".join(_card(record, page) for record in page.records),
        skipped=_skipped(page.skipped),
        count=count(len(page.records), "image"),
    )


def _describe_space(space: LabelSpace) -> str:
    """Names and colours by train id, for the script; no name ends the element that it stands in."""
    known = {"names": space.names, "colors": [hex_of(color) for color in space.colors]}
    return json.dumps(known).replace("<", "\\u003c")


def _classes(page: Page) -> str:
    """The legend, whose entries are the filter's buttons: the classes that occur, largest first."""
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
    for name in sorted(shown, key=lambda name: -shares[name]):
        hue = _color(name, space)
        having = sum(record.shares.get(name, 0.0) >= SHOWN_SHARE for record in page.records)
        buttons.append(
            f'<button type="button" class="class" aria-pressed="false" data-class="{escape(name)}"'
            f' title="{_percent(shares[name])} of all pixels, in {having} of {all_}">'
            f'<i style="background:{hue}"></i>'
            f"{escape(name)}<small>{_percent(shares[name])}</small></button>"
        )
    return "".join(buttons)


def _lists(lists: Mapping[str, Sequence[str]]) -> str:
    """The choice of a list; nothing where there are none."""
    if not lists:
        return ""
    options = "".join(
        f'<option value="{escape(title)}">{escape(title)}</option>' for title in lists
    )
    return (
        '<select id="list" aria-label="show the images of a list"><option value="">all lists'
        f"</option>{options}</select>"
    )


def _card(record: ImageRecord, page: Page) -> str:
    space = page.label_space
    ranks = {
        title: names.index(record.name)
        for title, names in page.lists.items()
        if record.name in names
    }
    shares = {name: share for name, share in record.shares.items() if share >= SHOWN_SHARE}
    pictures = [panel for panel in record.panels if panel.kind != _PIXELS]
    facts = [f"{record.height}x{record.width}"]
    if record.confidence is not None:
        facts.append(f"confidence {record.confidence * 100:.1f} %")
    return (
        f'<article class="card" data-name="{escape(record.name)}"'
        f' data-confidence="{1 if record.confidence is None else record.confidence:.5f}"'
        + "".join(
            f' data-pixels="{quote(os.fsencode(panel.file))}"'
            for panel in record.panels
            if panel.kind == _PIXELS
        )
        + (f' data-ranks="{escape(json.dumps(ranks))}"' if page.lists else "")
        + f' data-shares="{escape(json.dumps({k: round(v, 5) for k, v in shares.items()}))}">'
        f'<header><h2 title="{escape(record.source)}">{escape(record.name)}</h2><ul class="facts">'
        + "".join(f"<li>{escape(fact)}</li>" for fact in [*facts, *record.facts])
        + '</ul></header><div class="body"><div>'
        + _panels([panel for panel in pictures if panel.kind not in _SMALL], record)
        + _panels([panel for panel in pictures if panel.kind in _SMALL], record)
        + f'</div><ol class="shares" aria-label="class shares">{_bars(shares, space)}</ol>'
        + "</div></article>"
    )


def _panels(panels: Sequence[Panel], record: ImageRecord) -> str:
    pictures = "".join(_panel(panel, record) for panel in panels)
    return f'<div class="panels">{pictures}</div>' if panels else ""


def _panel(panel: Panel, record: ImageRecord) -> str:
    address = quote(os.fsencode(panel.file))
    what = f"{record.name}: {panel.caption}"
    ramp = '<span class="ramp"><i></i></span>' if panel.kind in _HEAT else ""
    return (
        f'<figure class="{escape(panel.kind)}">'
        f"<figcaption>{escape(panel.caption)}{ramp}</figcaption>"
        f'<a href="{address}" data-kind="{escape(panel.kind)}"'
        f' data-caption="{escape(panel.caption)}" aria-label="enlarge {escape(what)}">'
        f'<img src="{address}" alt="{escape(what)}" loading="lazy" decoding="async"'
        f' style="aspect-ratio:{record.width}/{record.height}"></a></figure>'
    )


def _bars(shares: dict[str, float], space: LabelSpace) -> str:
    largest = max(shares.values(), default=1.0)
    return "".join(
        f'<li data-class="{escape(name)}"><span>{escape(name)}</span><b style="width:'
        f'{share / largest * 100:.1f}%;background:{_color(name, space)}"></b>'
        f"<small>{_percent(share)}</small></li>"
        for name, share in shares.items()
    )


def _link_skipped(page: Page) -> str:
    """The number of those that were skipped, as a link to their table."""
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


def _color(name: str, space: LabelSpace) -> str:
    return hex_of(space.colors[space.names.index(name)]) if name in space.names else "#888888"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share >= 0.0005 or share == 0 else "&lt;0.1 %"
