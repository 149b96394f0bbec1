"""What a page knows of its images, read as its script reads it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Card:
    """An image on a page.

    Attributes:
        name, source, facts: As the page shows them.
        confidence: None where it is not known.
        shares: Class name -> share, in the page's order.
        pictures: (kind, caption, address) of each file, addresses as a browser takes them.
        ranks: Title of a list -> place in it.
    """

    name: str
    source: str
    confidence: float | None
    shares: dict[str, float]
    pictures: list[tuple[str, str, str]]
    facts: list[str]
    ranks: dict[str, int] = field(default_factory=dict)

    @property
    def addresses(self) -> list[str]:
        """Of all its files."""
        return [address for _, _, address in self.pictures]


def read_cards(text: str) -> list[Card]:
    """The images of a page, in their order."""
    found = re.search(r'<script type="application/json" id="known">([^<]*)</script>', text)
    assert found is not None
    known = json.loads(found[1])
    cards = [_read(about, known) for about in known["images"]]
    for title, places in known["lists"].items():
        for rank, place in enumerate(places):
            cards[place].ranks[title] = rank
    return cards


def _read(about: dict[str, Any], known: dict[str, Any]) -> Card:
    address = about.get("address", about["name"])
    pictures = []
    for place in about["panels"]:
        kind, caption, before, after = known["panels"][place]
        pictures.append((kind, caption, before if after is None else before + address + after))
    numbers = about["shares"]
    shares = {
        known["classes"][place][0]: share
        for place, share in zip(numbers[::2], numbers[1::2], strict=True)
    }
    source = known["folders"][about["folder"]] + about["file"]
    facts = about.get("facts", [])
    return Card(about["name"], source, about.get("confidence"), shares, pictures, facts)
