from __future__ import annotations

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg.evaluation.corruptions.catalog import CORRUPTIONS
from support.scripts import EXPERIMENTS


def test_a_picture_of_one_s_own_is_drawn_under_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, out = tmp_path / "image.png", tmp_path / "sheet.png"
    assert cv2.imwrite(str(image), np.full((42, 84, 3), 90, np.uint8))
    monkeypatch.setattr(sys, "argv", ["sheet", "--image", str(image), "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXPERIMENTS / "corruption_sheet.py"), run_name="__main__")
    assert not ended.value.code
    assert cv2.imread(str(out)).shape == (len(CORRUPTIONS) * (210 + 32), 4 * 426 + 6, 3)
