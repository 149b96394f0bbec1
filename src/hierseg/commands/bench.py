"""`hierseg bench`: time the engines on this machine, and show the remembered trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.commands.places import check_picture, check_result, write_result
from hierseg.errors import UsageError, make_printable
from hierseg.options import RunOptions, show_scales
from hierseg.size import Size
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.engines import Trial
    from hierseg.planning import Row

EngineName = Literal["auto", "torch", "compile", "onnxruntime", "openvino"]
PrecisionName = Literal["float32", "bf16", "fp16", "int8"]
SIZES = ("360x480", "512x1024")
NOTHING_RAN = 1


def bench(
    *,
    weights: str | None = None,
    sizes: tuple[str, ...] = SIZES,
    scales: tuple[float, ...] | None = None,
    engines: tuple[EngineName, ...] | None = None,
    precision: tuple[PrecisionName, ...] | None = None,
    repeats: int = 5,
    device: str = "auto",
    json: Path | None = None,
    plot: Path | None = None,
    overwrite: bool = False,
    remembered: bool = False,
    forget: bool = False,
) -> int:
    """Time the engines that can run a network on this machine, and say how far each agrees with
    torch in float32.

    Each engine runs a scene of Miniature Streets in its own process, so that a crash loses only its
    row. Exit status: 0 if any engine ran, 1 if none did, 2 wrong usage.

    Args:
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        sizes: HEIGHTxWIDTH of the images.
        scales: Scales of the image; by default the weights' own.
        engines: Engines to time; by default auto, torch, and onnxruntime and openvino if they are
            installed. compile may compile for minutes.
        precision: Precisions of each engine except auto; by default float32 and bf16, on a GPU also
            fp16.
        repeats: Number of timed runs of each, whose median is shown.
        device: auto, cpu, or cuda.
        json: Also write the figures to this file.
        plot: Also draw them as a chart, to this file (.png).
        overwrite: Replace the files of --json and --plot, whatever wrote them.
        remembered: Instead show what `--engine auto` has tried on this machine and what it has
            chosen.
        forget: Instead remove these trials and their compiled graphs; the next run tries again.
    """
    if remembered or forget:
        return _tell_trials(forget)
    places = (json, plot)
    parsed = [Size.parse(size) for size in dict.fromkeys(sizes)]
    if not parsed:
        raise UsageError("--sizes names no size; give one, such as --sizes 512x1024.")
    if repeats < 1:
        raise UsageError(f"--repeats {repeats} times nothing; give 1 or more.")
    RunOptions(scales=scales).resolve()
    _check_places(*places, overwrite)
    rows = _compare(weights, parsed, scales, engines, precision, repeats, device)
    _print_rows(rows)
    _write(rows, weights, *places)
    return 0 if any(row.finding is not None for row in rows) else NOTHING_RAN


def _check_places(json: Path | None, plot: Path | None, overwrite: bool) -> None:
    check_result("--json", json, "bench", overwrite)
    check_picture("--plot", plot, "bench", overwrite)


def _compare(
    weights: str | None,
    sizes: Sequence[Size],
    scales: tuple[float, ...] | None,
    engines: tuple[EngineName, ...] | None,
    precision: tuple[PrecisionName, ...] | None,
    repeats: int,
    device: str,
) -> list[Row]:
    from hierseg.commands.progress import announce, show_progress

    with announce("loading torch"):
        from hierseg.assembly import choose_device
        from hierseg.checkpoint import find_weights, open_weights
        from hierseg.planning import Request, compare_engines

    source = str(find_weights(weights))  # before each engine finds that there are none
    if open_weights(weights).kind == "graph":
        return _time_graph(source, sizes, scales, repeats, bool(engines or precision))
    place = str(choose_device(device, "--device"))
    chosen = _list_engines() if engines is None else engines
    precisions: Sequence[PrecisionName] = precision or (
        ("float32", "bf16") if place == "cpu" else ("float32", "bf16", "fp16")
    )
    requests = [
        Request(source, place, engine, kind, str(size), scales, repeats, "")
        for size in sizes
        for engine, kind in _list_pairs(chosen, precisions)
    ]
    with show_progress("engines") as move:
        return compare_engines(requests, move)


def _time_graph(
    source: str,
    sizes: Sequence[Size],
    scales: tuple[float, ...] | None,
    repeats: int,
    asked: bool,
) -> list[Row]:
    """An exported graph has one engine and one precision."""
    from hierseg.commands.progress import show_progress
    from hierseg.engines import find_runner, read_graph_header
    from hierseg.planning import Request, compare_engines

    if asked:
        raise UsageError(
            f"--engines and --precision are for networks, and {source} is an exported graph; leave "
            "them out."
        )
    about, engine = read_graph_header(source), find_runner(source)
    requests = [
        Request(source, "cpu", engine, about.precision, str(size), scales, repeats, "")
        for size in sizes
    ]
    with show_progress("engines") as move:
        return compare_engines(requests, move)


def _list_pairs(engines: Sequence[str], precisions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Engines and precisions, the reference first."""
    yield "torch", "float32"
    for engine in dict.fromkeys(engines):
        for kind in ("auto",) if engine == "auto" else dict.fromkeys(precisions):
            if (engine, kind) != ("torch", "float32"):
                yield engine, kind


