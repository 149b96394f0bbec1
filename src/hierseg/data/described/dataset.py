"""A user's own data, described by a YAML or JSON file (docs/datasets.md has its schema)."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from hierseg.data.archive import is_folder
from hierseg.data.base import Sample, SegmentationDataset, require_samples, require_split
from hierseg.data.datasets.splits import shuffle_names
from hierseg.data.described.color_labels import ColorLabelledDataset
from hierseg.data.described.description import Description, read_description
from hierseg.data.options import STANDARD, DataOptions
from hierseg.data.pairs import Pair, find_pairs
from hierseg.errors import UserError

SUFFIXES = (".yaml", ".yml", ".json")


def is_description(name: str) -> bool:
    """Whether the name of a data set is that of a file which describes one."""
    return name.lower().endswith(SUFFIXES)


def open_custom(
    path: Path, root: Path | None, split: str, options: DataOptions = STANDARD
) -> SegmentationDataset:
    """A split of the data that a file describes.

    Args:
        path: The YAML or JSON file.
        root: The folder that its patterns start from; None takes what the file says.
        split: A split that it describes.
        options: Options; cross-validation and other kinds of labels are refused.

    Raises:
        UserError: The file is wrong; the message names it and the key or row.
    """
    text = read_description(path)
    options.require_plain(f"'{path}'")
    base = path.parent / text.root if root is None else root
    if not is_folder(base):
        raise UserError(f"'{base}' is not a folder; set root in '{path}', or --root, to one.")
    pairs, note = _choose_pairs(text, base, split)
    samples = [Sample(pair.name, pair.image, pair.label) for pair in pairs]
    require_samples(f"'{path}'", base, split, samples, "what the file describes")
    if text.colors is None:
        dataset = SegmentationDataset(text.name, split, text.label_space, samples)
    else:
        dataset = ColorLabelledDataset(text.name, split, text.label_space, samples)
        dataset.train_ids = text.colors
        dataset.label_rule = f"colors {sorted(text.colors.items())}"
    dataset.note, dataset.statistics = note, text.statistics
    dataset.palette, dataset.ignore_is_assumed = text.palette, text.ignore_is_assumed
    return dataset


def list_described(path: Path, root: Path | None) -> tuple[str, ...]:
    """The splits that a description names, or its csv; none where neither does."""
    text = read_description(path)
    if text.splits:
        return tuple(text.splits)
    if text.rules:
        return ("train", *text.rules)
    base = path.parent / text.root if root is None else root
    named = find_pairs(text.source, base, path) if is_folder(base) else []
    return tuple(dict.fromkeys(pair.split for pair in named if pair.split))


def _choose_pairs(text: Description, base: Path, split: str) -> tuple[list[Pair], str]:
    """The pairs of a split, and how they were chosen where chance did it."""
    where = f"'{text.path}'"
    if text.splits:
        require_split(where, split, list(text.splits))
        return find_pairs(text.splits[split], base, text.path), ""
    pairs = find_pairs(text.source, base, text.path)
    if text.rules:
        require_split(where, split, ["train", *text.rules])
        taken = _share_out([pair.name for pair in pairs], text)
        by_chance = any(isinstance(rule, float) for rule in text.rules.values())
        note = f"drawn from seed {text.seed}" if by_chance else ""
        return [pair for pair in pairs if taken.get(pair.name, "train") == split], note
    if not all(pair.split for pair in pairs):
        raise UserError(
            f"{where} does not say which images are for training; add split, as in "
            "split: {val: 0.2, seed: 0}, or a column split to the csv."
        )
    require_split(where, split, list(dict.fromkeys(pair.split for pair in pairs)))
    return [pair for pair in pairs if pair.split == split], ""


def _share_out(names: list[str], text: Description) -> dict[str, str]:
    """Name -> split, for those that a rule takes; patterns choose before shares do."""
    order = shuffle_names(names, text.seed)
    taken: dict[str, str] = {}
    for split, rule in sorted(text.rules.items(), key=lambda item: isinstance(item[1], float)):
        left = [name for name in order if name not in taken]
        if isinstance(rule, float):
            chosen = left[: max(1, round(rule * len(names)))]
        else:
            chosen = [n for n in left if any(fnmatch.fnmatchcase(n, p) for p in rule)]
        taken |= dict.fromkeys(chosen, split)
    return taken
