"""The published sweep files as examples, and the commands that they come to, value by value."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from hierseg import cli
from hierseg.cli import SHORT_FLAGS
from hierseg.config import Experiment
from hierseg.recipes import get_recipe
from hierseg.settings import list_settings, name_flag
from hierseg.size import Size
from hierseg.sweeps import PlannedRun, read_sweep
from hierseg.sweeps.resolving import apply_settings

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "sweeps" / "published"
START = "ASSETS_PATH/seg_weights/ocrnet.HRNet_industrious-chicken.pth"
TURTLE = "ASSETS_PATH/seg_weights/cityscapes_ocrnet.HRNet_Mscale_outstanding-turtle.pth"
SNAKE = "ASSETS_PATH/seg_weights/mapillary_ocrnet.HRNet_Mscale_fast-rattlesnake.pth"
BOOSTED = tuple(map(str, (3, 4, 6, 7, 9, *range(11, 19))))

# What a run that says nothing else has: the original's defaults.
DEFAULTS: dict[str, Any] = {
    "data.cv": 0, "data.workers": 4, "data.class_uniform": 0.5, "data.class_uniform_tile": 1024,
    "data.scale_min": 0.5, "data.scale_max": 2.0, "data.color_jitter": 0.25, "data.flip": 0.5,
    "data.labels": "fine", "data.extra": "none", "data.extra_until": None, "data.blur": "none",
    "data.long_edge": None, "data.enlarge": 1.0, "data.rand_augment": None,
    "loss.auxiliary_weight": 0.4, "loss.auxiliary_rmi": False, "loss.lovasz_weight": 0.0,
    "optim.optimizer": "sgd", "optim.momentum": 0.9, "optim.weight_decay": 1e-4,
    "optim.schedule": "poly", "optim.schedule_unit": "epoch", "optim.warmup_steps": 0,
    "optim.trunk_lr_factor": 1.0, "optim.ema_decay": 0.0, "optim.accumulate": 1,
    "optim.clip_norm": 0.0, "optim.decay_norms": True, "eval.every": 1, "eval.flip": False,
    "model.freeze_trunk": False, "model.train_scales": None, "runtime.precision": "fp32",
}  # fmt: skip
HMSA = {
    "data.name": "cityscapes", "data.crop": Size(1024, 2048), "data.batch": 1,
    "loss.main": "rmi", "loss.per_scale_weight": 0.05, "optim.poly_exponent": 2.0,
    "optim.lr": 5e-3, "optim.epochs": 175, "eval.scales": (0.5, 1.0, 2.0),
    "model.name": "hrnet48-ocr-hier", "model.weights": START, "model.replace_head": True,
}  # fmt: skip

# Processes, and the settings beside the defaults.
TRAINING: dict[str, tuple[int, dict[str, Any]]] = {
    "train_cityscapes": (8, HMSA),
    "train_cityscapes_sota": (
        16,
        {
            **HMSA,
            "optim.lr": 1e-2,
            "data.extra": "auto",
            "data.boost_classes": BOOSTED,
            "data.from_coarse": ("14", "15", "16"),
            "data.auto_threshold": 0.5,
            "data.mask_outer": True,
        },
    ),
    "train_cityscapes_deepv3": (
        8,
        {
            **HMSA,
            "model.name": "deeplabv3plus-wrn38",
            "model.weights": None,
            "model.replace_head": False,
            "model.pretrained": True,
            "data.crop": Size(800, 800),
            "loss.main": "cross_entropy",
            "loss.per_scale_weight": 0.0,
            "eval.scales": None,
        },
    ),
    "train_mapillary": (
        8,
        {
            **HMSA,
            "data.name": "mapillary",
            "data.long_edge": 2177,
            "data.crop": Size(1024, 1024),
            "data.blur": "gaussian",
            "data.batch": 2,
            "loss.per_scale_weight": 0.0,
            "optim.poly_exponent": 1.0,
            "optim.epochs": 200,
            "model.weights": None,
            "model.replace_head": False,
        },
    ),
}

# The line that -n prints, without the words that name the run's folder.
OTHERS = {
    "eval_cityscapes": (
        "torchrun --nproc-per-node 8 -m hierseg evaluate --data cityscapes --split val --cv 0 "
        f"--weights {TURTLE} --scales 0.5 1 2 --precision fp16 --batch 2"
    ),
    "eval_mapillary": (
        "torchrun --nproc-per-node 8 -m hierseg evaluate --data mapillary --split val --cv 0 "
        f"--weights {SNAKE} --scales 0.25 0.5 1 2 --flip --long-edge 2177 --precision fp16 "
        "--count-at run"
    ),
    "dump_cityscapes": (
        f"hierseg evaluate --data cityscapes --split val --cv 0 --weights {TURTLE} --scales 0.5 1 2"
    ),
    "dump_folder": (
        f"hierseg predict images --weights {TURTLE} --scales 0.5 1 2 "
        "--save overlay color labels confidence attention scales"
    ),
}


def only_run(name: str) -> PlannedRun:
    sweep = read_sweep(EXAMPLES / f"{name}.yaml")
    [run] = sweep.runs
    return run


def parse(words: list[str]) -> Experiment:
    """The experiment that words of `hierseg train` mean, by their flags alone."""
    recipe, *rest = words
    known = {name_flag(key): key for key in list_settings(Experiment().to_dict())}
    settings: dict[str, Any] = {}
    name = ""
    for word in rest:
        word = SHORT_FLAGS.get(word, word)
        if word in known:
            name = known[word]
            settings[name] = True
        elif word.replace(".no-", ".") in known:
            settings[known[word.replace(".no-", ".")]] = False
        else:
            before = settings[name]
            settings[name] = [word] if before is True else [*before, word]
    one = {key: value[0] if isinstance(value, list) and len(value) == 1 else value
           for key, value in settings.items()}  # fmt: skip
    return apply_settings(get_recipe(recipe), one)


def test_there_are_all_eight() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {*TRAINING, *OTHERS}


@pytest.mark.parametrize("name", TRAINING)
def test_a_training_file_is_one_run_with_the_published_values(name: str) -> None:
    processes, values = TRAINING[name]
    run = only_run(name)
    assert (run.command, run.processes) == ("train", processes)
    found = list_settings(dataclasses.asdict(parse(list(run.words))))
    expected = {**DEFAULTS, **values}
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("name", OTHERS)
def test_an_evaluation_or_a_dump_is_one_command(name: str) -> None:
    run = only_run(name)
    folder = Path("runs/here")
    line = run.show(folder)
    assert line.startswith(OTHERS[name] + " ")
    ending = line.removeprefix(OTHERS[name] + " ")
    if name == "dump_folder":
        assert ending == "--out runs/here/run"
    elif name == "dump_cityscapes":
        assert ending == "--json runs/here/result.json --save-panels runs/here/run"
    else:
        assert ending == "--json runs/here/result.json"


@pytest.mark.parametrize("name", [*TRAINING, *OTHERS])
def test_a_dry_run_prints_one_unwrapped_line_and_the_number(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", str(EXAMPLES / f"{name}.yaml"), "-n"]) == 0
    said = capsys.readouterr()
    first, second = said.out.splitlines()
    run = only_run(name)
    assert shlex.split(first)[-len(run.place(Path())) - len(run.words) - 1] == run.command
    assert second == "1 run"
    words = ("hierseg train", "hierseg evaluate", "hierseg predict", "torchrun")
    assert not any(word in said.err for word in words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*TRAINING, "dump_folder"])
def test_the_commands_are_taken_by_the_command_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused for what is not there, which comes after all flags are read."""
    monkeypatch.chdir(tmp_path)
    status = cli.main(only_run(name).list_words(tmp_path / "out"))
    said = capsys.readouterr().err
    assert status in (1, 2)
    assert said.startswith("hierseg: ")
    assert any(text in said for text in (".pth", "--data.root", "no data", "images"))
