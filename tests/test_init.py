"""The face of the package: what it shows, to people and to type checkers."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import hierseg

FACE = ["Prediction", "Predictor", "create_model", "list_models", "load_model"]


def test_the_face_is_shown_and_each_name_is_there() -> None:
    shown = [name for name in dir(hierseg) if not name.startswith("_")]
    assert shown == FACE
    assert set(hierseg.__all__) == {*FACE, "__version__"}
    for name in hierseg.__all__:
        assert getattr(hierseg, name) is not None
    said = pydoc.render_doc(hierseg, renderer=pydoc.plaintext)
    assert "class Predictor(" in said
    assert "load_model(source: " in said
    with pytest.raises(AttributeError, match="module 'hierseg' has no attribute 'nothing'"):
        hierseg.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_neither_importing_nor_looking_imports_torch() -> None:
    code = "import sys, hierseg; dir(hierseg); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_a_type_checker_flags_a_name_that_is_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import hierseg\n"
        "from hierseg import Predictor\n"
        "Predictor(hierseg.load_model())('street.jpg').overlay()\n"
        "hierseg.nothing\n"
        "hierseg.Predictr\n"
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
