"""From a folder to a model and its page: inspect, check, plan, train, evaluate, show."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hierseg.assembly import choose_device
from hierseg.checkpoint import annotate_checkpoint, load_model, open_weights
from hierseg.data import (
    CheckReport,
    check_data,
    open_dataset,
    recognise_folder,
    write_own_data,
)
from hierseg.errors import UserError, make_printable
from hierseg.evaluation import evaluate, require_counted
from hierseg.files import FolderLock
from hierseg.finetuning.choices import Choices
from hierseg.finetuning.machine import Machine, find_machine
from hierseg.finetuning.page import Shown, describe_shares, write_result_page
from hierseg.finetuning.plan import make_experiment, make_plan
from hierseg.finetuning.ranking import Ranking
from hierseg.finetuning.record import (
    DATA,
    TRAINING,
    Record,
    read_record,
    require_free,
    require_same,
)
from hierseg.media import PaletteName, recolor
from hierseg.models import list_models, name_network
from hierseg.size import Size
from hierseg.training import Observer, train

BEST = "best.safetensors"
MASKS = "masks"
SHOWN_IMAGES = 6
"""Images on the page with the lowest IoU, and as many with the highest."""
MOST_READERS = 8
Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class FinetuneResult:
    """The result of a fine-tuning.

    Attributes:
        folder: The run folder, which every command takes as weights.
        weights: The checkpoint file.
        page: The page of the result.
        miou: Mean IoU on the held-out images, in [0, 1].
        pixel_accuracy: Share of their counted pixels whose label is right, in [0, 1].
        split: The split of the held-out images.
        images: Number of held-out images.
        per_class: Class -> IoU in [0, 1]; None for a class that does not occur.
    """

    folder: Path
    weights: Path
    page: Path
    miou: float
    pixel_accuracy: float
    split: str
    images: int
    per_class: dict[str, float | None]


def finetune(
    folder: Path,
    out: Path,
    choices: Choices,
    observers: Sequence[Observer] = (),
    say: Say = lambda line: None,
    on_progress: Progress = lambda what, done, total: None,
    palette: PaletteName = "dataset",
) -> FinetuneResult:
    """Fine-tune weights on a folder of images and masks.

    An interrupted run is continued; a completed one is evaluated again.

    Args:
        folder: The folder of the data.
        out: The run folder.
        choices: The user's settings.
        observers: Notified of the training's progress.
        say: Called with lines for the user.
        on_progress: Called with (the activity, items done, items in all).
        palette: Colours of classes on the page.

    Raises:
        UserError: The folder cannot be used; the message names the cure.
        UsageError: ``out`` holds another run or other files.
    """
    record = read_record(out)
    if record is None:
        require_free(out)
    else:
        require_same(record, folder, choices, out)
    with FolderLock(out):
        if record is None:
            record = _begin(folder, out, choices, say, on_progress)
        else:
            done = ", is done and is evaluated again" if record.result else " goes on"
            say(f"{record.understood}\n{record.plan.describe()}\nthe run in {out}{done}")
        if not (out / BEST).is_file():
            with _own_words():
                _train(record, out, choices, observers)
        return _evaluate(record, out, choices, say, on_progress, palette)


def _begin(folder: Path, out: Path, choices: Choices, say: Say, on_progress: Progress) -> Record:
    """Inspect and check the data, make the plan, and write the record."""
    model = find_model(choices.weights)
    machine = find_machine(choices.device)
    data = recognise_folder(folder, out / DATA / MASKS, choices.seed, on_progress)
    say(data.describe())
    description = write_own_data(data, out / DATA)
    _check(description, machine, say, on_progress)
    largest = Size(*(max(sides) for sides in zip(*data.sizes, strict=True)))
    space = open_dataset(description, split="train").label_space
    has_classes = open_weights(choices.weights).has_classes_of(space)
    plan = make_plan(data.splits["train"], largest, machine, choices, has_classes)
    say(plan.describe())
    record = Record(
        folder=str(folder.absolute()),
        choices=choices.to_dict(),
        model=model,
        plan=plan,
        understood=data.describe(),
        shares=describe_shares(data),
        splits=data.splits,
    )
    record.write(out)
    return record


def find_model(weights: str) -> str:
    """The registry name of the weights' network; UserError if it has none."""
    header = open_weights(weights).header
    named = header.record.get("model")
    if named in list_models():
        return str(named)
    name = name_network(header.builder, header.arguments)
    if name is not None:
        return name
    raise UserError(
        f"{weights} holds a network that `hierseg models` does not list; fine-tune it with "
        "`hierseg train`, or name other --weights."
    )


