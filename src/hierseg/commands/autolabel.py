"""`hierseg autolabel`: labels for unlabelled images, in the form that training reads."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hierseg.commands.outlook import Outlook
from hierseg.commands.places import check_inputs
from hierseg.commands.runner import RunnerFlags, load_predictor, name_for_all, send_to
from hierseg.commands.running import name_weights, require_scales
from hierseg.distributed import join_processes
from hierseg.errors import UsageError, make_printable
from hierseg.options import WHOLE, RunOptions
from hierseg.processes import own_rank
from hierseg.urls import Mirrors, Staging, find_url
from hierseg.wording import count_were

if TYPE_CHECKING:
    from hierseg.autolabel import AutoSummary
    from hierseg.data import SegmentationDataset
    from hierseg.engines import Engine
    from hierseg.models import SegmentationNetwork

SOME_SKIPPED = 3
NOTHING_DONE = 1


def autolabel(
    data: str,
    out: Path,
    root: Path | None = None,
    split: str | None = None,
    weights: str | None = None,
    device: str = "auto",
    shard: str = "1/1",
    threshold: float = 0.5,
    overwrite: bool = False,
    how: RunOptions = WHOLE,
    where: RunnerFlags = RunnerFlags(),  # noqa: B008 - frozen
) -> int:
    """Label the images of a data set, or of any folder, with a trained network, for training.

    Writes hard labels in the data set's raw ids, and confidence as 8 bits, round(255 * p). The same
    command continues a run that was stopped. Several processes or machines share the work by
    --shard; afterwards the same command without --shard writes the summary of all. Exit status:
    0 all images were labelled, 3 some were skipped, 1 none could be labelled.

    Args:
        data: Data set: camvid, cityscapes, folder (also without labels), kitti, mapillary,
            mapillary-v2.0, or a file (.yaml, .json) that describes your own.
        out: Folder of the labels, SPLIT/NAME.png and SPLIT/NAME_prob.png. Training looks in
            ROOT/autolabelled; for another folder it needs --data.auto-root.
        root: Folder of the data set; not needed for a description file that names its own.
        split: Split to label; by default train_extra of cityscapes, train of the others.
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        device: auto, cpu, or cuda.
        shard: Label part i of n of the images, given as i/n.
        threshold: Confidence from which the summary counts a pixel as kept.
        overwrite: Also replace files that no earlier run of this command wrote.
        how: How the network is run.
        where: Where images are run.
    """
    from hierseg.commands.progress import announce

    if find_url(out) is not None and shard != "1/1":
        raise UsageError("--shard needs a local folder, and --out is a URL; leave out --shard.")
    with Staging() as staging:
        with announce("looking at what is there"):
            out, root = staging.bring_out(out), staging.bring_root(root)
        asked = _Asked(data, out, root, _choose_split(data, split), weights, device, shard)
        return _label(asked, threshold, overwrite, how, where, staging.mirrors)


class _Asked(NamedTuple):
    """What is to be labelled, as ``autolabel`` describes it."""

    data: str
    out: Path
    root: Path | None
    split: str
    weights: str | None
    device: str
    shard: str


def _label(
    asked: _Asked,
    threshold: float,
    overwrite: bool,
    how: RunOptions,
    where: RunnerFlags,
    mirrors: Mirrors,
) -> int:
    from hierseg.commands.progress import announce, make_console

    data, out, root, split, weights, device, shard = asked
    check_inputs(data, root, split, weights)
    with announce("loading torch"):
        from hierseg.autolabel import Shard
        from hierseg.autolabel import autolabel as run
        from hierseg.commands.chosen import choose_space
        from hierseg.engines import keep_freed_memory
        from hierseg.inference import Predictor

    part = Shard.parse(shard)
    _check_threshold(threshold)
    where.check()
    how = how.resolve()
    require_scales(weights, how)
    with join_processes():
        network, dataset = _load(data, root, split, weights, device)
        keep_freed_memory()
        space = choose_space(network, dataset)
        predictor = Predictor(network, label_space=space, options=how)
        predictor.require_confidence("labelling for training")
        load = functools.partial(load_predictor, name_for_all(weights), device, space, how)
        console = make_console(stderr=True)
        with where.open(device) as workers:
            sent = send_to(workers, load)
            outlook = Outlook(name_weights(weights), predictor.segmenter, sent is None)
            summary = run(
                predictor, dataset, out, part, threshold, root, console, overwrite, sent,
                mirrors, outlook.say,
            )  # fmt: skip
        return _report(summary) if own_rank() == 0 else 0


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise UsageError(f"--threshold {threshold:g} is not a confidence; give one from 0 to 1.")


def _choose_split(data: str, split: str | None) -> str:
    return split or ("train_extra" if data == "cityscapes" else "train")


def _load(
    data: str, root: Path | None, split: str, weights: str | None, device: str
) -> tuple[SegmentationNetwork | Engine, SegmentationDataset]:
    from hierseg.commands.progress import announce
    from hierseg.commands.running import load_runnable

    with announce("loading the weights and the data set"):
        network = load_runnable(weights, device)
        return network, _open(data, root, split, network)


def _open(
    data: str, root: Path | None, split: str, network: SegmentationNetwork | Engine
) -> SegmentationDataset:
    """The images; of a folder without classes of its own, they are the network's."""
    from hierseg.checkpoint import header_of
    from hierseg.data import open_dataset

    own = header_of(network).label_space
    dataset = open_dataset(data, root, split, label_space=own, keep_unpaired=True)
    if data == "folder" and root is not None and not (root / "labels.json").is_file():
        dataset.label_space = own  # with its raw ids, which the folder says nothing of
    return dataset


def _report(summary: AutoSummary) -> int:
    """Say what was found and skipped, and give the exit status."""
    from hierseg.autolabel import format_summary

    print(format_summary(summary))
    if not summary.skipped:
        return 0
    for image, reason in list(summary.skipped.items())[:5]:
        print(make_printable(f"skipped {image}: {reason}"), file=sys.stderr)
    print(f"{count_were(len(summary.skipped), 'image')} skipped.", file=sys.stderr)
    return SOME_SKIPPED if summary.images else NOTHING_DONE
