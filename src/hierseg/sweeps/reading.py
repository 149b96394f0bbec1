"""Reads hierseg's sweep files: a recipe, fixed values, lists of values, named variants."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hierseg.errors import UsageError, UserError, shorten
from hierseg.files import read_text_file
from hierseg.recipes import get_recipe
from hierseg.sweeps.durations import read_duration, read_memory
from hierseg.sweeps.keys import flatten, require_known
from hierseg.sweeps.original import is_original, read_original
from hierseg.sweeps.plan import EarlyStop, PlannedRun, Resources, Sweep, make_name
from hierseg.sweeps.resolving import (
    apply_settings,
    convert,
    find_setting,
    list_changes,
    make_words,
    show_value,
)
from hierseg.sweeps.searching import read_search

COMMANDS = ("train", "evaluate", "predict", "submit", "autolabel")
MOST_RUNS = 10_000
"""Most runs of a sweep; more are a typing error."""
_KEYS = (
    "command", "recipe", "out", "processes", "fixed", "grid", "variants", "retries", "resources",
    "fail_fast", "budget", "search", "samples", "seed", "metric", "early_stop", "tracking",
)  # fmt: skip


def read_sweep(path: Path, out: Path | None = None) -> Sweep:
    """Read a sweep file, hierseg's or the original's.

    Args:
        path: A YAML file.
        out: Folder of the runs; None for the file's own.

    Raises:
        UsageError: A key is unknown or has a value that is not valid; the message names the key.
        UserError: The file cannot be read, or is not YAML.
    """
    content = load_yaml(path)
    try:
        if is_original(content):
            return read_original(path, content, out)
        return _Reader(path, content, out).read()
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; UserError if there is none."""
    import yaml

    text = read_text_file(path, "sweep file")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        raise UserError(f"the sweep file '{path}' is no YAML{where}; check it.") from error
    if not isinstance(content, dict):
        raise UserError(f"the sweep file '{path}' holds no keys; docs/sweeps.md shows one.")
    return content


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path, content: Mapping[str, Any], out: Path | None) -> None:
        require_known(content, _KEYS, "key")
        self.path, self.content = path, content
        self.out = out or Path(str(content.get("out") or Path("runs") / path.stem))
        self.command = str(content.get("command", "train"))
        if self.command not in COMMANDS:
            raise UsageError(
                f"command: '{shorten(self.command)}' is none of {', '.join(COMMANDS)}."
            )
        self.processes = _read_count(content, "processes", 1, smallest=1)

    def read(self) -> Sweep:
        content = self.content
        search = read_search(content)
        runs = [] if search is not None else self._list_runs()
        if len({run.identity for run in runs}) < len(runs):
            runs = list({run.identity: run for run in reversed(runs)}.values())[::-1]
        budget = content.get("budget")
        if search is not None:
            variants = self._variants()
            if len(variants) > 1:
                raise UsageError("variants: a search draws from `grid` alone; leave them out.")
            search.bind(lambda settings: self._make_run("", settings, list(settings)))
        return Sweep(
            path=self.path,
            out=self.out,
            runs=runs,
            retries=_read_count(content, "retries", 0),
            resources=_read_resources(content.get("resources")),
            fail_fast=_read_bool(content, "fail_fast"),
            budget=None if budget is None else read_duration(budget, "budget"),
            early_stop=_read_early_stop(content),
            search=search,
        )

    def _list_runs(self) -> list[PlannedRun]:
        grid = {}
        for name, values in flatten(self.content.get("grid"), "grid").items():
            if not isinstance(values, list) or not values:
                raise UsageError(f"grid: '{shorten(name)}' needs a list of values, as [1, 2].")
            grid[name] = values
        variants = self._variants()
        number = len(variants)
        for values in grid.values():
            number *= len(values)
        if number > MOST_RUNS:
            raise UsageError(f"{number} runs are more than {MOST_RUNS}; give fewer values.")
        return [
            self._make_run(
                variant, {**settings, **dict(zip(grid, values, strict=True))}, list(grid)
            )
            for variant, settings in variants.items()
            for values in itertools.product(*grid.values())
        ]

    def _variants(self) -> dict[str, dict[str, Any]]:
        variants = self.content.get("variants")
        if variants is None:
            return {"": {}}
        if not isinstance(variants, dict) or not variants:
            raise UsageError("variants: give names, each with its settings.")
        return {str(name): flatten(given, f"variants: {name}") for name, given in variants.items()}

    def _make_run(
        self, variant: str, settings: Mapping[str, Any], in_name: Sequence[str]
    ) -> PlannedRun:
        fixed = flatten(self.content.get("fixed"), "fixed")
        recipe = settings.get("recipe", fixed.get("recipe", self.content.get("recipe")))
        both = {**fixed, **settings}
        both.pop("recipe", None)
        if self.command == "train":
            words, key, shown = self._train(recipe, both)
        else:
            key, shown = _list_flags(both), both
            words = key
        varied = {}
        for name, value in settings.items():
            full = _full(self.command, name)
            varied[full] = shown.get(full, value)
        parts = [variant]
        parts += [f"{_last(name)}{_brief(varied[_full(self.command, name)])}" for name in in_name]
        return PlannedRun(
            name=make_name(parts),
            command=self.command,
            words=(*words, *self._track()),
            varied={"variant": variant, **varied} if variant else varied,
            processes=self.processes,
            key=tuple(key),
        )

    def _track(self) -> list[str]:
        """The words that name trackers; they are not part of a run's identity."""
        given = self.content.get("tracking")
        if given is None:
            return []
        if self.command != "train":
            raise UsageError("tracking: only training is tracked; leave it out.")
        return ["--tracking", *map(str, given if isinstance(given, list) else [given])]

    def _train(
        self, recipe: Any, settings: Mapping[str, Any]
    ) -> tuple[list[str], list[str], dict[str, Any]]:
        """The words, those of them that differ from the recipe, and all values."""
        if not isinstance(recipe, str):
            raise UsageError("recipe: name the recipe, as `recipe: streets-lite0`.")
        base = get_recipe(recipe)
        full = {find_setting(name): value for name, value in settings.items()}
        experiment = apply_settings(base, full)
        changes = list_changes(base, experiment)
        words = make_words(list_changes(base, experiment, full))
        shown = {
            name: getattr(getattr(experiment, name.split(".")[0]), name.split(".")[1])
            for name in full
        }
        return [recipe, *words], [recipe, *make_words(changes)], {"recipe": recipe, **shown}


