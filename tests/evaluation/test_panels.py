from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
import torch

from hierseg.errors import UsageError, UserError
from hierseg.evaluation import panels as module
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.panels import PanelFiles
from hierseg.evaluation.result import Evaluation
from hierseg.media import UnwritableError
from hierseg.models.registry import create_model
from support.pages import read_cards

from .conftest import SPACE, MemoryDataset

SCALES = (0.5, 1.0)


def _dataset() -> MemoryDataset:
    random = np.random.default_rng(2)
    maps = [random.integers(0, 4, size).astype(np.uint8) for size in ((40, 50), (48, 64))]
    maps[0][:8] = 255
    dataset = MemoryDataset(maps)
    dataset.samples = [replace(s, name=f"drive/{s.name}") for s in dataset.samples]
    return dataset


def _run(panels: PanelFiles, dataset: MemoryDataset) -> Evaluation:
    torch.manual_seed(3)
    network = create_model("lite0-ocr-hier", SPACE.num_classes).eval()
    own = dataset.read
    dataset.read = lambda index: replace(own(index), name=dataset.samples[index].name)  # type: ignore[method-assign]
    return evaluate(network, dataset, scales=SCALES, watchers=[panels], per_scale=True)


def test_every_image_has_its_files_and_its_place_on_the_page(tmp_path: Path) -> None:
    dataset = _dataset()
    panels = PanelFiles.open(tmp_path, dataset, None, SCALES, overwrite=False)
    result = _run(panels, dataset)
    page = panels.write(result, "All of them").read_text(encoding="utf-8")
    panels.require_all()
    names = {path.name for path in (tmp_path / "drive").iterdir()}
    assert names == {
        f"{number}_{kind}"
        for number in range(2)
        for kind in (
            "image.jpg", "truth.png", "color.png", "overlay.jpg", "errors.png", "confidence.png",
            "attention_0.5.png", "attention_0.5_heat.jpg", "labels_0.5.png", "labels_1.png",
            "color_0.5.png", "color_1.png",
        )
    }  # fmt: skip
    truth = dataset.maps[0]
    assert truth is not None
    wrong = cv2.imread(str(tmp_path / "drive" / "0_errors.png"), cv2.IMREAD_UNCHANGED)
    color = cv2.imread(str(tmp_path / "drive" / "0_color.png"))[..., ::-1]
    given = (color[:, :, None] == np.array(SPACE.colors)).all(-1).argmax(-1)
    assert ((wrong == 255) == ((given != truth) & (truth != 255))).all()
    assert set(np.unique(wrong)) == {0, 255}
    assert [card.name for card in read_cards(page)] == ["drive/0", "drive/1"]
    pictures = [picture for card in read_cards(page) for picture in card.pictures]
    captions = [caption for kind, caption, _ in pictures if kind != "pixels"]
    assert captions[:8] == [
        "image", "truth", "prediction", "wrong pixels", "prediction at 0.5 alone",
        "prediction at 1 alone", "confidence", "attention at 0.5",
    ]  # fmt: skip
    for _, _, address in pictures:
        assert (tmp_path / unquote(address)).is_file()
    assert f"{int((wrong == 255).sum()):,} wrong pixels" in page
    assert f"mIoU {result.scores.miou:.4f} over" in page


def test_a_run_after_it_writes_anew_and_replaces_nobody_elses(tmp_path: Path) -> None:
    dataset = _dataset()
    _run(PanelFiles.open(tmp_path, dataset, None, SCALES, overwrite=False), dataset)
    dataset = _dataset()
    again = PanelFiles.open(tmp_path, dataset, None, SCALES, overwrite=False)
    again.write(_run(again, dataset), "again")
    other = tmp_path / "other"
    (other / "drive").mkdir(parents=True)
    (other / "drive" / "1_errors.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"1_errors\.png.*--save-panels"):
        PanelFiles.open(other, _dataset(), None, SCALES, overwrite=False)
    PanelFiles.open(other, _dataset(), 1, SCALES, overwrite=False)  # that image is not asked for


def test_pictures_alone_of_some_images(tmp_path: Path) -> None:
    dataset = _dataset()
    panels = PanelFiles(tmp_path / "validation", dataset, {1}, pictures_alone=True)
    page = panels.write(_run(panels, dataset), "Validation").read_text(encoding="utf-8")
    assert {path.name for path in (tmp_path / "validation").iterdir()} == {"index.html", "page"}
    assert [card.name for card in read_cards(page)] == ["drive/1"]
    assert "1 image of 2" in page


def test_what_cannot_be_written_is_said_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise UnwritableError(tmp_path / "a.png", "the disk is full")

    monkeypatch.setattr(module, "write_outputs", fail)
    dataset = _dataset()
    panels = PanelFiles(tmp_path, dataset)
    result = _run(panels, dataset)
    assert result.images == 2
    with pytest.raises(UserError, match=r"panels of 2 images could not be written: .*disk"):
        panels.require_all()
