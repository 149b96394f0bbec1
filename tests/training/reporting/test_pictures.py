from __future__ import annotations

import pytest

from hierseg.labels import CAMVID
from hierseg.training.reporting.pictures import SamplePictures


@pytest.mark.parametrize(
    ("images", "processes", "indices"),
    [
        (101, 1, {0, 33, 67, 100}),
        (1, 1, {0}),
        (2, 1, {0, 1}),
        # The first of eight processes sees every eighth image.
        (500, 8, {0, 168, 328, 496}),
        (9, 8, {0, 8}),
        (3, 8, {0}),
    ],
)
def test_the_first_process_sees_the_images_that_are_kept(
    images: int, processes: int, indices: set[int]
) -> None:
    assert SamplePictures(images, CAMVID, processes).indices == indices
