from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hierseg.config import Experiment, OptimConfig, RuntimeConfig
from hierseg.settings import list_differences, list_settings, name_flag, name_flags


def test_an_experiment_is_json() -> None:
    experiment = Experiment(runtime=RuntimeConfig(out=Path("runs") / "a"))
    content = experiment.to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["data"]["crop"] == "512x1024"
    assert content["data"]["root"] is None
    assert content["runtime"]["out"] == str(Path("runs") / "a")


def test_settings_are_named_as_their_flags() -> None:
    settings = list_settings(Experiment().to_dict())
    assert settings["optim.ema_decay"] == 0.0
    assert name_flag("optim.ema_decay") == "--optim.ema-decay"
    assert name_flags(["from_", "optim.lr"]) == {"from_": "--from", "optim.lr": "--optim.lr"}
    parts = [part for part in dataclasses.fields(Experiment) if part.name != "recipe"]
    assert len(settings) == 1 + sum(
        len(dataclasses.fields(getattr(Experiment(), part.name))) for part in parts
    )


def test_differences_are_named_with_both_values() -> None:
    old = Experiment()
    new = replace(old, recipe="other", optim=OptimConfig(lr=0.5))
    assert list_differences(old.to_dict(), old.to_dict()) == {}
    assert list_differences(old.to_dict(), new.to_dict()) == {
        "recipe": ("custom", "other"),
        "optim.lr": (5e-3, 0.5),
    }
    # A setting that one of the two does not know yet differs as well.
    assert list_differences({"a": {}}, {"a": {"b": 1}}) == {"a.b": (None, 1)}


def test_a_configuration_cannot_be_changed() -> None:
    for part in dataclasses.fields(Experiment):
        value = getattr(Experiment(), part.name)
        if dataclasses.is_dataclass(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, dataclasses.fields(value)[0].name, None)


def test_every_field_has_a_docstring() -> None:
    """It is the flag's help."""
    source = Path(sys.modules[Experiment.__module__].__file__ or "").read_text(encoding="utf-8")
    lines = source.splitlines()
    for part in dataclasses.fields(Experiment):
        value = getattr(Experiment(), part.name)
        names = [f.name for f in dataclasses.fields(value)] if part.name != "recipe" else []
        for name in names:
            (at, *_) = [i for i, line in enumerate(lines) if line.startswith(f"    {name}: ")]
            assert lines[at + 1].startswith('    """'), name


def test_configuration_and_recipes_import_no_torch() -> None:
    code = (
        "import sys, hierseg.config, hierseg.recipes, hierseg.commands.train, "
        "hierseg.commands.evaluate, hierseg.commands.recipes; "
        "print([name for name in ('torch', 'numpy', 'tyro') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
