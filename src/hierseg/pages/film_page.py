"""A page on which one steps through clips in time; it opens from disk and needs no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from urllib.parse import quote

from hierseg.files import write_text
from hierseg.pages.page import FILE
from hierseg.pages.policy import describe_policy
from hierseg.pages.sections import Section, render_sections


@dataclass(frozen=True)
class FilmFrame:
    """A moment of a strip.

    Attributes:
        caption: What it is: a time, a step.
        facts: Short statements beside that.
        pictures: Caption -> file, relative to the page's folder; the same captions in all frames of
            a page, in the order that they are shown.
    """

    caption: str
    facts: str
    pictures: Mapping[str, str]


@dataclass(frozen=True)
class Strip:
    """A clip: frames in the order of time, and the place of the one that is shown first."""

    name: str
    frames: Sequence[FilmFrame]
    first: int = 0


@dataclass(frozen=True)
class FilmPage:
    """What the page shows.

    Attributes:
        title: Heading.
        facts: Short statements beside it.
        notes: Sentences below it.
        strips: The clips, at least one.
        sections: What stands below the clips.
    """

    title: str
    facts: Sequence[str]
    notes: Sequence[str]
    strips: Sequence[Strip]
    sections: Sequence[Section] = ()


def write_film_page(page: FilmPage, out: Path) -> Path:
    """Write ``index.html`` into the folder that the pictures are relative to."""
    return write_text(out / FILE, render_film_page(page))


def render_film_page(page: FilmPage) -> str:
    """The page as HTML; every name is escaped."""
    assets = resources.files("hierseg.pages") / "assets"
    skeleton = Template((assets / "film.html").read_text(encoding="utf-8"))
    script = (assets / "film.js").read_text(encoding="utf-8")
    captions = list(page.strips[0].frames[0].pictures)
    strips = [
        {
            "name": strip.name,
            "first": strip.first,
            "frames": [
                {
                    "caption": frame.caption,
                    "facts": frame.facts,
                    "pictures": [quote(frame.pictures[caption]) for caption in captions],
                }
                for frame in strip.frames
            ],
        }
        for strip in page.strips
    ]
    return skeleton.substitute(
        policy=describe_policy(script),
        title=escape(page.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in page.facts),
        notes="".join(f"<p>{escape(note)}</p>" for note in page.notes),
        options="".join(
            f'<option value="{place}">{escape(strip.name)}</option>'
            for place, strip in enumerate(page.strips)
        ),
        figures="".join(
            f'<figure><figcaption>{escape(caption)}</figcaption><img alt="{escape(caption)}">'
            "</figure>"
            for caption in captions
        ),
        sections=render_sections(page.sections),
        style=(assets / "film.css").read_text(encoding="utf-8"),
        strips=json.dumps(strips, separators=(",", ":")).replace("<", "\\u003c"),
        script=script,
    )
