from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import hierseg
from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.recipes import get_recipe
from hierseg.training.folder import RunFolder, find_commit

from .conftest import change


def test_run_json_says_how_the_run_began(tiny: Experiment, tmp_path: Path) -> None:
    recipe = get_recipe("camvid-lite0")
    experiment = change(recipe, "runtime", out=tmp_path / "deep" / "run")
    experiment = change(experiment, "optim", lr=0.25)
    folder = RunFolder.open(experiment)
    assert not folder.path.exists()  # the folder comes with the run, not with the question
    folder.begin(experiment)
    record = json.loads((tmp_path / "deep" / "run" / "run.json").read_text())
    assert record["recipe"] == "camvid-lite0"
    assert record["arguments"] == {"optim.lr": 0.25, "runtime.out": str(folder.path)}
    assert record["config"] == experiment.to_dict()
    assert record["config"]["optim"]["lr"] == 0.25
    assert record["versions"]["hierseg"] == hierseg.__version__
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["commit"] == find_commit()
    assert record["resumed"] == []


def test_a_folder_in_use_is_refused(tiny: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    RunFolder.open(tiny).begin(tiny)  # an empty one is not
    with pytest.raises(UserError, match=r"not empty.*--runtime\.resume"):
        RunFolder.open(tiny)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"is a file.*--runtime\.out"):
        RunFolder.open(change(tiny, "runtime", out=tmp_path / "file"))
    with pytest.raises(UsageError, match=r"--runtime\.out"):
        RunFolder.open(change(tiny, "runtime", out=None))


def test_resuming_needs_the_same_run(tiny: Experiment, tmp_path: Path) -> None:
    resumed = change(tiny, "runtime", resume=True)
    with pytest.raises(UserError, match="no run to resume"):
        RunFolder.open(resumed)
    RunFolder.open(tiny).begin(tiny)
    with pytest.raises(UserError, match=r"--optim\.ema-decay was 0\.0, is now 0\.9[^,]*;"):
        RunFolder.open(change(resumed, "optim", ema_decay=0.9))
    # Where things lie and how they are read may change.
    moved = change(resumed, "data", workers=1, root=tmp_path)
    RunFolder.open(moved).begin(moved)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [again["arguments"]["data.workers"] for again in record["resumed"]] == [1]
    assert record["config"] == tiny.to_dict()


def test_a_damaged_record_is_one_sentence(tiny: Experiment, tmp_path: Path) -> None:
    RunFolder.open(tiny).begin(tiny)
    for damaged in ("{", "[]", "{}", '{"config": 3}'):
        (tmp_path / "run" / "run.json").write_text(damaged)
        with pytest.raises(UserError, match=r"run\.json"):
            RunFolder.open(change(tiny, "runtime", resume=True))


def test_a_setting_that_came_later_had_its_default(tiny: Experiment, tmp_path: Path) -> None:
    RunFolder.open(tiny).begin(tiny)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["config"]["optim"]["accumulate"]
    record["config"]["data"]["from_coarse"] = ["14", "15", "16"]  # None means the same today
    path.write_text(json.dumps(record))
    resumed = change(tiny, "runtime", resume=True)
    RunFolder.open(change(resumed, "runtime", keep=9, save_steps=1))
    with pytest.raises(UserError, match=r"--optim\.accumulate was 1, is now 2"):
        RunFolder.open(change(resumed, "optim", accumulate=2))
