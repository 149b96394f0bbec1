"""Reads the file by which a user describes data; an error names the key that is wrong.

Its schema is in docs/datasets.md. The file is not trusted: whatever it holds, reading it ends with
a description or a UserError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg.data.base import Statistics
from hierseg.data.described.classes import read_classes, read_palette
from hierseg.data.described.documents import read_document
from hierseg.data.described.keys import check_keys
from hierseg.data.label_numbers import Palette
from hierseg.data.pairs import NO_SOURCE, Source
from hierseg.errors import UserError, make_printable, shorten
from hierseg.labels import Color, LabelSpace

KEYS = (
    "name", "root", "classes", "ignore", "encoding", "mean", "std", "splits", "images", "labels",
    "pairs", "split", "palette",
)  # fmt: skip
SOURCE_KEYS = ("images", "labels", "pairs")

Rule = float | tuple[str, ...]
"""A share of the images, or patterns of their names."""


@dataclass(frozen=True)
class Description:
    """What a file says of a data set.

    Attributes:
        path: The file.
        name: What results call the data set.
        root: The folder that its patterns start from, relative to the file's folder.
        label_space: The classes.
        colors: RGB -> train id or ignore, where label maps hold colours; None where they hold ids.
        statistics: Mean and standard deviation, None where the file gives none.
        splits: Split -> where its pairs are; empty where one source is split by a rule.
        source: That one source.
        rules: Split -> the share or the patterns of its images; train has the rest.
        seed: Seed of the shares.
        palette: What label maps with a palette of greys hold; None where the file does not say.
        ignore_is_assumed: Whether the file leaves open which ids are ignored.
    """

    path: Path
    name: str
    root: str
    label_space: LabelSpace
    colors: dict[Color, int] | None
    statistics: Statistics | None
    splits: dict[str, Source] = field(default_factory=dict)
    source: Source = NO_SOURCE
    rules: dict[str, Rule] = field(default_factory=dict)
    seed: int = 0
    palette: Palette | None = None
    ignore_is_assumed: bool = False


def read_description(path: Path) -> Description:
    """Read a description; UserError names the file and what is wrong in it."""
    given = _load(path)
    where = f"'{path}'"
    check_keys(given, KEYS, where)
    name = given.get("name", path.stem)
    root = given.get("root", ".")
    if not isinstance(name, str) or not isinstance(root, str):
        raise UserError(f"{where}: name and root must be text.")
    name = make_printable(name)  # results and tables show it
    space, colors = read_classes(given, name, where)
    rules, seed = _read_rules(given.get("split", {}), where)
    splits = _read_splits(given.get("splits", {}), where)
    source = _read_source({key: given[key] for key in SOURCE_KEYS if key in given}, where)
    if bool(splits) == (source != NO_SOURCE) or (splits and rules):
        raise UserError(
            f"{where} must say in one way where images are; give either splits, or images and "
            "labels (or pairs) with split."
        )
    statistics = _read_statistics(given, where)
    return Description(
        path, name, root, space, colors, statistics, splits, source, rules, seed,
        read_palette(given, where), colors is None and "ignore" not in given,
    )  # fmt: skip


def _load(path: Path) -> dict[str, Any]:
    try:
        given = read_document(path, "description")
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise UserError(
                f"there is no file '{path}'; check --data (--data.name in training)."
            ) from error
        raise
    if not isinstance(given, dict):
        raise UserError(f"'{path}' describes no data; give it keys such as classes and images.")
    return given


def _read_splits(given: Any, where: str) -> dict[str, Source]:
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise UserError(f"{where}: splits must give images and labels, or pairs, by split.")
    for name, entry in given.items():
        if entry == {}:
            raise UserError(
                f"{where}: split {shorten(name)} is empty; give images and labels, or pairs."
            )
    return {
        name: _read_source(entry, f"{where}: split {shorten(name)}")
        for name, entry in given.items()
    }


def _read_source(given: Any, where: str) -> Source:
    if not isinstance(given, dict):
        raise UserError(f"{where} has no keys; give images and labels, or pairs.")
    check_keys(given, SOURCE_KEYS, where)
    if not all(isinstance(value, str) and value for value in given.values()):
        raise UserError(f"{where}: images, labels and pairs must be text: patterns, or a file.")
    if given and ("pairs" in given) == ("images" in given):
        raise UserError(f"{where} needs either images with labels, or pairs (a csv).")
    if "pairs" in given and "labels" in given:
        raise UserError(f"{where} has labels beside pairs; remove labels, as the csv has them.")
    return Source(**given)


def _read_rules(given: Any, where: str) -> tuple[dict[str, Rule], int]:
    if not isinstance(given, dict):
        raise UserError(f"{where}: split must give shares or patterns, as in {{val: 0.2}}.")
    rules: dict[str, Rule] = {}
    seed = given.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise UserError(f"{where}: the seed of split must be an integer.")
    for name, rule in given.items():
        if name == "seed":
            continue
        if isinstance(rule, float) and 0 < rule < 1:
            rules[str(name)] = rule
        elif isinstance(rule, list) and rule and all(isinstance(item, str) for item in rule):
            rules[str(name)] = tuple(rule)
        else:
            raise UserError(
                f"{where}: split {shorten(name)} must be a share between 0 and 1, or a list of "
                "patterns of names."
            )
    if "train" in rules:
        raise UserError(f"{where}: train gets what the other splits leave; remove it from split.")
    if sum(rule for rule in rules.values() if isinstance(rule, float)) >= 1:
        raise UserError(f"{where}: the shares of split leave nothing to train on; reduce them.")
    return rules, seed


def _read_statistics(given: dict[str, Any], where: str) -> Statistics | None:
    if "mean" not in given and "std" not in given:
        return None
    values = [given.get(key) for key in ("mean", "std")]
    for numbers, lowest in zip(values, (0.0, 1e-6), strict=True):
        if not (
            isinstance(numbers, list)
            and len(numbers) == 3
            and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
            and all(lowest <= n <= 1 for n in numbers)
        ):
            raise UserError(
                f"{where}: mean and std must be three numbers each, for red, green and blue in 0 "
                "to 1."
            )
    mean, std = (tuple(float(n) for n in numbers or ()) for numbers in values)
    return Statistics(mean, std)
