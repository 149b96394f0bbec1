"""`hierseg autolabel` from end to end, and training on what it wrote."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg import cli
from hierseg.assembly.parts import build_datasets
from hierseg.config import DataConfig, Experiment
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import write_streets
from hierseg.streets.rendering import draw_street

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("autolabel") / "streets"
    write_streets(root, 6, Size(64, 128), 0, 0.4, 1)
    return root


def _run(*words: object) -> int:
    named = ("--weights", "streets-lite0") if words[0] == "autolabel" else ()
    return cli.main([str(word) for word in (*words, *named)])


def test_a_folder_of_images_alone_gets_the_ids_of_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dash").mkdir()
    image, _ = draw_street(5, Size(64, 96))
    Image.fromarray(image).save(tmp_path / "dash" / "1.jpg")
    words = ("autolabel", "--data", "folder", "--root", tmp_path / "dash", "--out", tmp_path / "o")
    assert _run(*words) == 0
    with Image.open(tmp_path / "o" / "train" / "1.png") as picture:
        ids = np.unique(np.array(picture)).tolist()
    assert set(ids) <= set(CITYSCAPES.raw_ids)
    assert max(ids) > 18
    assert "folder train: 1 image labelled" in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "train_summary.json").read_text())["images"] == 1
    (tmp_path / "dash" / "2.jpg").touch()
    assert _run(*words) == 3
    assert "2.jpg: the file is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "cure"),
    [(["--shard", "3/2"], "--shard"), (["--threshold", "1.5"], "--threshold"),
     (["--scales", "2"], "--scales"), (["--split", "dusk"], "no split 'dusk'")],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(
    streets: Path, tmp_path: Path, flags: list[str], cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("autolabel", "--data", "cityscapes", "--root", streets, "--out", tmp_path / "o")
    assert _run(*words, *flags) == 2
    assert cure in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def _describe(**data: Any) -> Experiment:
    return Experiment(data=DataConfig(batch=1, **data))


def test_training_takes_what_was_labelled(streets: Path, tmp_path: Path) -> None:
    auto = tmp_path / "auto"
    assert _run("autolabel", "--data", "cityscapes", "--root", streets, "--split", "val",
                "--out", auto) == 0  # fmt: skip
    found = build_datasets(_describe(root=streets, extra="auto", auto_root=auto))
    assert [len(source) for source in (found.train, *found.extra)] == [4, 2]
    assert found.extra[0].boosted_classes == {3, 4, 6, 7, 9, *range(11, 19)}
    assert found.extra[0].label_rule == found.extra[0].rules.describe()  # type: ignore[attr-defined]
    labels = found.extra[0].read(0).labels
    assert labels is not None
    assert set(np.unique(labels)) <= {*range(19), 255}
    loose = _describe(root=streets, extra="auto", auto_root=auto, auto_threshold=0.0)
    open_labels = build_datasets(loose).extra[0].read(0).labels
    assert open_labels is not None
    assert (open_labels == 255).sum() == 0 < (labels == 255).sum()
    named = _describe(root=streets, extra="auto", auto_root=auto, boost_classes=("rider", "3"))
    assert build_datasets(named).extra[0].boosted_classes == {12, 3}
    for wrong, flag in (
        ({"from_coarse": ("14",)}, "from-coarse"),
        ({"mask_outer": True}, "outer"),
        ({"auto_root": tmp_path / "none"}, "auto-root .*none is no folder"),
    ):
        with pytest.raises(UsageError, match=flag):
            build_datasets(
                _describe(**{"root": streets, "extra": "auto", "auto_root": auto, **wrong})
            )


def test_cityscapes_train_extra_is_read_by_its_published_rules(
    streets: Path, tmp_path: Path
) -> None:
    root = tmp_path / "city"
    shutil.copytree(streets, root)
    shutil.copytree(root / "leftImg8bit" / "val", root / "leftImg8bit" / "train_extra")
    for path in (root / "gtFine" / "val").rglob("*_labelIds.png"):
        name = path.name.replace("gtFine", "gtCoarse")
        place = root / "gtCoarse" / "train_extra" / path.parent.name / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    auto = root / "autolabelled"
    assert _run("autolabel", "--data", "cityscapes", "--root", root, "--out", auto) == 0
    found = build_datasets(_describe(root=root, extra="auto")).extra[0]
    kinds = [path.relative_to(root).parts[0] for path in found.list_files(0)]
    assert kinds == ["leftImg8bit", "autolabelled", "autolabelled", "gtCoarse"]
    auto.rename(tmp_path / "elsewhere")
    elsewhere = _describe(root=root, extra="auto", auto_root=tmp_path / "elsewhere")
    assert tmp_path / "elsewhere" in build_datasets(elsewhere).extra[0].list_files(0)[1].parents
    assert build_datasets(elsewhere).extra[0].list_files(0)[3].is_relative_to(root / "gtCoarse")
    assert _run("autolabel", "--data", "cityscapes", "--root", root, "--split", "val",
                "--out", tmp_path / "elsewhere") == 0  # fmt: skip
    with pytest.raises(UsageError, match=r"of train_extra and of val, .* folders of their own"):
        build_datasets(elsewhere)


@pytest.mark.slow
@pytest.mark.parametrize("share", ["0", "0.5"])
def test_a_run_on_both(streets: Path, tmp_path: Path, share: str) -> None:
    auto, run = tmp_path / "auto", tmp_path / "run"
    assert _run("autolabel", "--data", "cityscapes", "--root", streets, "--split", "val",
                "--out", auto) == 0  # fmt: skip
    flags = ("--data.batch", "2", "--data.workers", "0", "--data.crop", "64x128",
             "--optim.warmup-steps", "0")  # fmt: skip
    assert _run("train", "camvid-lite0-auto", "--data.name", "cityscapes", "--data.root", streets,
                "--data.auto-root", auto, "--runtime.out", run, "--optim.epochs", "1",
                "--runtime.precision", "fp32", "--data.class-uniform", share,
                "--runtime.log-every", "1", *flags) == 0  # fmt: skip
    steps = (run / "steps.csv").read_text().count("\n") - 1
    assert steps == (3 if share == "0" else 2)  # both once an epoch, or as many as are labelled


def _start(root: Path, out: Path, *flags: str) -> subprocess.Popen[bytes]:
    words = ["autolabel", "--data", "cityscapes", "--root", str(root), "--split", "train"]
    words += ["--weights", "streets-lite0"]
    command = [sys.executable, "-m", "hierseg", *words, "--out", str(out), *flags]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_two_parts_at_once_one_killed_and_started_again_give_one_run_to_the_byte(
    tmp_path: Path,
) -> None:
    root, parts, whole = tmp_path / "streets", tmp_path / "parts", tmp_path / "whole"
    write_streets(root, 16, Size(96, 192), 1, 0.0, 1)
    first, second = (_start(root, parts, "--shard", f"{i}/2") for i in (1, 2))
    records = parts / "train.1of2.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and first.poll() is None:
        if records.is_file() and records.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    done = records.read_bytes().count(b"\n") - 1
    assert 2 <= done < 8
    assert (parts / ".train.1of2.work").is_dir()
    assert _start(root, parts, "--shard", "1/2").wait() == 0
    assert second.wait() == 0
    assert _start(root, parts).wait() == 0
    assert _start(root, whole).wait() == 0
    contents = [
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (parts, whole)
    ]
    assert len(contents[1]) == 16 * 2 + 3
    assert contents[0] == contents[1]
