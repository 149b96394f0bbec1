"""docs/export.md: it shows the programs of examples/export, and these give hierseg's own labels."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.checkpoint import load_model
from hierseg.commands.export import export
from hierseg.commands.export_checks import CheckFlags
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.writing import convert_to_openvino
from hierseg.exporting.writing import export as write
from hierseg.inference.predictor import Predictor
from hierseg.size import Size
from hierseg.streets import draw_street

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
PROGRAMS = ROOT / "examples" / "export"
NPM = "onnxruntime-node@1", "pngjs@7"


def test_the_page_shows_the_programs_as_they_are() -> None:
    shown = dict(re.findall(r"<!-- shown: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
    lying = {path.name: path.read_text(encoding="utf-8") for path in PROGRAMS.iterdir()}
    assert shown == lying
    assert set(lying) == {"segment.py", "segment.mjs", "segment.cpp"}
    assert max(len(text.splitlines()) for text in lying.values()) <= 25


def test_the_page_names_flags_that_there_are() -> None:
    known = set(CheckFlags.__dataclass_fields__) | set(export.__annotations__)
    named = {flag.replace("-", "_") for flag in re.findall(r"(?<!<!)--([a-z][a-z0-9-]*)", PAGE)}
    others = {"budget", "gate", "ignore_scripts", "onnx", "fp16"}
    assert named - others <= known


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in the box as a file of ONNX, a picture, and its labels by hierseg itself."""
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("programs")
    write("streetlite", folder / "graph.onnx", ExportOptions())
    image, _ = draw_street(7, Size(150, 211))
    Image.fromarray(image).save(folder / "picture.png")
    Image.fromarray(image).save(folder / "picture.ppm")
    labels = Predictor(load_model("streetlite"))(image).labels
    Image.fromarray(labels).save(folder / "expected.png")
    return folder


def read(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(path))


def run_python(folder: Path) -> None:
    words = [str(PROGRAMS / "segment.py"), "graph.onnx", "picture.png", "python.png"]
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, check=True, timeout=300, capture_output=True
    )
    assert b"road" in done.stdout


@pytest.mark.slow
def test_python_gives_the_labels_of_hierseg(folder: Path) -> None:
    run_python(folder)
    assert (read(folder / "python.png") == read(folder / "expected.png")).mean() > 0.9999


@pytest.mark.slow
def test_javascript_gives_the_labels_of_python(folder: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("Node is not installed")
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", *NPM]
    if subprocess.run(command, cwd=folder, timeout=300, check=False).returncode:
        pytest.skip("the npm registry cannot be reached")
    shutil.copy(PROGRAMS / "segment.mjs", folder)
    words = ["segment.mjs", "graph.onnx", "picture.png", "javascript.png"]
    subprocess.run([node, *words], cwd=folder, check=True, timeout=300)
    run_python(folder)
    np.testing.assert_array_equal(read(folder / "javascript.png"), read(folder / "python.png"))


@pytest.mark.slow
def test_cpp_gives_the_labels_of_hierseg(folder: Path) -> None:
    compiler = shutil.which("g++")
    found = importlib.util.find_spec("openvino")
    if compiler is None or found is None or found.origin is None:
        pytest.skip("there is no g++, or no OpenVINO")
    home = Path(found.origin).parent
    library = next((home / "libs").glob("libopenvino.so*"), None)
    if library is None or not (home / "include" / "openvino" / "openvino.hpp").is_file():
        pytest.skip("this OpenVINO has no headers")
    convert_to_openvino(folder / "graph.onnx", folder / "graph.xml")
    source = str(PROGRAMS / "segment.cpp")
    flags = [f"-I{home / 'include'}", str(library), f"-Wl,-rpath,{library.parent}", "-o", "segment"]
    subprocess.run([compiler, "-std=c++17", source, *flags], cwd=folder, check=True, timeout=300)
    words = ["./segment", "graph.xml", "picture.ppm", "cpp.pgm"]
    subprocess.run(words, cwd=folder, check=True, timeout=300)
    assert (read(folder / "cpp.pgm") == read(folder / "expected.png")).mean() > 0.9999
