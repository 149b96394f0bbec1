from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.size import Size
from hierseg.sweeps import EarlyStop, Resources, Sweep, read_sweep
from hierseg.sweeps.durations import read_duration, read_memory, show_duration
from hierseg.sweeps.resolving import apply_settings, list_changes, make_words

BASE: dict[str, Any] = {"recipe": "streets-lite0", "fixed": {"data.root": "streets"}}


def read(tmp_path: Path, **content: Any) -> Sweep:
    path = tmp_path / "first.yaml"
    path.write_text(yaml.safe_dump({**BASE, **content}, sort_keys=False))
    return read_sweep(path)


def commands(sweep: Sweep) -> list[str]:
    return [" ".join(run.words) for run in sweep.runs]


def test_lists_are_a_product_in_order(tmp_path: Path) -> None:
    sweep = read(tmp_path, grid={"optim.lr": [0.001, 0.002], "runtime.seed": [1, 2, 3]})
    assert sweep.out == Path("runs/first")
    assert [run.name for run in sweep.runs] == [
        f"lr{lr}-seed{seed}" for lr in (0.001, 0.002) for seed in (1, 2, 3)
    ]
    assert commands(sweep)[0] == (
        "streets-lite0 --data.root streets --optim.lr 0.001 --runtime.seed 1"
    )
    # What the recipe says already is shown too.
    assert commands(sweep)[-1] == (
        "streets-lite0 --data.root streets --optim.lr 0.002 --runtime.seed 3"
    )


def test_variants_are_settings_under_a_name_before_the_grid(tmp_path: Path) -> None:
    sweep = read(
        tmp_path,
        variants={"plain": None, "lovasz": {"loss": {"lovasz_weight": 1}}},
        grid={"runtime.seed": [0, 1]},
    )
    assert [run.name for run in sweep.runs] == [
        "plain-seed0", "plain-seed1", "lovasz-seed0", "lovasz-seed1",
    ]  # fmt: skip
    assert "--loss.lovasz-weight 1" in commands(sweep)[2]
    assert sweep.runs[2].varied["variant"] == "lovasz"


def test_a_recipe_can_vary_and_names_may_be_flags(tmp_path: Path) -> None:
    grid = {"recipe": ["streets-lite0", "camvid-lite0"], "--optim.ema-decay": [0.9]}
    sweep = read(tmp_path, grid=grid)
    assert [line.split()[0] for line in commands(sweep)] == ["streets-lite0", "camvid-lite0"]
    assert all("--optim.ema-decay 0.9" in line for line in commands(sweep))
    assert [run.name for run in sweep.runs] == [
        "streets-lite0-ema_decay0.9", "camvid-lite0-ema_decay0.9",
    ]  # fmt: skip


def test_identity_is_that_of_the_resolved_command(tmp_path: Path) -> None:
    first = read(tmp_path, grid={"optim.lr": [0.001, 0.002]}).runs
    second = read(
        tmp_path, grid={"optim.lr": ["2e-3", "4e-3", "1e-3"]}, fixed={"data": {"root": "streets"}}
    ).runs
    assert [run.identity for run in first] == [second[2].identity, second[0].identity]
    assert len({run.identity for run in second}) == 3
    same = read(tmp_path, variants={"a": {"optim.lr": 0.002}, "b": {}}).runs
    assert len(same) == 1  # the recipe's own rate
    assert same[0].identity == first[1].identity


def test_values_are_read_as_the_settings_have_them(tmp_path: Path) -> None:
    fixed = {
        "data.crop": "64x128", "eval.scales": [0.5, 1], "model.pretrained": False,
        "optim.lr": "1e-3", "data.root": "x", "loss.strict_border_classes": [5, "pole"],
        "optim.epochs": 3.0, "data.val_crop": None, "replace-head": True, "init": "runs/a",
    }  # fmt: skip
    [line] = commands(read(tmp_path, fixed=fixed))
    assert line == (
        "streets-lite0 --model.no-pretrained --model.weights runs/a --model.replace-head "
        "--data.root x --data.crop 64x128 --loss.strict-border-classes 5 pole --optim.lr 0.001 "
        "--optim.epochs 3 --eval.scales 0.5 1"
    )


def test_everything_else_of_a_file(tmp_path: Path) -> None:
    sweep = read(
        tmp_path,
        out="there",
        processes=4,
        retries=2,
        resources={"cpus": 4, "gpus": 1, "memory": "8G", "labels": {"gpu": 0}},
        fail_fast=True,
        budget="1h30m",
        early_stop={"patience": 3, "median": True, "after": 2},
        tracking="mlflow",
    )
    assert sweep.out == Path("there")
    assert sweep.resources == Resources(4, 1, 8 << 30, {"gpu": "0"})
    assert (sweep.retries, sweep.fail_fast, sweep.budget) == (2, True, 5400)
    assert sweep.early_stop == EarlyStop("miou", False, 3, True, 2)
    [run] = sweep.runs
    assert run.show(Path("x")) == (
        "torchrun --nproc-per-node 4 -m hierseg train streets-lite0 --data.root streets "
        "--tracking mlflow --runtime.out x/run"
    )


