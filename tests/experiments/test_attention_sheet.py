from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hierseg.checkpoint.save import save_checkpoint
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from support.scripts import load_script


def test_a_row_an_image_and_a_column_for_each_scale_but_the_largest(
    tmp_path: Path,
) -> None:
    script = load_script("attention_sheet")
    weights = tmp_path / "untrained.safetensors"
    save_checkpoint(weights, create_model("lite0-ocr-hier", 19), CITYSCAPES)
    files = []
    for name, size, color in (("a", (96, 64), (250, 0, 0)), ("b", (48, 64), (0, 0, 250))):
        files.append(tmp_path / f"{name}.png")
        Image.new("RGB", size, color).save(files[-1])
    out = tmp_path / "sheet.png"
    words = [*map(str, files), "--out", str(out), "--weights", str(weights), "--height", "64"]
    script.main([*words, "--scales", "0.5", "1", "2"])
    sheet = np.asarray(Image.open(out))
    gap, header = script.GAP, script.HEADER
    assert sheet.shape == (header + 2 * (64 + gap), 4 * 96 + 3 * gap, 3)
    assert (sheet[:header].min(), sheet[:header].max()) == (0, 255)  # titles, dark on white
    assert (sheet[header + 10, 10] == (250, 0, 0)).all()  # RGB, not BGR
    second = header + 64 + gap + 10
    assert (sheet[second, 10] == (0, 0, 250)).all()
    assert (sheet[second, 60] == 255).all()  # the narrower image ends, the column does not
