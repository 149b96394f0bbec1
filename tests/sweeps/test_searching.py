from __future__ import annotations

import builtins
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from hierseg.errors import MissingExtraError
from hierseg.sweeps import Driver, LocalRunner, PlannedRun, Sweep, read_sweep
from hierseg.sweeps.folder import list_places
from hierseg.sweeps.searching import Search, read_search
from sweeps.fakes import launch_fake

GRID = {
    "optim.lr": {"log": ["1e-4", "1e-2"]},
    "optim.momentum": {"uniform": [0.5, 0.95]},
    "optim.epochs": {"int": [1, 5]},
    "data.crop": ["64x128", "32x64"],
}


def make(kind: str, samples: int = 6, seed: int = 0, **grid: Any) -> Search:
    search = read_search({"search": kind, "samples": samples, "seed": seed, "grid": grid or GRID})
    assert search is not None
    return search


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_what_is_drawn_lies_in_its_ranges(kind: str) -> None:
    search = make(kind)
    drawn = [search.draw(number) for number in range(20)]
    for one in drawn:
        assert 1e-4 <= one["optim.lr"] <= 1e-2
        assert 0.5 <= one["optim.momentum"] <= 0.95
        assert one["optim.epochs"] in range(1, 6)
        assert one["data.crop"] in GRID["data.crop"]
    below = sum(one["optim.lr"] < 1e-3 for one in drawn)
    assert 3 <= below <= 17  # half, on a logarithmic scale
    assert len({one["optim.epochs"] for one in drawn}) > 2


def test_a_random_draw_depends_on_seed_and_number_alone() -> None:
    first = [make("random").draw(number) for number in range(5)]
    longer = make("random", samples=50)
    assert [longer.draw(number) for number in (4, 3, 2, 1, 0)] == first[::-1]
    assert make("random", seed=1).draw(0) != first[0]


def figure_of(drawn: dict[str, Any]) -> float:
    """Highest at a rate of 1e-3."""
    return 1 - abs(math.log10(drawn["optim.lr"]) + 3)


def test_optuna_learns_also_from_earlier_calls() -> None:
    grid = {"optim.lr": {"log": [1e-5, 1e-1]}}
    first = make("optuna", **grid)
    known = []
    for number in range(25):
        drawn = first.draw(number)
        known.append((drawn, figure_of(drawn)))
        first.tell(drawn, known[-1][1])
    second = make("optuna", **grid)
    for drawn, figure in known:
        second.tell(drawn, figure)
    second.tell({"optim.lr": 1.0}, None)  # failed
    second.tell({"optim.wd": 1.0}, 0.5)  # of other ranges
    later = []
    for number in range(25, 35):
        drawn = second.draw(number)
        later.append(figure_of(drawn))
        second.tell(drawn, later[-1])
    assert sum(later) / 10 > 0.4  # by chance it were 0, give or take 0.18


def test_optuna_does_not_draw_again_what_an_earlier_call_has_drawn() -> None:
    first, second = make("optuna"), make("optuna")
    drawn = [first.draw(number) for number in range(3)]
    second.tell(drawn[0], 0.5)
    assert second.draw(3) not in drawn
    assert second.draw(4) not in drawn


def test_without_optuna_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"hierseg\[cluster\]"):
        make("optuna")


def test_a_file_draws_runs_of_its_recipe(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    content = {
        "recipe": "streets-lite0", "search": "random", "samples": 3, "grid": GRID,
        "fixed": {"data.root": "x"}, "metric": "loss",
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    sweep = read_sweep(path)
    assert sweep.runs == []
    assert sweep.search.smaller_is_better
    drawn = sweep.search.draw(0)
    run = sweep.search.make(drawn)
    assert run.drawn == drawn
    assert f"--optim.lr {drawn['optim.lr']!r}" in " ".join(run.words)
    assert run.name.startswith("crop")


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_a_search_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    def run(samples: int) -> int:
        search = make(kind, samples, **{"--value": {"uniform": [0.1, 1.0]}})
        search.bind(_make_fake)
        sweep = Sweep(Path("s.yaml"), tmp_path, [], search=search)
        outcome = Driver(sweep, LocalRunner(2), launch_fake, lambda _: None).run()
        assert (outcome.failed, outcome.left) == ([], 0)
        return len(outcome.done)

    assert run(3) == 3
    before = {place.path.name: place.status.read_text() for place in list_places(tmp_path)}
    assert run(3) == 3
    assert run(5) == 5
    after = {place.path.name: place.status.read_text() for place in list_places(tmp_path)}
    assert len(after) == 5
    assert {name: after[name] for name in before} == before


def _make_fake(settings: Any) -> PlannedRun:
    value = str(settings["--value"])
    return PlannedRun(f"value{value}", "train", ("--value", value, "--steps", "1"), dict(settings))