def _list_engines() -> tuple[EngineName, ...]:
    from importlib.util import find_spec

    optional: tuple[EngineName, ...] = ("onnxruntime", "openvino")
    return ("auto", "torch", *(name for name in optional if find_spec(name) is not None))


def _print_rows(rows: Sequence[Row]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from hierseg.commands.progress import make_console

    heads = (
        "image",
        "engine",
        "ms",
        "images/s",
        "GFLOP/s",
        "of peak",
        "GB",
        "labels",
        "confidence",
    )
    table = Table(*heads, "first, s", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        found = row.finding
        if found is None:
            continue
        table.add_row(
            row.size,
            row.name,
            f"{found.milliseconds:.0f}",
            f"{1000 / found.milliseconds:.2f}",
            "" if row.rate is None else f"{row.rate / 1e9:.0f}",
            "" if row.share is None else f"{100 * row.share:.0f} %",
            f"{found.peak / 1e9:.2f}",
            "" if row.equal is None else f"{100 * row.equal:.2f} %",
            "" if row.difference is None else f"{row.difference:.3f}",
            f"{found.first:.1f}",
        )
    console = make_console()
    if not console.is_terminal:
        console.width = 140
    if table.row_count:
        console.print(table)
        print(
            "ms: median of an image from pixels to labels; of peak: of this machine's matrix "
            "products in that precision; labels: equal to those of torch float32; confidence: "
            "largest difference from it."
        )
    for row in rows:
        if row.finding is None:
            console.print(escape(make_printable(f"{row.size} {row.name}: {row.reason}")))


def _write(rows: Sequence[Row], weights: str | None, json: Path | None, plot: Path | None) -> None:
    from hierseg.planning import describe_machine, describe_rows, draw_comparison

    name = "the model in the box" if weights is None else weights
    if json is not None:
        content = {"weights": name, "machine": describe_machine(), "rows": describe_rows(rows)}
        write_result(json, content, "bench")
    if plot is not None:
        from hierseg.media import write_figure

        write_figure(plot, draw_comparison(rows, f"{Path(name).name}: engines"), "bench")
        print(f"chart: {plot.resolve().as_uri()}")


def _tell_trials(forget: bool) -> int:
    """Show, or remove, what ``auto`` remembers."""
    from hierseg.commands.progress import announce

    with announce("loading torch"):
        from hierseg.engines import clear_trials, list_trials

    trials = list_trials()
    if forget:
        clear_trials()
        print(f"{count(len(trials), 'trial')} forgotten.")
        return 0
    if not trials:
        print("nothing is remembered; `hierseg predict` tries the engines when it first needs to.")
    for trial in trials:
        print(make_printable(_describe_trial(trial)))
    return 0


def _describe_trial(trial: Trial) -> str:
    """A line: what was tried, and what came of it."""
    about = trial.about
    height, width = about["size"]
    return (
        f"{about['weights']}, images up to {height}x{width} at {show_scales(about['scales'])}: "
        f"{trial.describe()}"
    )
