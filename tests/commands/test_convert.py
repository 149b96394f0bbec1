"""`hierseg convert` and published files as weights, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg import cli
from support.published_files import narrow_network, published_tensors, write_torch


def test_predict_takes_a_published_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tensors = published_tensors(narrow_network("vplr-wrn38"), "vplr-wrn38")
    file = write_torch(tmp_path / "cityscapes_best.pth", tensors)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.png")
    out = tmp_path / "masks"
    words = ["predict", str(tmp_path / "street.png"), "--out", str(out), "--weights", str(file)]
    assert cli.main([*words, "--save", "labels"]) == 0
    assert "cityscapes_best.pth: vplr-wrn38 (vplr-wrn38), 19 classes" in caplog.text
    assert Image.open(out / "street_labels.png").size == (96, 64)
    assert "sidewalk" in json.dumps(json.loads((out / "legend.json").read_text()))


@pytest.mark.parametrize("flag", ["--init-trunk", "--weights", "--model.init-trunk"])
@pytest.mark.parametrize("form", ["{} none.pth", "{}=none.pth"])
def test_train_looks_for_the_weights_before_the_data(
    flag: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "streets-lite0", "--data.root", str(tmp_path / "no-data")]
    words += ["--runtime.out", str(tmp_path / "run"), *form.format(flag).split()]
    assert cli.main(words) == 2
    assert "there are no weights 'none.pth'" in capsys.readouterr().err
