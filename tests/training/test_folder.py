from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hierseg
from hierseg.assembly.parts import build_datasets
from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.files import FolderLock
from hierseg.recipes import get_recipe
from hierseg.training.folder import RunFolder, find_commit
from hierseg.training.loop import train

from .conftest import change


def test_run_json_says_how_the_run_began(tiny: Experiment, tmp_path: Path) -> None:
    recipe = get_recipe("camvid-lite0")
    experiment = change(recipe, "runtime", out=tmp_path / "deep" / "run")
    experiment = change(experiment, "optim", lr=0.25)
    folder = RunFolder.open(experiment)
    assert not folder.path.exists()  # the folder comes with the run, not with the question
    folder.begin(experiment, build_datasets(tiny))
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
    RunFolder.open(tiny).begin(tiny, build_datasets(tiny))  # an empty one is not
    with pytest.raises(UserError, match=r"not empty.*--runtime\.resume"):
        RunFolder.open(tiny)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"is a file.*--runtime\.out"):
        RunFolder.open(change(tiny, "runtime", out=tmp_path / "file"))
    with pytest.raises(UsageError, match=r"--runtime\.out"):
        RunFolder.open(change(tiny, "runtime", out=None))


def test_a_place_that_cannot_be_written_is_refused(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    for out in (tmp_path / "new", tmp_path / "new" / "run"):
        with pytest.raises(UserError, match=r"you may not write into .*--runtime\.out"):
            RunFolder.open(change(tiny, "runtime", out=out))
    RunFolder.open(change(tiny, "runtime", out=tmp_path.parent / "new"))


def test_resuming_needs_the_same_run(tiny: Experiment, tmp_path: Path) -> None:
    resumed = change(tiny, "runtime", resume=True)
    with pytest.raises(UserError, match="no run to resume"):
        RunFolder.open(resumed)
    RunFolder.open(tiny).begin(tiny, build_datasets(tiny))
    with pytest.raises(UserError, match=r"--optim\.ema-decay was 0\.0, is now 0\.9[^,]*;"):
        RunFolder.open(change(resumed, "optim", ema_decay=0.9))
    # Where things lie and how they are read may change.
    moved = change(resumed, "data", workers=1, root=tmp_path)
    RunFolder.open(moved).begin(moved, build_datasets(tiny))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [again["arguments"]["data.workers"] for again in record["resumed"]] == [1]
    assert record["config"] == tiny.to_dict()


def test_a_damaged_record_is_one_sentence(tiny: Experiment, tmp_path: Path) -> None:
    RunFolder.open(tiny).begin(tiny, build_datasets(tiny))
    path = tmp_path / "run" / "run.json"
    for damaged in (
        "{", "[]", "{}", '{"config": 3}', "\0" * 99, '{"config": {}, "resumed": 3}',
        '{"config": {}, "data": "x"}', '{"config": {}, "processes": [2]}', "[" * 100_000,
        f'{{"config": {{"a": {"[" * 900}{"]" * 900}}}}}', f'{{"config": {"9" * 9999}}}',
    ):  # fmt: skip
        path.write_text(damaged)
        with pytest.raises(UserError, match=r"run\.json|with other settings"):
            RunFolder.open(change(tiny, "runtime", resume=True))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"run\.json"):
        RunFolder.open(change(tiny, "runtime", resume=True))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"run\.json' cannot be read: it is no regular file"):
        RunFolder.open(change(tiny, "runtime", resume=True))


def test_settings_of_another_kind_are_shown_short_and_printable(
    tiny: Experiment, tmp_path: Path
) -> None:
    RunFolder.open(tiny).begin(tiny, build_datasets(tiny))
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    record["config"] |= {"optim": 3, "recipe": "\x1b[2J" * 1000}
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="began with other settings") as failure:
        RunFolder.open(change(tiny, "runtime", resume=True))
    assert "\x1b" not in str(failure.value)
    assert len(str(failure.value)) < 800


def test_one_run_at_a_time_writes_to_a_folder(tiny: Experiment, tmp_path: Path) -> None:
    resumed = change(tiny, "runtime", resume=True)
    said = r"another run writes into .*--runtime\.out"
    with RunFolder.hold(tiny) as folder:
        with pytest.raises(UserError, match=said), RunFolder.hold(tiny):
            pass
        folder.begin(tiny, build_datasets(tiny))
        for again in (tiny, resumed):
            with pytest.raises(UserError, match=said), RunFolder.hold(again):
                pass
        with RunFolder.hold(resumed, is_writer=False):  # another process of the same run
            pass
    with RunFolder.hold(resumed):
        pass


