"""docs/datasets.md: its four commands on a folder of images and masks, its names and its flags."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest

from hierseg.commands.table import COMMANDS
from hierseg.config import Experiment
from hierseg.data.catalog import available_datasets
from hierseg.data.described.description import KEYS
from hierseg.settings import list_settings, name_flag
from hierseg.size import Size
from hierseg.streets.layouts import draw_scenes, save
from support.documents import run_blocks, write_files

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_from_a_folder_to_a_trained_model_in_four_commands(tmp_path: Path) -> None:
    for index, scene in enumerate(draw_scenes(8, Size(128, 256))):
        save(tmp_path / "photos" / f"{index}.jpg", scene.image)
        save(tmp_path / "masks" / f"{index}.png", scene.ids)
    assert write_files(PAGE, tmp_path) == ["my.yaml"]
    assert len(run_blocks(PAGE, "own", tmp_path)) == 4
    assert (tmp_path / "masks-my" / "index.html").is_file()
    with (tmp_path / "runs" / "my" / "epochs.csv").open(newline="") as file:
        mious = [float(row["miou"]) for row in csv.DictReader(file) if row["miou"]]
    assert mious[-1] > 0.4  # it has learnt: one class everywhere is 0.07
    assert len(list((tmp_path / "masks-my").glob("*_ids.png"))) == 2


def test_every_data_set_and_every_key_is_described() -> None:
    for name in (*available_datasets(), *KEYS):
        assert re.search(rf"\| (`\w+`, )?`{re.escape(name)}`", PAGE), name


def test_commands_and_settings_are_those_that_there_are() -> None:
    flags = {name_flag(setting) for setting in list_settings(Experiment().to_dict())}
    for flag in re.findall(r"--(?:data|optim|runtime|loss|eval|model)\.[a-z-]+", PAGE):
        assert flag in flags, flag
    for line in re.findall(r"^hierseg .*$", PAGE, re.MULTILINE):
        assert shlex.split(line)[1] in COMMANDS