def test_other_commands_have_their_own_flags(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    content = {
        "command": "evaluate",
        "fixed": {"data": "camvid", "root": "CAMVID", "weights": "a b.safetensors"},
        "grid": {"flip": [True, False], "scales": [[0.5, 1], [1]]},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    runs = read_sweep(path).runs
    assert runs[0].show(Path("x")) == (
        "hierseg evaluate --data camvid --root CAMVID --weights 'a b.safetensors' --flip "
        "--scales 0.5 1 --json x/result.json"
    )
    assert "--flip" not in runs[3].words
    assert [run.name for run in runs][:2] == ["flipTrue-scales0.5+1", "flipTrue-scales1"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"gird": {}}, "no key 'gird'; the nearest is 'grid'"),
        ({"recipe": "streets-lite1"}, "did you mean 'streets-lite0'"),
        ({"recipe": None}, "name the recipe"),
        ({"fixed": {"optim.lrr": 1}}, "no setting 'optim.lrr'; the nearest is 'optim.lr'"),
        ({"fixed": {"lr": 1}}, "no setting 'lr'; the nearest is 'optim.lr'"),
        ({"fixed": {"optim.lr": "fast"}}, "optim.lr: 'fast' is no number"),
        ({"fixed": {"optim.epochs": 1.5}}, "no whole number"),
        ({"fixed": {"optim.epochs": True}}, "true is no value"),
        ({"fixed": {"optim.optimizer": "lion"}}, "none of sgd, adam"),
        ({"fixed": {"data.crop": "big"}}, "not a size"),
        ({"fixed": {"model.pretrained": "maybe"}}, "neither true nor false"),
        ({"fixed": {"runtime.out": "x"}}, "chosen by the sweep"),
        ({"fixed": {"eval.scales": None}}, "cannot be unset"),
        ({"fixed": [1]}, "fixed: give settings"),
        ({"grid": {"optim.lr": 0.1}}, "needs a list"),
        ({"grid": {"optim.lr": []}}, "needs a list"),
        ({"grid": {"runtime.seed": list(range(101)), "optim.lr": [0.1] * 100}}, "more than 10000"),
        ({"variants": ["a"]}, "variants: give names"),
        ({"retries": -1}, "retries: -1 is too few"),
        ({"retries": "often"}, "retries: 'often' is no number"),
        ({"processes": 0}, "processes: 0 is too few"),
        ({"fail_fast": 1}, "fail_fast"),
        ({"budget": "soon"}, "budget: 'soon' is no time"),
        ({"resources": {"gpu": 1}}, "the nearest is 'gpus'"),
        ({"resources": {"memory": "much"}}, "no amount of memory"),
        ({"early_stop": {"after": 3}}, "give `patience: N`"),
        ({"early_stop": 5}, "early_stop: give patience"),
        ({"samples": 3}, "search: random"),
        ({"search": "grid", "samples": 3}, "neither random nor optuna"),
        ({"search": "random", "grid": {"optim.lr": [1]}}, "samples: give"),
        ({"search": "random", "samples": 3}, "grid: a search needs"),
        (
            {"search": "random", "samples": 3, "grid": {"optim.lr": {"log": [0, 1]}}},
            "neither a list nor a range",
        ),
        ({"command": "fly"}, "command: 'fly' is none of train"),
        ({"command": "predict", "fixed": {"out": "x"}}, "chosen by the sweep"),
    ],
)
def test_what_cannot_be_is_a_sentence_with_the_file_and_the_key(
    tmp_path: Path, content: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as failure:
        read(tmp_path, **content)
    assert sentence in str(failure.value)
    assert str(failure.value).startswith(str(tmp_path / "first.yaml"))


@pytest.mark.parametrize("text", ["", "- a\n", "a: [1\n", "a: b: c\n"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="the sweep file"):
        read_sweep(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_sweep(tmp_path / "none.yaml")


def test_words_are_the_inverse_of_settings() -> None:
    base = Experiment()
    settings = {
        "data.crop": Size(3, 4), "eval.scales": (0.5, 1.0), "optim.lr": 1e-5,
        "model.freeze_trunk": True, "data.name": "x",
    }  # fmt: skip
    changes = list_changes(base, apply_settings(base, settings))
    assert changes == settings
    assert make_words(changes) == [
        "--model.freeze-trunk", "--data.name", "x", "--data.crop", "3x4", "--optim.lr", "1e-05",
        "--eval.scales", "0.5", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", None), (90, 90), ("90s", 90), ("1h30m", 5400), ("2 d", 172800), ("5min", 300),
     ("1.5h", 5400), (0, None), (True, None), ("h", None)],
)  # fmt: skip
def test_times(text: Any, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(UsageError, match="no time"):
            read_duration(text, "budget")
    else:
        assert read_duration(text, "budget") == seconds


def test_amounts() -> None:
    assert read_memory("4G", "memory") == read_memory("4 GiB", "memory") == 4 << 30
    assert read_memory(512, "memory") == 512
    assert (show_duration(65), show_duration(3700)) == ("1:05", "1:01:40")
