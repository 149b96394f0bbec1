"""Reads the original's sweep files: entries and their product, tags, and the launch command."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hierseg.errors import UsageError, UserError, shorten
from hierseg.files import read_text_file
from hierseg.sweeps.original.evaluation import translate_evaluation
from hierseg.sweeps.original.flags import describe_dead, refuse_unsupported, require_known_flags
from hierseg.sweeps.original.training import translate_training
from hierseg.sweeps.plan import PlannedRun, Sweep, make_name
from hierseg.sweeps.resolving import show_value

MOST_RUNS = 10_000
TAG, SKIP = "RUNX.TAG", "RUNX.SKIP"
_PROCESSES = re.compile(r"--nproc[_-]per[_-]node")


def is_original(content: Mapping[str, Any]) -> bool:
    """Whether the content is that of an original's sweep file."""
    return "HPARAMS" in content or "CMD" in content


class Launch(NamedTuple):
    """The launch command ``CMD``: processes on each machine, machines, and flags."""

    processes: int
    machines: int
    flags: dict[str, Any]


class Entry(NamedTuple):
    """One run: all its flags, those that vary in its entry, and its tag."""

    values: dict[str, Any]
    varied: dict[str, Any]
    tag: str


def read_original(path: Path, content: Mapping[str, Any], out: Path | None) -> Sweep:
    """The runs of an original's sweep file.

    Raises:
        UsageError: A flag is unknown (the message names the nearest), its value is not valid, or
            hierseg has no equivalent.
    """
    for key in content:
        if key not in ("CMD", "HPARAMS"):
            raise UsageError(f"there is no key '{shorten(key)}'; the file has CMD and HPARAMS.")
    launch = read_launch(content.get("CMD"))
    root = out or _find_log_root(path) / path.stem
    runs: dict[str, PlannedRun] = {}
    notes: dict[str, None] = {}
    for entry in list_entries(content.get("HPARAMS"), launch.flags):
        run, said = _translate(entry, launch)
        if run.identity not in runs and len(runs) >= MOST_RUNS:
            raise UsageError(f"HPARAMS: more than {MOST_RUNS} runs; give fewer values.")
        runs.setdefault(run.identity, run)
        notes |= dict.fromkeys(said)
    if launch.machines > 1:
        notes[
            f"CMD is for {launch.machines} machines; here each run takes {launch.processes} "
            "processes of one: docs/clusters.md has runs over several."
        ] = None
    return Sweep(path, root, list(runs.values()), list(notes), is_translated=True)


def _translate(entry: Entry, launch: Launch) -> tuple[PlannedRun, list[str]]:
    """The run of an entry, and notes about it."""
    values = entry.values
    require_known_flags([name for name in values if "." not in name])
    refuse_unsupported(values)
    notes = describe_dead(values)
    if "eval" in values:
        command, words, panels, more = translate_evaluation(values)
        key = words
    else:
        command, panels = "train", False
        words, key, more = translate_training(values)
    parts = [f"{name}{show_value(value)}" for name, value in entry.varied.items()]
    run = PlannedRun(
        name=make_name([entry.tag] if entry.tag else parts),
        command=command,
        words=tuple(words),
        varied=entry.varied,
        processes=launch.processes,
        saves_panels=panels,
        key=tuple(key),
    )
    return run, [*notes, *more]


def read_launch(command: Any) -> Launch:
    """Read a launch command.

    Raises:
        UsageError: It is not a string, or does not start ``train.py``.
    """
    if not isinstance(command, str):
        raise UsageError("CMD: give the launch command, as 'python train.py'.")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"CMD: {error}.") from error
    scripts = [position for position, word in enumerate(words) if word.endswith(".py")]
    if not scripts:
        raise UsageError("CMD: it starts no script; give 'python train.py', or the launcher's.")
    script = scripts[-1]
    launcher = [part for word in words[:script] for part in word.split("=", 1)]
    numbers = {"processes": 1, "machines": 1}
    for position, word in enumerate(launcher[:-1]):
        key = (
            "processes" if _PROCESSES.fullmatch(word) else "machines" if word == "--nnodes" else ""
        )
        if key:
            value = launcher[position + 1]
            if not value.isdigit() or int(value) < 1:
                raise UsageError(f"CMD: {word} {shorten(value)} is no number of processes.")
            numbers[key] = int(value)
    return Launch(numbers["processes"], numbers["machines"], _read_flags(words[script + 1 :]))


def _read_flags(words: list[str]) -> dict[str, Any]:
    """The flags after the script's name."""
    flags: dict[str, Any] = {}
    last = ""
    for word in words:
        if word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            flags[name] = value if has_value else True
            last = "" if has_value else name
        elif last:
            given = flags[last]
            flags[last] = word if given is True else f"{given} {word}"
        else:
            raise UsageError(f"CMD: '{shorten(word)}' is no flag.")
    return flags


def list_entries(params: Any, base: Mapping[str, Any]) -> Iterator[Entry]:
    """The runs of ``HPARAMS``. Entries inherit from the first one; lists give products.

    Args:
        params: A dict of flags, or a list of them.
        base: Flags of the launch command.
    """
    entries = params if isinstance(params, list) else [params]
    if not entries or not all(isinstance(entry, dict) and entry for entry in entries):
        raise UsageError("HPARAMS: give flags with values, or a list of such entries.")
    first = {name: value for name, value in entries[0].items() if name != SKIP}
    for position, entry in enumerate(entries):
        if entry.get(SKIP):
            continue
        merged = {**base, **(first if position else {}), **entry}
        merged.pop(SKIP, None)
        tag = merged.pop(TAG, None)
        lists = {name: value for name, value in merged.items() if isinstance(value, list)}
        for name, value in lists.items():
            if not value:
                raise UsageError(f"HPARAMS: '{shorten(name)}' has an empty list; give a value.")
        for chosen in itertools.product(*lists.values()):
            varied = dict(zip(lists, chosen, strict=True))
            values = {str(name): value for name, value in {**merged, **varied}.items()}
            if any(name.startswith("RUNX.") for name in values):
                raise UsageError(f"HPARAMS: of RUNX there are {TAG} and {SKIP} alone.")
            kept = {name: value for name, value in values.items() if not _is_left_out(value)}
            yield Entry(kept, varied, _fill(tag, values))


def _is_left_out(value: Any) -> bool:
    return value is None or value is False or value == "None"


def _fill(tag: Any, values: Mapping[str, Any]) -> str:
    """A tag with ``{flag}`` filled in."""
    if _is_left_out(tag):
        return ""

    def find(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(f"{TAG}: there is no flag '{shorten(match[1])}' in its entry.")
        return str(values[match[1]])

    return re.sub(r"\{([^{}]*)\}", find, str(tag))


def _find_log_root(path: Path) -> Path:
    """``LOGROOT`` of a file ``.runx`` beside the sweep file or in the current folder; else
    ``runs``.
    """
    import yaml

    for place in (path.parent / ".runx", Path(".runx")):
        if not place.is_file():
            continue
        try:
            content = yaml.safe_load(read_text_file(place, "settings"))
        except yaml.YAMLError as error:
            raise UserError(
                f"'{place}' is no YAML; check it, or name the folder with --out."
            ) from error
        root = content.get("LOGROOT") if isinstance(content, dict) else None
        if isinstance(root, str) and root:
            return Path(root).expanduser()
    return Path("runs")
