"""A page on which one steps through clips in time; it opens from disk, without a network."""

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
    """One frame of a strip, with several pictures.

    Attributes:
        caption: Caption of the frame: a time, a step.
        facts: A short text beside it.
        pictures: Caption -> file, relative to the page's folder, in the order in which they are
            shown; all frames of a page have the same captions.
    """

    caption: str
    facts: str
    pictures: Mapping[str, str]


@dataclass(frozen=True)
class Strip:
    """A clip.

    Attributes:
        name: Name of the clip.
        frames: Frames in order of time.
        first: Index of the frame that is shown first.
    """

    name: str
    frames: Sequence[FilmFrame]
    first: int = 0


@dataclass(frozen=True)
class FilmPage:
    """Content of the page.

    Attributes:
        title: Heading.
        facts: Short texts beside the heading.
        notes: Sentences below it.
        strips: The clips, at least one.
        sections: Sections below the clips.
    """

    title: str
    facts: Sequence[str]
    notes: Sequence[str]
    strips: Sequence[Strip]
    sections: Sequence[Section] = ()


def write_film_page(page: FilmPage, out: Path) -> Path:
    """Write ``index.html`` into ``out``, the folder to which the pictures are relative."""
    return write_text(out / FILE, render_film_page(page))


def render_film_page(page: FilmPage) -> str:
    """The page as HTML, with escaped text."""
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
