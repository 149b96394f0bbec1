"""`hierseg evaluate --runner ray`, with workers in this process in place of Ray's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hierseg.commands.evaluate import evaluate
from hierseg.commands.measures import MeasureFlags
from hierseg.commands.runner import RunnerFlags
from hierseg.errors import UsageError, UserError
from hierseg.options import RunOptions
from hierseg.size import Size
from hierseg.streets import write_streets
from support.workers import WorkersHere

RECORD = ".hierseg-evaluate.jsonl"
EVERYTHING = MeasureFlags(per_scale=True, boundary=True, calibration=True)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, 5, Size(48, 80), seed=1, val_fraction=0.99)
    return root


def hire(workers: WorkersHere, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def open_workers(flags: RunnerFlags, device: str) -> Iterator[WorkersHere | None]:
        yield workers if flags.runner == "ray" else None

    monkeypatch.setattr(RunnerFlags, "open", open_workers)


def read(folder: Path) -> dict[str, bytes]:
    """All files, and of the records of what was written the lines in any order."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    for name in found:
        if name.endswith(RECORD):
            found[name] = b"\n".join(sorted(found[name].splitlines()))
    return found


def test_everything_is_as_one_process_has_it_though_a_worker_is_lost(
    streets: Path, checkpoint: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    workers = WorkersHere(2, loses=[1])
    hire(workers, monkeypatch)
    outcomes = []
    for runner in ("local", "ray"):
        folder = tmp_path / runner
        folder.mkdir()
        monkeypatch.chdir(folder)
        evaluate(
            "cityscapes", streets, weights=str(checkpoint), device="cpu", limit=3, worst=2,
            json=Path("result.json"), out=Path("out"), save_predictions=Path("maps"),
            save_panels=Path("panels"), how=RunOptions(scales=(0.5, 1.0), batch=2),
            measures=EVERYTHING, where=RunnerFlags(runner),  # type: ignore[arg-type]
        )  # fmt: skip
        said = capsys.readouterr()
        outcomes.append((said.out.replace(folder.as_uri(), ""), read(folder)))
    assert outcomes[0] == outcomes[1]
    files = outcomes[0][1]
    assert {"result.json", "out/index.html", "out/reliability.png", "panels/index.html"} < set(
        files
    )
    assert sum(name.endswith("_labels.png") for name in files) == 3
    assert workers.losses == 1
    assert "a worker is lost (killed)" in said.err


def test_what_a_worker_fails_with_is_the_sentence_of_one_process(
    streets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hire(WorkersHere(1), monkeypatch)
    said = []
    for runner in ("local", "ray"):
        with pytest.raises(UserError) as raised:
            evaluate(
                "cityscapes", streets, weights="streetlite", device="cpu",
                where=RunnerFlags(runner),  # type: ignore[arg-type]
            )  # fmt: skip
        said.append(str(raised.value))
    assert said[0] == said[1]
    assert "classes of" in said[0]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"predictions": Path("maps")}, "--runner ray runs a network"),
        ({"how": RunOptions(engine="auto")}, "--engine auto may choose another"),
    ],
)
def test_what_cannot_be_spread_is_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        evaluate("cityscapes", where=RunnerFlags("ray"), **given)
