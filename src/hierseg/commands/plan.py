"""`hierseg plan RECIPE`: estimate what a run would need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.places import check_training
from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.recipes import settle_experiment
from hierseg.size import Size
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.labels import LabelSpace
    from hierseg.planning import Advice, Estimate


MOST_CLASSES = 255
"""Labels have eight bits, and one value stands for what is ignored."""


@dataclass(frozen=True)
class PlanFlags:
    """Flags of `hierseg plan` besides those of training."""

    gpu_memory: str | None = None
    """Memory of a GPU, such as 24G: the plan says whether the run fits, and if not, what would make
    it fit. Without this flag the plan is for this machine's CPU."""
    processes: int = 1
    """Number of processes; several need memory for communication. A batch of one image is always
    planned as part of a run in several."""
    image: Size | None = None
    """Size of an image at validation; by default that of the data set, or of its first image where
    --data.root is given."""
    classes: int | None = None
    """Number of classes; by default those of the data set."""


def plan(experiment: Experiment, flags: PlanFlags) -> None:
    """Estimate parameters, operations and memory of a training step and of an evaluation."""
    from hierseg.commands.progress import announce, show_progress

    experiment = settle_experiment(experiment)
    if experiment.data.root is not None:
        check_training(experiment)
    with announce("loading torch"):
        from hierseg import assembly as build
        from hierseg.planning import Planner, parse_memory

    limit = None if flags.gpu_memory is None else parse_memory(flags.gpu_memory)
    if flags.processes < 1:
        raise UsageError(f"--processes {flags.processes} runs nothing; give 1 or more.")
    # Neither data nor a run folder nor a GPU is needed to plan; all else must be as for training.
    runtime = replace(experiment.runtime, out=Path("plan"), device="cpu", resume=False)
    if limit is not None and runtime.precision == "fp16":
        runtime = replace(runtime, precision="bf16")  # of the same size
    planned = replace(experiment, runtime=runtime)
    root = experiment.data.root or Path("data")
    build.check_experiment(replace(planned, data=replace(planned.data, root=root)))
    space, size = _describe_data(planned, flags)
    if planned.data.full_crop:
        planned = replace(planned, data=replace(planned.data, crop=size))
    planner = Planner(space, size, flags.processes, limit)
    with show_progress("estimates") as move:
        result = planner.plan(planned, lambda done: move(done, max(2, done)))
    data, training, evaluation = planned.data, result.training, result.evaluation
    scales = " ".join(f"{scale:g}" for scale in planned.eval.scales or ()) or "its own scales"
    classes = count(space.num_classes, "class", "classes")
    print(f"{planned.model.name}, {classes}: {training.parameters / 1e6:.1f} M")
    print(f"training: steps of {data.batch} x {data.crop}, {training.flops / 1e12:.3g} TFLOPs each")
    print(f"evaluation: images of {size} at {scales}, {evaluation.flops / 1e12:.3g} TFLOPs each")
    _print_parts(training, evaluation, limit)
    for what, advice in (("training", result.for_training), ("evaluation", result.for_evaluation)):
        _print_advice(what, advice, limit)


def _describe_data(experiment: Experiment, flags: PlanFlags) -> tuple[LabelSpace, Size]:
    """The classes, and the size of an image at validation."""
    from hierseg import assembly as build
    from hierseg.data import find_factor, is_synthetic
    from hierseg.labels import CAMVID, CITYSCAPES, MAPILLARY, LabelSpace

    data = experiment.data
    known: dict[str, tuple[LabelSpace, Size]] = {
        "cityscapes": (CITYSCAPES, Size(1024, 2048)),
        "kitti": (CITYSCAPES, Size(375, 1242)),
        "camvid": (CAMVID, Size(360, 480)),
        "mapillary": (MAPILLARY, Size(2448, 3264)),  # a common one: its images are of many sizes
    }
    space, size = known.get(data.name, (None, None))
    if size is not None:  # as validation resizes its images
        short_edge = data.short_edge if data.val_short_edge is None else data.val_short_edge
        factor = find_factor(size, data.long_edge, short_edge, data.enlarge)
        size = Size(round(size.height * factor), round(size.width * factor))
    if data.root is not None or is_synthetic(data.name):
        found = build.build_datasets(experiment).val
        height, width = found.read(0).image.shape[:2]
        space, size = found.label_space, Size(height, width)
    elif data.val_crop is not None:
        size = data.val_crop
    if flags.classes is not None:
        if not 1 <= flags.classes <= MOST_CLASSES:
            raise UsageError(
                f"--classes {flags.classes} is out of range; give 1 to {MOST_CLASSES}."
            )
        names = tuple(f"class {number}" for number in range(flags.classes))
        colors = tuple((number % 256, 0, 0) for number in range(flags.classes))
        space = LabelSpace("planned", names, colors, tuple(range(flags.classes)))
    size = flags.image or size
    if space is None or size is None:
        missing = "--classes N" if space is None else "--image HEIGHTxWIDTH"
        raise UsageError(
            f"it is not known what '{data.name}' holds; give --data.root DIR, or {missing}."
        )
    return space, size


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}" if count else ""


def _print_parts(training: Estimate, evaluation: Estimate, limit: int | None) -> None:
    from rich import box
    from rich.table import Table

    from hierseg.commands.progress import make_console

    table = Table("GiB", "training", "evaluation", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    both = (training, evaluation)
    for name in dict.fromkeys([*training.parts, *evaluation.parts]):
        if any(estimate.parts.get(name) for estimate in both):
            table.add_row(name, *(_gib(estimate.parts.get(name, 0)) for estimate in both))
    table.add_row("in all", *(_gib(estimate.total) for estimate in both), style="bold")
    if limit is not None:
        fits = ("fits" if estimate.total <= limit else "does not fit" for estimate in both)
        table.add_row(f"into {_gib(limit)}", *fits)
    table.add_row("waiting batches, in main memory", _gib(training.loader), "")
    console = make_console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)


def _print_advice(what: str, advice: tuple[Advice, ...] | None, limit: int | None) -> None:
    if limit is None or advice is None:
        return
    if not any(found.estimate.total <= limit for found in advice):
        print(f"none of the changes that were tried makes the {what} fit.")
    for found in advice:
        fits = "fits" if found.estimate.total <= limit else "does not fit"
        print(f"{what} with {found.flags}: {_gib(found.estimate.total)} GiB, {fits}")
