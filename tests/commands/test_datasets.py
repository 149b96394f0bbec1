"""Every data set that hierseg knows, in every form: checked, trained on, evaluated, predicted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg import cli
from hierseg.data.catalog import open_dataset
from hierseg.size import Size
from hierseg.streets.layouts import LAYOUTS, Scene, draw_scenes
from hierseg.streets.own import FORMS

QUICK = {"cityscapes-zips", "colors"}
"""What is tested every time: an archive, and a description with all that one can say."""
EXTRA = [
    *("--data.extra", "auto", "--data.mask-outer"),
    *("--data.class-uniform", "0.5", "--data.class-uniform-tile", "32"),
]


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    return draw_scenes(6, Size(64, 128))


def _words(form: str, root: Path) -> tuple[str, list[str]]:
    """The name of the data set, and the flags that say where it is."""
    if form in FORMS:
        return str(root), []
    return ("cityscapes" if form.startswith("cityscapes") else form), [str(root)]


def _run(*words: str | Path) -> None:
    assert cli.main([str(word) for word in words]) == 0


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=[] if form in QUICK else [pytest.mark.slow])
        for form in (*LAYOUTS, *FORMS)
    ],
)
def test_check_train_evaluate_predict(form: str, scenes: list[Scene], tmp_path: Path) -> None:
    root = {**LAYOUTS, **FORMS}[form](tmp_path / "data", scenes)
    name, where = _words(form, root)
    run, masks = tmp_path / "run", tmp_path / "masks"
    _run("check", name, *(["--root", *where] if where else []))
    _run(
        *("train", "streets-lite0", "--data.name", name, "--runtime.out", run),
        *(["--data.root", *where] if where else []),
        *("--data.crop", "64x128", "--data.batch", "2", "--data.workers", "0"),
        *(
            "--optim.epochs",
            "1",
            "--optim.warmup-steps",
            "0",
            "--runtime.precision",
            "fp32",
            "--runtime.device",
            "cpu",
        ),
        *(EXTRA if form.startswith("cityscapes") else []),
    )
    flags = [*(["--root", *where] if where else []), "--weights", str(run), "--device", "cpu"]
    _run("evaluate", "--data", name, *flags, "--json", tmp_path / "result.json")
    _run("predict", "--data", name, *flags, "--out", masks)

    dataset = open_dataset(name, root if where else None, "val")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["images"] == len(dataset)
    assert list(result["per_class"]) == list(dataset.label_space.names)
    assert result["standard_split"] is (form not in ("kitti", "colors"))
    summary = json.loads((masks / "summary.json").read_text())
    assert summary["images_done"] == len(dataset)
    assert summary["about"]["split_note"] == result["split_note"] == dataset.note
    _compare_files(masks, dataset.label_space.raw_ids, dataset.label_space.color_table())


def _compare_files(masks: Path, raw_ids: tuple[int, ...], colors: np.ndarray) -> None:
    """Ids and colours that were written are those of the data set, pixel by pixel."""
    files = sorted(masks.glob("*_labels.png"))
    assert files
    for path in files:
        labels = np.array(Image.open(path))
        assert np.array_equal(np.array(Image.open(_beside(path, "color"))), colors[labels])
        if raw_ids != tuple(range(len(raw_ids))):
            ids = np.array(Image.open(_beside(path, "ids")))
            assert np.array_equal(ids, np.array(raw_ids)[labels])
        else:
            assert not _beside(path, "ids").exists()


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(path.name.replace("_labels.png", f"_{kind}.png"))
