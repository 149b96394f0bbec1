"""`--palette`, in every command that reads label maps."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg import cli
from hierseg.data.catalog import open_dataset
from hierseg.size import Size
from hierseg.streets import write_streets
from hierseg.streets.layouts import draw_scenes, write_camvid, write_cityscapes
from support.optimised import store_as_palette


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    return write_camvid(tmp_path / "camvid", draw_scenes(3, Size(64, 96)))


def test_predictions_of_an_optimiser_are_refused_or_scored(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps, out = tmp_path / "maps", tmp_path / "result.json"
    flags = ["evaluate", "--data", "camvid", "--root", camvid, "--predictions", maps]
    for ids in ("train", "raw"):
        shutil.copytree(camvid / "valannot", maps, dirs_exist_ok=True)
        for path in maps.iterdir():
            if ids == "train":  # 11 is void, as a raw id alone
                with Image.open(path) as picture:
                    values = np.array(picture)
                Image.fromarray(np.where(values == 11, 255, values).astype(np.uint8)).save(path)
            store_as_palette(path)
        other = "raw" if ids == "train" else "train"
        assert run(*flags, "--ids", ids) == run(*flags, "--ids", other) == 1
        assert capsys.readouterr().err.count("--palette") == 2
        assert run(*flags, "--ids", ids, "--palette", "values", "--json", out) == 0
        assert json.loads(out.read_text())["miou"] == 1.0
    # The truth too.
    for path in camvid.glob("valannot/*.png"):
        store_as_palette(path)
    assert run(*flags, "--ids", "raw", "--palette", "values", "--json", out) == 0
    assert json.loads(out.read_text())["miou"] == 1.0


def test_check_takes_the_flag(camvid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in camvid.glob("*annot/*.png"):
        store_as_palette(path)
    flags = ["check", "camvid", "--root", camvid, "--workers", "0"]
    assert run(*flags) == 1
    assert "--palette" in capsys.readouterr().out
    assert run(*flags, "--palette", "values") == 0


def test_a_submission_holds_the_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_cityscapes(tmp_path / "city", draw_scenes(3, Size(64, 96)))
    maps, out = tmp_path / "maps", tmp_path / "out.zip"
    maps.mkdir()
    random = np.random.default_rng(0)
    names = [sample.name for sample in open_dataset("cityscapes", root, "test").samples]
    expected = {}
    for name in names:
        expected[name] = random.choice(np.array([0, 7, 11, 23, 33], np.uint8), (64, 96))
        Image.fromarray(expected[name]).save(maps / f"{name}.png")
        store_as_palette(maps / f"{name}.png")
    flags = ["submit", "--data", "cityscapes", "--root", root, "--predictions", maps, "--out", out]
    assert run(*flags) == 1  # places 0 to 4 are ids as well
    assert "--palette" in capsys.readouterr().err
    assert not out.exists()
    assert run(*flags, "--palette", "values") == 0
    with zipfile.ZipFile(out) as archive:
        for name in names:
            with Image.open(io.BytesIO(archive.read(f"{name}.png"))) as picture:
                assert picture.mode == "L"
                assert np.array_equal(np.array(picture), expected[name])


def test_the_flag_without_label_maps_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["submit", "--data", "cityscapes", "--root", tmp_path, "--out", tmp_path / "a.zip"]
    assert run(*flags, "--palette", "values") == 2
    assert "--palette is for --predictions" in capsys.readouterr().err


def test_the_official_script_reads_what_we_read(tmp_path: Path) -> None:
    pytest.importorskip("cityscapesscripts", reason="the extra cityscapes is not installed")
    root, maps, out = tmp_path / "streets", tmp_path / "maps", tmp_path / "result.json"
    write_streets(root, 4, Size(96, 192), 3, 0.99, 1)
    maps.mkdir()
    for sample in open_dataset("cityscapes", root, "val").samples:
        assert sample.label is not None
        shutil.copy(sample.label, maps / f"{sample.name}.png")
        store_as_palette(maps / f"{sample.name}.png")
        store_as_palette(sample.label)
    flags = ["evaluate", "--data", "cityscapes", "--root", root, "--official"]
    flags += ["--predictions", maps, "--palette", "values", "--json", out]
    assert run(*flags) == 0
    content = json.loads(out.read_text())
    assert content["miou"] == content["official"]["miou"] == 1.0
