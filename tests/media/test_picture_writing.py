"""Pictures as files, in the format that the suffix says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hierseg.media import UnwritableError, write_picture
from hierseg.media.picture_writing import LONGEST_SIDES


@pytest.mark.parametrize("name", ["a.jpeg", "a.JPG", "a.JPEG"])
def test_a_jpeg_is_the_same_by_every_suffix(
    tmp_path: Path, image: npt.NDArray[np.uint8], name: str
) -> None:
    written, usual = write_picture(tmp_path / name, image), write_picture(tmp_path / "b.jpg", image)
    assert written.name == name
    assert written.read_bytes() == usual.read_bytes()


def test_a_jpeg_by_another_suffix_has_the_same_longest_side(tmp_path: Path) -> None:
    line = np.zeros((1, LONGEST_SIDES[".jpg"] + 1), np.uint8)
    with pytest.raises(UnwritableError, match="a JPG has at most 65,500 on a side"):
        write_picture(tmp_path / "a.jpeg", line)