def test_training_in_a_folder_that_is_held_is_refused(tiny: Experiment, tmp_path: Path) -> None:
    with FolderLock(tmp_path / "run"):
        for resume in (False, True):
            with pytest.raises(UserError, match="another run writes into"):
                train(change(tiny, "runtime", resume=resume))
    assert list((tmp_path / "run").iterdir()) == []


def test_the_sentence_names_the_process_that_holds_it(tiny: Experiment, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hierseg.files import FolderLock\n"
        "with FolderLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        holder.stdout.readline()
        said = rf"writes into .*process {holder.pid} on .*since 20"
        with pytest.raises(UserError, match=said), RunFolder.hold(tiny):
            pass
        holder.kill()
        holder.wait()
        with RunFolder.hold(tiny):  # the kernel has let go of it
            pass


def test_a_lock_and_what_was_cut_short_are_no_run(tiny: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunFolder.hold(tiny):
        assert out.is_dir()
    assert not out.exists()  # of a run that wrote nothing
    states = out / "states"
    states.mkdir(parents=True)
    left = [
        out / ".run.json.abc.part",
        out / ".best.safetensors.x.part",
        states / "unfinished.part",
    ]
    for path in left[:2]:
        path.write_text("x")
    states.rmdir()
    with RunFolder.hold(tiny) as folder:
        assert not any(path.exists() for path in left)
        folder.begin(tiny, build_datasets(tiny))
    states.mkdir()
    for path in left:
        path.write_text("x")
    with RunFolder.hold(change(tiny, "runtime", resume=True)):
        assert not any(path.exists() for path in left)
    missing = change(tiny, "runtime", resume=True, out=tmp_path / "none")
    with pytest.raises(UserError, match="no run to resume"), RunFolder.hold(missing):
        pass
    assert not (tmp_path / "none").exists()


def test_a_setting_that_came_later_had_its_default(tiny: Experiment, tmp_path: Path) -> None:
    RunFolder.open(tiny).begin(tiny, build_datasets(tiny))
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["config"]["optim"]["accumulate"]
    record["config"]["data"]["from_coarse"] = ["14", "15", "16"]  # None means the same today
    path.write_text(json.dumps(record))
    resumed = change(tiny, "runtime", resume=True)
    RunFolder.open(change(resumed, "runtime", keep=9, save_steps=1))
    # Also where the flag spells it out.
    RunFolder.open(change(resumed, "data", from_coarse=("14", "15", "16")))
    with pytest.raises(UserError, match="from-coarse"):
        RunFolder.open(change(resumed, "data", from_coarse=("14",)))
    with pytest.raises(UserError, match=r"--optim\.accumulate was 1, is now 2"):
        RunFolder.open(change(resumed, "optim", accumulate=2))


def test_a_run_with_auto_labels_keeps_the_rule_of_its_time(
    tiny: Experiment, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "run.json"
    for extra in ("auto", "none"):
        began = change(tiny, "data", extra=extra)
        resumed = change(began, "runtime", resume=True)
        RunFolder.open(tiny).begin(began, build_datasets(tiny))
        record = json.loads(path.read_text())
        del record["config"]["data"]["coarse_rule"]  # it had none, and took the coarse label
        path.write_text(json.dumps(record))
        if extra == "auto":
            with pytest.raises(UserError, match=r"coarse-rule was coarse, is now union"):
                RunFolder.open(resumed)
        RunFolder.open(change(resumed, "data", coarse_rule="coarse"))
        if extra == "none":  # then it says nothing
            RunFolder.open(resumed)
        shutil.rmtree(tmp_path / "run")


def test_a_run_goes_on_with_its_own_data_alone(tiny: Experiment, tmp_path: Path) -> None:
    data = build_datasets(tiny)
    folder = RunFolder.open(tiny)
    folder.begin(tiny, data)
    folder.require_same_data(build_datasets(tiny))
    fewer = build_datasets(tiny)
    fewer.val.samples = fewer.val.samples[:1]
    with pytest.raises(UserError, match=r"began with other data \(val differ\)"):
        folder.require_same_data(fewer)
    names = ("red", "blue", "green")
    swapped = build_datasets(tiny)
    swapped.train.label_space = dataclasses.replace(swapped.train.label_space, names=names)
    with pytest.raises(UserError, match=r"other data \(classes differ\)"):
        folder.require_same_data(swapped)
    record = json.loads(folder.record.read_text())
    del record["data"]  # as older runs wrote it
    folder.record.write_text(json.dumps(record))
    folder.require_same_data(fewer)
