"""Wheel and sdist hold all that a user needs, and a wheel alone segments."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import hierseg
from hierseg.size import Size
from hierseg.streets import write_streets

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "hierseg"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; its failure is the test's."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of what git has."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what is distributed is not known")
    clean, out = tmp_path_factory.mktemp("clean"), tmp_path_factory.mktemp("dist")
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            target = clean / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out]
    run(*build, cwd=clean)
    return out


@pytest.mark.slow
def test_everything_that_is_no_code_is_in_both(built: Path) -> None:
    tracked = run("git", "ls-files", "-z", "src/hierseg", cwd=ROOT).split("\0")
    wanted = {name.removeprefix("src/") for name in tracked if name}
    [wheel], [sdist] = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        assert wanted <= set(file.namelist())
        assert not [name for name in file.namelist() if name.startswith(("tests", "benchmarks"))]
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2].removeprefix("src/") for name in file.getnames()}
    assert wanted | {"LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.slow
def test_an_index_shows_no_link_that_leads_nowhere(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        [name] = [name for name in file.namelist() if name.endswith("/METADATA")]
        text = file.read(name).decode()
    assert "Description-Content-Type: text/markdown" in text
    assert "## Five lines of Python" in text
    assert [path for path in re.findall(r"\]\(([^)]+)\)", text) if "://" not in path] == []


def test_links_of_the_readme_are_those_of_the_site_or_none() -> None:
    text = (
        "![a *b*](docs/images/x.png) [one](docs/a.md#b-c), [two](CHANGELOG.md), [x](https://y.z/a)"
    )
    describe = runpy.run_path(str(ROOT / "setup.py"))["describe"]
    assert describe(text, "https://hierseg.example.org") == (
        "![a *b*](https://hierseg.example.org/_images/x.png) "
        "[one](https://hierseg.example.org/a.html#b-c), "
        "[two](https://hierseg.example.org/changelog.html), [x](https://y.z/a)"
    )
    assert describe(text, "https://example.invalid/a") == "*a *b** one, two, [x](https://y.z/a)"
    pages = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    docs = ROOT / "docs"
    site = {path.relative_to(docs).as_posix() for path in docs.rglob("*")}
    for page in pages:  # of the site: what it is built from is there by these names
        name = page.removeprefix("docs/")
        assert page.startswith("docs/images/") or (name if "/" in page else name.lower()) in site


@pytest.mark.slow
def test_an_index_would_take_them(built: Path) -> None:
    assert "FAILED" not in run(
        sys.executable, "-m", "twine", "check", "--strict", *built.iterdir(), cwd=built
    )


@pytest.mark.slow
def test_the_wheel_alone_segments(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    [wheel] = built.glob("*.whl")
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, cwd=tmp_path
    )
    places = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path
    )
    # The other packages are those of this environment, without hierseg as it lies in the checkout.
    others = Path(places.strip()) / "others.pth"
    others.write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import hierseg; print(hierseg.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "env")
    write_streets(tmp_path / "streets", count=1, size=Size(64, 128), seed=0)
    [image] = (tmp_path / "streets").rglob("*_leftImg8bit.png")
    hierseg = tmp_path / "env" / "bin" / "hierseg"
    run(hierseg, "predict", image, "--scales", "1", "--out", tmp_path / "out", cwd=tmp_path)
    assert (tmp_path / "out" / "index.html").is_file()
    assert list((tmp_path / "out").rglob("*_labels.png"))


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == hierseg.__version__
    assert (citation["cff-version"], citation["license"]) == ("1.2.0", "Apache-2.0")
