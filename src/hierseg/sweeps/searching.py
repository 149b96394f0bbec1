"""Random and Bayesian search, which draw runs one by one."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Literal

from hierseg.errors import MissingExtraError, UsageError, shorten
from hierseg.sweeps.keys import flatten
from hierseg.sweeps.plan import PlannedRun

Range = tuple[Literal["uniform", "log", "int", "choice"], list[Any]]


def read_search(content: Mapping[str, Any]) -> Search | None:
    """The search of a sweep file; None if it has none.

    Raises:
        UsageError: The number of samples is missing, or there is nothing to draw from.
        MissingExtraError: Bayesian search needs optuna, which is not installed.
    """
    kind = content.get("search")
    if kind is None:
        if "samples" in content:
            raise UsageError("samples: give `search: random` or `search: optuna` with them.")
        return None
    if kind not in ("random", "optuna"):
        raise UsageError(f"search: '{shorten(kind)}' is neither random nor optuna.")
    samples, seed = content.get("samples"), content.get("seed", 0)
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise UsageError("samples: give the number of runs that are drawn, as `samples: 20`.")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise UsageError(f"seed: '{shorten(seed)}' is no whole number.")
    grid = flatten(content.get("grid"), "grid")
    if not grid:
        raise UsageError("grid: a search needs lists or ranges to draw from.")
    ranges = {name: _read_range(name, value) for name, value in grid.items()}
    metric = str(content.get("metric", "miou"))
    made: type[Search] = OptunaSearch if kind == "optuna" else RandomSearch
    return made(ranges, samples, seed, metric, "loss" in metric)


def _read_range(name: str, value: Any) -> Range:
    if isinstance(value, list) and value:
        return "choice", value
    if isinstance(value, dict) and len(value) == 1:
        kind, given = next(iter(value.items()))
        if kind == "choice" and isinstance(given, list) and given:
            return "choice", given
        try:
            low, high = map(float, given)
        except (TypeError, ValueError):
            low, high = math.nan, math.nan
        if (kind in ("uniform", "int") and low < high) or (kind == "log" and 0 < low < high):
            return kind, [low, high]
    raise UsageError(
        f"grid: '{shorten(name)}' is neither a list nor a range; write {{log: [1e-4, 1e-2]}}, "
        "{uniform: [0, 1]}, {int: [1, 8]} or [a, b]."
    )


class Search:
    """Draws runs.

    Args:
        ranges: Setting -> the range or list that it is drawn from.
        samples: Runs in all.
        seed: Seed of the draws.
        metric: Column of ``epochs.csv``.
        smaller_is_better: Whether the metric is a loss.
    """

    def __init__(
        self,
        ranges: Mapping[str, Range],
        samples: int,
        seed: int,
        metric: str,
        smaller_is_better: bool,
    ) -> None:
        self.ranges, self.samples, self.seed = ranges, samples, seed
        self.metric, self.smaller_is_better = metric, smaller_is_better
        self._make: Callable[[Mapping[str, Any]], PlannedRun] | None = None

    def bind(self, make: Callable[[Mapping[str, Any]], PlannedRun]) -> None:
        """Set the function that makes a run of drawn settings."""
        self._make = make

    def make(self, settings: Mapping[str, Any]) -> PlannedRun:
        """The run with drawn settings."""
        assert self._make is not None
        return dataclasses.replace(self._make(settings), drawn=dict(settings))

    def draw(self, number: int) -> dict[str, Any]:
        """The settings of sample ``number``, counted from 0."""
        raise NotImplementedError

    def tell(self, settings: Mapping[str, Any], figure: float | None) -> None:
        """Report the figure of a run; None if it failed."""


def _round(value: float) -> float:
    return float(f"{value:.4g}")


class RandomSearch(Search):
    """Random search: each sample depends on seed and number alone."""

    def draw(self, number: int) -> dict[str, Any]:
        """A value of each range, independent of one another."""
        generator = random.Random(f"{self.seed}/{number}")
        drawn: dict[str, Any] = {}
        for name, (kind, given) in self.ranges.items():
            if kind == "choice":
                drawn[name] = generator.choice(given)
            elif kind == "int":
                drawn[name] = generator.randint(int(given[0]), int(given[1]))
            elif kind == "log":
                low, high = map(math.log, given)
                drawn[name] = _round(math.exp(generator.uniform(low, high)))
            else:
                drawn[name] = _round(generator.uniform(*given))
        return drawn


class OptunaSearch(Search):
    """Tree-structured Parzen estimators (Bergstra et al. 2011), by optuna."""

    def __init__(
        self,
        ranges: Mapping[str, Range],
        samples: int,
        seed: int,
        metric: str,
        smaller_is_better: bool,
    ) -> None:
        super().__init__(ranges, samples, seed, metric, smaller_is_better)
        try:
            import optuna
        except ImportError as error:
            raise MissingExtraError("Bayesian search", "cluster") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._study: Any = None
        self._earlier: list[Any] = []
        self._asked: list[tuple[dict[str, Any], Any]] = []

    def _open_study(self, number: int) -> Any:
        if self._study is None:
            # A later call must not draw the same samples again.
            sampler = self._optuna.samplers.TPESampler(seed=self.seed + 7919 * number)
            directions = self._optuna.study.StudyDirection
            direction = directions.MINIMIZE if self.smaller_is_better else directions.MAXIMIZE
            self._study = self._optuna.create_study(sampler=sampler, direction=direction)
            self._study.add_trials(self._earlier)
        return self._study

    def draw(self, number: int) -> dict[str, Any]:
        """The settings that are most promising by the runs so far."""
        trial = self._open_study(number).ask(self._distributions())
        drawn = {name: self._value(name, value) for name, value in trial.params.items()}
        self._asked.append((drawn, trial))
        return drawn

    def tell(self, settings: Mapping[str, Any], figure: float | None) -> None:
        """Learn from a run, also one of an earlier call."""
        found = figure if figure is not None and math.isfinite(figure) else None
        for position, (drawn, trial) in enumerate(self._asked):
            if drawn == settings:
                self._asked.pop(position)
                failed = self._optuna.trial.TrialState.FAIL if found is None else None
                self._study.tell(trial, found, state=failed)
                return
        if found is not None:
            self._tell_earlier(settings, found)

    def _tell_earlier(self, settings: Mapping[str, Any], figure: float) -> None:
        try:
            trial = self._optuna.trial.create_trial(
                params={name: self._parameter(name, settings[name]) for name in self.ranges},
                distributions=self._distributions(),
                value=figure,
            )
        except (KeyError, ValueError):  # drawn from other ranges
            return
        if self._study is None:
            self._earlier.append(trial)
        else:
            self._study.add_trial(trial)

    def _distributions(self) -> dict[str, Any]:
        kinds = self._optuna.distributions
        made: dict[str, Any] = {}
        for name, (kind, given) in self.ranges.items():
            if kind == "choice":  # by number: a value may be a list
                made[name] = kinds.CategoricalDistribution(list(range(len(given))))
            elif kind == "int":
                made[name] = kinds.IntDistribution(int(given[0]), int(given[1]))
            else:
                made[name] = kinds.FloatDistribution(*given, log=kind == "log")
        return made

    def _value(self, name: str, value: Any) -> Any:
        kind, given = self.ranges[name]
        if kind == "choice":
            return given[value]
        return value if kind == "int" else _round(value)

    def _parameter(self, name: str, value: Any) -> Any:
        kind, given = self.ranges[name]
        if kind == "choice":
            return given.index(value)
        return min(max(value, given[0]), given[1])
