"""docs/models.md names every network, and counts what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from hierseg.models.catalog import PUBLISHED_NAMES, REFUSED_NAMES
from hierseg.models.registry import create_model, list_models

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text()
COUNTED = {
    name: float(millions)
    for name, millions in re.findall(r"^\| `([\w-]+)` \|[^|]*\| ([\d.]+) \|", PAGE, re.MULTILINE)
}


def test_every_network_has_a_row() -> None:
    assert COUNTED.keys() == set(list_models())


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_are_those_of_the_page(name: str) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert COUNTED[name] == pytest.approx(count / 1e6, abs=0.051)


def test_every_published_name_leads_where_the_page_says() -> None:
    for name, (own, _) in PUBLISHED_NAMES.items():
        assert f"| `{name}` | `{own}`" in PAGE
    for name, (what, nearest) in REFUSED_NAMES.items():
        assert f"| `{name}` | refused ({what}: no paper defines it); nearest: `{nearest}` |" in PAGE
