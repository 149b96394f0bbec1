"""`hierseg submit`: a zip that a server takes, or a reason why there is none."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hierseg import cli
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.data.catalog import open_dataset
from hierseg.errors import UserError
from hierseg.evaluation.label_files import LabelFile
from hierseg.evaluation.submission import write_submission
from hierseg.inference.predictor import Predictor
from hierseg.models.registry import create_model
from hierseg.size import Size
from hierseg.streets.layouts import draw_scenes, write_cityscapes, write_kitti, write_mapillary

WRITERS = {"cityscapes": write_cityscapes, "kitti": write_kitti, "mapillary": write_mapillary}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    scenes = draw_scenes(3, Size(64, 96))
    folder = tmp_path_factory.mktemp("benchmarks")
    return {name: write(folder / name, scenes) for name, write in WRITERS.items()}


def _submit(data: str, root: Path, out: Path, *words: object) -> int:
    flags = ["submit", "--data", data, "--root", root, "--out", out, *words]
    if not {"--predictions", "--weights"} & set(map(str, words)):
        flags += ["--weights", "streets-lite0"]
    return cli.main([str(word) for word in flags])


def _read(path: Path) -> dict[str, Image.Image]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("data", "name"),
    [("cityscapes", "ostwende_000000_000019.png"), ("kitti", "semantic/000000_10.png")],
)
def test_names_ids_and_sizes_are_those_of_the_server(
    roots: dict[str, Path], tmp_path: Path, data: str, name: str
) -> None:
    out = tmp_path / "s.zip"
    assert _submit(data, roots[data], out) == 0
    (found,) = _read(out).items()
    assert found[0] == name
    assert (found[1].mode, found[1].size) == ("L", (96, 64))
    (sample,) = open_dataset(data, roots[data], "test").samples
    expected = Predictor(load_model("streets-lite0"))(sample.image).raw_ids()
    assert np.array_equal(np.array(found[1]), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"s.zip"}


def test_mapillary_has_the_names_of_its_images_and_its_own_classes(
    roots: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, root = tmp_path / "s.zip", roots["mapillary"]
    assert _submit("mapillary", root, out) == 1
    assert "classes of 'cityscapes'" in capsys.readouterr().err
    space = open_dataset("mapillary", root, "test").label_space
    torch.manual_seed(0)
    weights = tmp_path / "m.safetensors"
    save_checkpoint(weights, create_model("lite0-ocr-hier", space.num_classes), space)
    assert _submit("mapillary", root, out, "--weights", weights, "--scales", "1") == 0
    found = _read(out)
    assert list(found) == ["street900.png"]
    assert found["street900.png"].mode == "L"


@pytest.fixture
def maps(roots: dict[str, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for sample in open_dataset("cityscapes", roots["cityscapes"], "val").samples:
        assert sample.label is not None
        shutil.copy(sample.label, folder / f"{sample.name}_mine.png")
    return folder


def test_maps_of_anyone_the_same_bytes_each_time(
    roots: dict[str, Path], maps: Path, tmp_path: Path
) -> None:
    zips = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for out in zips:
        words = ("--predictions", maps, "--split", "val")
        assert _submit("cityscapes", roots["cityscapes"], out, *words) == 0
    assert zips[0].read_bytes() == zips[1].read_bytes()
    (path,) = maps.iterdir()
    (found,) = _read(zips[0]).values()
    with Image.open(path) as picture:
        assert np.array_equal(np.array(found), np.array(picture))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("missing", "has no label map"), ("train", "hold train ids"), ("size", "is 63x96")],
)
def test_what_a_server_would_not_take_is_not_written(
    roots: dict[str, Path], maps: Path, tmp_path: Path, kind: str, reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (path,) = maps.iterdir()
    space = open_dataset("cityscapes", roots["cityscapes"], "val").label_space
    with Image.open(path) as picture:
        ids = np.array(picture)
    if kind == "missing":
        path.rename(maps / "other.png")
    else:
        Image.fromarray(space.encode(ids) if kind == "train" else ids[1:]).save(path)
    out = tmp_path / "s.zip"
    out.write_bytes(b"an earlier one")
    words = ("--predictions", maps, "--split", "val", "--overwrite")
    assert _submit("cityscapes", roots["cityscapes"], out, *words) == 1
    assert reason in capsys.readouterr().err
    assert out.read_bytes() == b"an earlier one"
    assert {path.name for path in tmp_path.iterdir()} == {"s.zip", "maps"}


def test_an_image_that_cannot_be_read_leaves_no_zip(
    roots: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "kitti"
    shutil.copytree(roots["kitti"], root)
    (root / "testing" / "image_2" / "000001_10.png").touch()
    assert _submit("kitti", root, tmp_path / "s.zip") == 1
    assert "000001_10.png': the file is empty" in capsys.readouterr().err
    assert not (tmp_path / "s.zip").exists()
    shutil.copy(root / "testing/image_2/000000_10.png", root / "testing/image_2/000001_10.png")
    assert _submit("kitti", root, tmp_path / "s.zip") == 0
    assert len(_read(tmp_path / "s.zip")) == 2
    assert not (tmp_path / "s.zip.work").exists()


def test_a_zip_that_is_there_is_replaced_only_when_asked(
    roots: dict[str, Path], maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = tmp_path / "s.zip", ("--predictions", maps, "--split", "val")
    out.write_bytes(b"an earlier one")
    assert _submit("cityscapes", roots["cityscapes"], out, *words) == 2
    assert "s.zip exists; choose another file, or add --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"an earlier one"
    assert _submit("cityscapes", roots["cityscapes"], out, *words, "--overwrite") == 0
    assert len(_read(out)) == 1


def test_a_folder_of_others_is_not_worked_in(
    roots: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "s.zip.work"
    (work / ".test.work").mkdir(parents=True)  # what a run that was killed at once has left
    assert _submit("kitti", roots["kitti"], tmp_path / "s.zip") == 0
    assert not work.exists()
    work.mkdir()
    (work / "mine.txt").write_text("dear")
    assert _submit("kitti", roots["kitti"], tmp_path / "s.zip", "--overwrite") == 1
    assert "s.zip.work is not what an earlier run of this command" in capsys.readouterr().err
    assert (work / "mine.txt").read_text() == "dear"


def test_wrong_usage_is_one_sentence(
    roots: dict[str, Path], maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = roots["cityscapes"], tmp_path / "s.zip"
    for data, place, words, status, reason in (
        ("camvid", out, (), 2, "no server for 'camvid'"),
        ("cityscapes", tmp_path / "s.tar", (), 2, "not named *.zip"),
        ("cityscapes", tmp_path / "none" / "s.zip", (), 1, "there is no folder"),
        ("cityscapes", out, ("--predictions", maps, "--flip"), 2, "--flip is for a network"),
        ("cityscapes", out, ("--scales", "2"), 2, "--scales"),
    ):
        assert _submit(data, root, place, *words) == status
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1


def test_names_that_are_not_the_benchmarks_are_refused(
    roots: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "kitti"
    shutil.copytree(roots["kitti"], root)
    image = root / "testing" / "image_2" / "000000_10.png"
    image.rename(image.with_name("first.png"))
    assert _submit("kitti", root, tmp_path / "s.zip") == 1
    assert (
        "'first' is not the name of an image of kitti, such as 000000_10" in capsys.readouterr().err
    )
    assert not (tmp_path / "s.zip.work").exists()  # said before hours of labelling
    dataset = open_dataset("kitti", root, "test")
    file = LabelFile("first", root / "training" / "semantic" / "000000_10.png", Size(64, 96))
    with pytest.raises(UserError, match="not the name of an image"):
        write_submission(tmp_path / "s.zip", dataset, [file])
    assert not (tmp_path / "s.zip").exists()
