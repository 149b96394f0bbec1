"""The README's commands and its Python, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from hierseg.size import Size
from hierseg.streets.rendering import draw_street
from support.documents import run_blocks

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, as a user has one."""
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        image, _ = draw_street(seed, Size(128, 256))
        Image.fromarray(image).save(tmp_path / "photos" / f"street{seed}.jpg")
    Image.open(tmp_path / "photos" / "street0.jpg").save(tmp_path / "street.jpg")
    return tmp_path


def test_python_and_prediction(folder: Path) -> None:
    assert len(run_blocks(README, "quick", folder)) >= 3
    assert (folder / "street_overlay.png").stat().st_size > 1000
    assert (folder / "masks" / "index.html").is_file()


@pytest.mark.slow
def test_streets_from_data_to_masks(folder: Path) -> None:
    assert len(run_blocks(README, "streets", folder)) >= 3
    assert (folder / "runs" / "streets" / "best.safetensors").is_file()


@pytest.mark.slow
def test_camvid_from_data_to_masks(folder: Path, camvid_dir: Path) -> None:
    (folder / "CamVid").symlink_to(camvid_dir)
    assert len(run_blocks(README, "camvid", folder)) >= 3
    assert (folder / "masks-camvid" / "index.html").is_file()


def test_readme_is_short_and_starts_with_the_two_commands() -> None:
    assert README.count("\n") < 150
    commands = re.findall(r"^(?:make|hierseg|pip) .*$", README, re.MULTILINE)
    assert [command.split("#")[0].strip() for command in commands[:2]] == ["make demo", "make test"]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
