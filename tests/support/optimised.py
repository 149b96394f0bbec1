"""Label maps as lossless optimisers leave them: the same picture, stored otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def store_as_palette(path: Path) -> None:
    """A one-channel PNG again as places in a palette of its greys, in an order of its own."""
    with Image.open(path) as picture:
        values = np.array(picture)
    greys = np.unique(values).tolist()
    greys = greys[1:] + greys[:1]  # no value keeps its place
    places = np.vectorize(greys.index)(values).astype(np.uint8)
    stored = Image.new("P", (values.shape[1], values.shape[0]))
    stored.putdata(places.ravel().tolist())
    stored.putpalette([part for grey in greys for part in (grey,) * 3])
    stored.save(path, "PNG")
    with Image.open(path) as picture:  # no tool has to be trusted for what the tests mean
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture.convert("L")), values)