def _check(description: Path, machine: Machine, say: Say, on_progress: Progress) -> None:
    """Check the data: UserError for the first problem; warnings are reported."""
    report = CheckReport(str(description))
    check_data(
        report,
        None,
        workers=min(MOST_READERS, machine.cores),
        on_progress=lambda done, total: on_progress("checking", done, total),
    )
    problems = [
        *report.problems,
        *(one for split in report.splits for one in split.list_problems()),
    ]
    if problems:
        raise UserError(problems[0])
    warnings = [*report.list_warnings()]
    warnings += [one for split in report.splits for one in split.list_warnings()]
    for warning in dict.fromkeys(warnings):
        say(f"warning  {warning}")


def _train(record: Record, out: Path, choices: Choices, observers: Sequence[Observer]) -> None:
    """Train, or continue, and write the run folder's weights."""
    folder = out / TRAINING
    experiment = make_experiment(
        record.plan, choices, record.model, out / DATA / "data.yaml", folder
    )
    if any((folder / "states").glob("step-*.pt")):
        runtime = dataclasses.replace(experiment.runtime, resume=True)
        experiment = dataclasses.replace(experiment, runtime=runtime)
    elif folder.is_dir():  # of a run that wrote no checkpoint
        shutil.rmtree(folder)
    result = train(experiment, observers)
    best = result.best_weights or result.last_weights
    assert best is not None
    network = load_model(best)
    annotate_checkpoint(best, out / BEST, network, {"long_edge": record.plan.long_edge})


def _evaluate(
    record: Record,
    out: Path,
    choices: Choices,
    say: Say,
    on_progress: Progress,
    palette: PaletteName,
) -> FinetuneResult:
    split = "test" if "test" in record.splits else "val"
    dataset = open_dataset(out / DATA / "data.yaml", split=split)
    dataset.label_space = recolor(dataset.label_space, palette)
    ranking = Ranking(dataset, SHOWN_IMAGES)
    network = load_model(out / BEST)
    result = evaluate(
        network,
        dataset,
        device=choose_device(choices.device, "--device"),
        on_progress=lambda done, total: on_progress("evaluating", done, total),
        watchers=[ranking],
    )
    require_counted(result)
    shown = Shown(
        name=Path(record.folder).name,
        weights=str(choices.weights),
        understood=record.understood,
        plan=record.plan,
        shares=record.shares,
        training=out / TRAINING,
        command=describe_use(out),
    )
    page = write_result_page(shown, result, dataset, ranking, out)
    summary = result.to_json()
    dataclasses.replace(record, result=summary).write(out)
    return FinetuneResult(
        folder=out,
        weights=out / BEST,
        page=page,
        miou=result.scores.miou,
        pixel_accuracy=result.scores.pixel_accuracy,
        split=split,
        images=result.images,
        per_class=summary["per_class"],
    )


def describe_use(out: Path) -> str:
    """The command that predicts with the weights of a run folder."""
    return f"hierseg predict PICTURES --weights {shlex.quote(str(out))} --out predictions"


@contextmanager
def _own_words() -> Iterator[None]:
    """Translate messages of the training, which name its flags, to this command's flags."""
    try:
        yield
    except (UserError, KeyboardInterrupt) as error:
        text = str(error)
        for theirs, ours in (
            ("continue with --runtime.resume", "repeat the command to go on"),
            ("start it again", "repeat the command"),
            ("another --runtime.out", "another --out"),
            ("--runtime.out", "--out"),
            ("--optim.lr", "--lr"),
            ("--optim.epochs", "--epochs"),
            ("--data.batch", "--batch"),
        ):
            text = text.replace(theirs, ours)
        if text == str(error):
            raise
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(text) from error
        changed = UserError(make_printable(text))
        changed.exit_status = error.exit_status
        raise changed from error
