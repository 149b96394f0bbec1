"""Files of several pictures: the first is the image, whatever becomes of the others."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg.errors import UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import run_folder
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.media.pictures import read_image
from support.clips import Pixels, slide

KINDS: dict[str, dict[str, Any]] = {
    "a.gif": {"format": "GIF", "disposal": 2},
    "a.png": {"format": "PNG"},
    "a.webp": {"format": "WEBP", "lossless": True},
    "a.tif": {"format": "TIFF"},
}
BUDGET = 150
"""Damaged files of each kind."""


def _write(frames: list[Pixels], **options: Any) -> bytes:
    stored = io.BytesIO()
    first, *others = [Image.fromarray(frame) for frame in frames]
    timing = {} if options["format"] == "TIFF" else {"duration": 40, "loop": 0}
    first.save(stored, save_all=True, append_images=others, **options, **timing)
    return stored.getvalue()


@pytest.mark.parametrize("name", KINDS)
def test_of_several_pictures_the_first_is_segmented(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(_write(slide(image, 5, 8), **KINDS[name]))
    settings = RunSettings(save=("labels",))
    predictor = Predictor(network, label_space=space)
    summary = run_folder(predictor, [path], tmp_path / "out", settings)
    assert len(summary.records) == 1
    with Image.open(tmp_path / "out" / "a_labels.png") as stored:
        assert np.array_equal(np.asarray(stored), labels)


@pytest.mark.parametrize("name", KINDS)
def test_damage_behind_the_first_picture_does_not_matter_much(
    image: Pixels, tmp_path: Path, name: str
) -> None:
    """The first picture as it is, or a sentence; never other pixels."""
    content = _write(slide(image, 5, 8), **KINDS[name])
    path = tmp_path / name
    for kept in (0.99, 0.8, 0.6):
        path.write_bytes(content[: int(len(content) * kept)])
        try:
            found = read_image(path)
        except UserError as error:
            assert name in str(error)  # noqa: PT017 - either outcome will do
        else:
            assert np.array_equal(found, image)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # of Pillow, on what is damaged
@pytest.mark.parametrize("name", KINDS)
def test_damaged_sequences_are_read_or_refused(image: Pixels, tmp_path: Path, name: str) -> None:
    content = _write(slide(image, 5, 8), **KINDS[name])
    path = tmp_path / name
    read = refused = 0
    for number in range(BUDGET):
        random = np.random.default_rng([number, *name.encode()])
        data = bytearray(content)
        near = min(len(data), 400) if number % 2 else len(data)
        for _ in range(random.integers(1, 20)):
            data[random.integers(near)] ^= 1 << int(random.integers(8))
        if number % 5 == 4:
            del data[random.integers(len(data)) :]
        path.write_bytes(data)
        try:
            found = read_image(path, 1 << 20)
        except UserError:
            refused += 1
        else:
            read += 1
            assert found.dtype == np.uint8
            assert found.ndim == 3
    assert read + refused == BUDGET
    print(f"{name}: {read} read, {refused} refused")
