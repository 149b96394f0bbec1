"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import textwrap
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
CODE = SOURCES + sorted(p for d in ("benchmarks", "experiments") for p in (ROOT / d).rglob("*.py"))


def test_imports_follow_the_arrows() -> None:
    # In a process of its own, as it silences all loggers that there are.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def count_code(text: str) -> int:
    """Lines of code: no blank lines, comments or docstrings."""
    tree = ast.parse(text)
    prose = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        1
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.strip().startswith("#") and number not in prose
    )


def test_lines_of_code_are_counted_without_prose() -> None:
    prose = '"""Two\n\nlines."""\n\n# A comment.\n'
    assert count_code(prose + 'def f():\n    """Prose."""\n    return """a\n    b"""\n') == 3


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    assert count_code(text) <= 300
    assert path.name != "utils.py"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = count_code(
                textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
            )
            assert length <= 50, f"{node.name}: {length} lines"


PACKAGES = {path.parent.name for path in (ROOT / "src" / "hierseg").glob("*/__init__.py")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_other_rooms_are_imported_by_their_faces_alone(path: Path) -> None:
    room = path.relative_to(ROOT / "src" / "hierseg").parts[0]
    past = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            inside = parts[0] == "hierseg" and len(parts) > 2 and parts[1] in PACKAGES
            if inside and parts[1] not in (room, "commands"):
                past.append(name)
    assert past == []


def test_no_two_modules_import_each_other_not_even_for_type_checkers() -> None:
    graph = grimp.build_graph("hierseg", exclude_type_checking_imports=False)
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()  # CycleError names a circle


@pytest.mark.parametrize("room", sorted(PACKAGES - {"cli", "commands", "recipes"}))
def test_a_face_gives_what_it_lists_and_type_checkers_see_the_same(room: str) -> None:
    face = importlib.import_module(f"hierseg.{room}")
    tree = ast.parse(Path(str(face.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
    }
    assert set(face.__all__) == seen - {"annotations", "TYPE_CHECKING", "open_face"}
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert not isinstance(getattr(face, name), ModuleType), name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        face.nothing  # noqa: B018


@pytest.mark.parametrize(
    "module",
    ["", ".cli", ".commands", ".config", ".labels", ".recipes", ".errors", ".size"],
)
def test_light_modules_import_no_torch(module: str) -> None:
    code = f"import sys, hierseg{module}; print('torch' in sys.modules, 'timm' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


def test_ci_runs_make_check_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["exec make check"]


def test_constraints_pin_by_hash_what_pyproject_asks_for() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, build = content["project"], content["build-system"]["requires"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *build, *(entry for extra in extras for entry in extra)]
    names = {re.split(r"[\[<>=! ]", entry)[0].lower() for entry in asked} - {"hierseg"}
    text = re.sub(r"^#.*\n", "", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    entries = text.replace("\\\n", " ").splitlines()
    assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    pinned = {entry.split("==")[0].lower().replace("_", "-") for entry in entries}
    assert names - pinned == set()