def _full(command: str, name: str) -> str:
    return find_setting(name) if command == "train" and name != "recipe" else name


def _last(name: str) -> str:
    return "" if name == "recipe" else name.replace("-", "_").split(".")[-1]


def _brief(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(map(_brief, value))
    text = str(value)
    return Path(text).stem if "/" in text else show_value(value) if value is not None else "none"


def _list_flags(settings: Mapping[str, Any]) -> list[str]:
    """Words of a command other than train; false and null leave a flag out."""
    words: list[str] = []
    for name, value in settings.items():
        if name == "sources":
            words[:0] = map(str, value if isinstance(value, list) else [value])
            continue
        flag = "--" + name.removeprefix("--").replace("_", "-")
        if flag in ("--out", "--json"):
            raise UsageError(f"'{name}' is chosen by the sweep for each run; leave it out.")
        if value is None or value is False:
            continue
        values = value if isinstance(value, list) else [] if value is True else [value]
        words += [flag, *map(show_value, values)]
    return words


def _read_count(content: Mapping[str, Any], key: str, default: int, smallest: int = 0) -> int:
    try:
        number = convert(content.get(key, default), int)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{key}: {error}") from error
    if number < smallest:
        raise UsageError(f"{key}: {number} is too few; give {smallest} or more.")
    return int(number)


def _read_bool(content: Mapping[str, Any], key: str) -> bool:
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f"{key}: '{shorten(value)}' is neither true nor false.")
    return value


def _read_resources(content: Any) -> Resources:
    if content is None:
        return Resources()
    if not isinstance(content, dict):
        raise UsageError("resources: give cpus, gpus, memory or labels.")
    require_known(content, ("cpus", "gpus", "memory", "labels"), "resource")
    labels, memory = content.get("labels", {}), content.get("memory")
    if not isinstance(labels, dict):
        raise UsageError("resources: labels are names with values.")
    return Resources(
        cpus=_read_count(content, "cpus", 1, 1) if "cpus" in content else None,
        gpus=_read_count(content, "gpus", 0),
        memory=None if memory is None else read_memory(memory, "resources: memory"),
        labels={str(name): str(value) for name, value in labels.items()},
    )


def _read_early_stop(content: Mapping[str, Any]) -> EarlyStop | None:
    given = content.get("early_stop")
    if given is None or given is False:
        return None
    if not isinstance(given, dict):
        raise UsageError("early_stop: give patience, or median, and after.")
    require_known(given, ("patience", "median", "after"), "key of early_stop")
    metric = str(content.get("metric", "miou"))
    stop = EarlyStop(
        metric=metric,
        smaller_is_better="loss" in metric,
        patience=_read_count(given, "patience", 0),
        median=_read_bool(given, "median"),
        after=_read_count(given, "after", 1),
    )
    if not stop.patience and not stop.median:
        raise UsageError("early_stop: give `patience: N` or `median: true`.")
    return stop
