"""The face of the package: what it shows, to people and to type checkers."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import hierseg

FACE = [
    "LabelSpace", "Prediction", "Predictor", "UserError", "create_model", "evaluate", "export",
    "get_recipe", "list_models", "list_recipes", "load_model", "open_dataset", "save_checkpoint",
    "train",
]  # fmt: skip


def test_the_face_is_shown_and_each_name_is_there() -> None:
    shown = [name for name in dir(hierseg) if not name.startswith("_")]
    assert shown == FACE
    assert set(hierseg.__all__) == {*FACE, "__version__"}
    for name in hierseg.__all__:
        assert getattr(hierseg, name) is not None
    said = pydoc.render_doc(hierseg, renderer=pydoc.plaintext)
    assert "class Predictor(" in said
    assert "load_model(source: " in said
    assert "evaluate(weights: " in said
    for name in FACE:
        found = getattr(hierseg, name)
        assert "Example:" in inspect.getdoc(found), name
        if inspect.isfunction(found):
            assert "Returns:" in inspect.getdoc(found) or name == "save_checkpoint"
            assert "Args:" in inspect.getdoc(found) or not inspect.signature(found).parameters
            assert name == found.__name__
    with pytest.raises(AttributeError, match="module 'hierseg' has no attribute 'nothing'"):
        hierseg.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_neither_importing_nor_looking_imports_torch() -> None:
    code = (
        "import sys, hierseg; dir(hierseg); hierseg.get_recipe(hierseg.list_recipes()[0]); "
        "hierseg.LabelSpace, hierseg.UserError; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_a_type_checker_flags_a_name_that_is_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import hierseg\n"
        f"from hierseg import {', '.join(FACE)}\n"
        "Predictor(hierseg.load_model())('street.jpg').overlay()\n"
        "hierseg.nothing\n"
        "hierseg.Predictr\n" + "".join(f"hierseg.{name}\n" for name in FACE)
    )
    # The package's own modules but the face are left out: they, and torch, would take minutes.
    command = [
        sys.executable, "-m", "mypy", "--follow-imports=skip", "--config-file=", "--no-incremental",
        "--cache-dir", str(tmp_path), hierseg.__file__, str(script),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line for line in run.stdout.splitlines() if "error:" in line]
    assert [line.split(":")[1] for line in found] == ["4", "5"], run.stdout + run.stderr
    assert 'has no attribute "nothing"' in found[0]


@pytest.mark.slow
def test_a_type_checker_knows_what_the_face_gives(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
from pathlib import Path
import hierseg
from hierseg.training import make_display

space: hierseg.LabelSpace = hierseg.LabelSpace("two", ("a", "b"), ((0, 0, 0), (1, 1, 1)), (0, 1))
names: list[str] = [*hierseg.list_models("lite*"), *hierseg.list_recipes()]
network = hierseg.create_model("lite0-ocr-hier", 2)
hierseg.save_checkpoint("two.safetensors", network, space)
predictor = hierseg.Predictor(hierseg.load_model("two.safetensors"), scales=(0.5, 1.0))
prediction: hierseg.Prediction = predictor("street.jpg")
shares: dict[str, float] = prediction.class_shares()
dataset = hierseg.open_dataset("cityscapes", "streets")
miou: float = hierseg.evaluate(predictor, dataset, limit=2).scores.miou
by_name: float = hierseg.evaluate("two.safetensors", dataset, flip=True).scores.iou["a"]
result = hierseg.train(hierseg.get_recipe("streets-lite0"), observers=[make_display()])
folder: Path = result.folder
try:
    hierseg.load_model("none")
except hierseg.UserError as error:
    print(error)
reveal_type(result.best_weights)
wrong: int = hierseg.list_recipes()
hierseg.train("streets-lite0")
hierseg.evaluate(predictor, "cityscapes")
"""
    )
    command = [
        sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path),
        "--follow-imports=silent", str(script),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line.partition(": ")[::2] for line in run.stdout.splitlines() if "script.py:" in line]
    assert [place.rpartition(":")[2] for place, _ in said] == ["22", "23", "24", "25"], run.stdout
    assert 'Revealed type is "pathlib.Path | None"' in said[0][1]
