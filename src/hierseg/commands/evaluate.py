"""`hierseg evaluate`: measure a network on a labelled split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from hierseg.commands.colors import Palette as Colors
from hierseg.commands.colors import choose_palette
from hierseg.commands.measures import PLAIN, MeasureFlags, Measures
from hierseg.commands.measuring import measure_by_label_maps, measure_by_network
from hierseg.commands.official import Ids, Official, choose_ids
from hierseg.commands.places import check_inputs
from hierseg.commands.runner import RunnerFlags
from hierseg.commands.running import (
    find_scales,
    own_edge,
    refuse_with_predictions,
    without_edge,
)
from hierseg.commands.saving import Saving
from hierseg.commands.sequence import (
    NO_SEQUENCE,
    SequenceFlags,
    check_sequence,
    evaluate_sequence,
)
from hierseg.distributed import join_processes
from hierseg.errors import UsageError
from hierseg.options import WHOLE, RunOptions
from hierseg.size import SMALLEST_SIDE, Size
from hierseg.urls import Mirrors, Staging, refuse_urls

if TYPE_CHECKING:
    from hierseg.commands.measuring import Measure
    from hierseg.data import Palette, SegmentationDataset
    from hierseg.evaluation import Evaluation


def evaluate(
    data: str,
    root: Path | None = None,
    split: str = "val",
    weights: str | None = None,
    device: str = "auto",
    limit: int | None = None,
    json: Path | None = None,
    cv: int = 0,
    val_crop: Size | None = None,
    predictions: Path | None = None,
    ids: Ids | None = None,
    palette: Literal["indices", "values"] | None = None,
    worst: int = 0,
    out: Path = Path("evaluation"),
    save_predictions: Path | None = None,
    save_panels: Path | None = None,
    count_at: Literal["label", "run"] | None = None,
    colors: Colors | None = None,
    how: RunOptions = WHOLE,
    measures: MeasureFlags = PLAIN,
    clips: SequenceFlags = NO_SEQUENCE,
    where: RunnerFlags = RunnerFlags(),  # noqa: B008 - frozen
    overwrite: bool = False,
) -> None:
    """Evaluate a network on a labelled split: mIoU, and IoU, precision and recall of each class.

    Args:
        data: Data set: camvid, cityscapes, ..., or a file (.yaml, .json) that describes your own.
        root: Folder of the data set; not needed for a description file that names its own.
        split: Split to evaluate on, or several as one: train+val.
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        device: auto, cpu, or cuda.
        limit: Evaluate at most this many images (with --sequence: clips), the first of the split.
        json: Also write the result to this file, with fractions in [0, 1].
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
        val_crop: Evaluate only the central crop of this size.
        predictions: Score the label maps of this folder instead of a network: one-channel PNG,
            NAME.png or NAME_....png.
        ids: Ids in --predictions: train ids, or the data set's raw ones (default with --official).
        palette: How to read label maps with a palette of greys: ids are its indices or its greys.
        worst: Write a page of this many images with the lowest mIoU, and, for each class, of as
            many with the most wrong pixels.
        out: Folder of that page, and of the files of --calibration and --corruptions.
        save_predictions: Write NAME_labels.png (train ids) and NAME_ids.png (raw ids) here.
        save_panels: Write here, for every image, pictures of input, truth, prediction, overlay,
            wrong pixels, confidence, and attention and prediction of each scale; and a page.
        count_at: label counts each pixel of the label maps; run brings image (bilinear) and label
            (nearest) to --long-edge and counts there, as published for Mapillary. By default label,
            but run with --preset mapillary.
        colors: Colours of classes in the pictures of --worst and --save-panels: dataset (the
            default), distinct, or colorblind; see `hierseg predict --palette`.
        how: How the network is run.
        measures: Measures besides mIoU.
        clips: Measures of clips.
        where: Where images are run.
        overwrite: Also replace files that no earlier run of this command wrote.
    """
    _check_numbers(limit, val_crop, worst)
    _check_runner(where, how, predictions)
    refuse_urls("evaluate", json, out, predictions, save_predictions, save_panels)
    saving = Saving(json, worst, out, save_predictions, save_panels, overwrite)
    saving.check(predictions)
    places = predictions, save_predictions, save_panels
    single = _name_single(places, ids, val_crop, worst, count_at, cv)
    single |= {"--short-edge": how.short_edge, "--colors": colors}
    single |= {"--runner": where.runner != "local"}
    if check_sequence(clips, data, root, single):
        check_inputs(data, root, split, weights)
        evaluate_sequence(clips, root, split, weights, device, limit, json, how.resolve())
        return
    given, how = how, how.resolve()
    more = Measures(measures, out, predictions is None, overwrite)
    _check_predictions(predictions, ids, given, weights, val_crop, count_at)
    at = _choose_count(count_at, given, how, val_crop, measures.official)
    held = choose_ids(ids, measures.official)
    edges = own_edge(how), how.short_edge
    chosen = _Split(data, root, split, cv, palette, edges, val_crop, colors)
    by = _By(weights, device, how, where, predictions, held)
    _evaluate_images(chosen, at, by, measures, limit, more, saving)


class _Split(NamedTuple):
    """Which images are measured, and how they are seen; as ``evaluate`` describes it."""

    data: str
    root: Path | None
    name: str
    cv: int
    palette: Palette | None
    edges: tuple[int | None, int | None]
    val_crop: Size | None
    colors: Colors | None


class _By(NamedTuple):
    """What labels the images: a network, or a folder of label maps."""

    weights: str | None
    device: str
    how: RunOptions
    where: RunnerFlags
    predictions: Path | None
    ids: Ids


def _evaluate_images(
    split: _Split,
    count_at: Literal["label", "run"],
    by: _By,
    measures: MeasureFlags,
    limit: int | None,
    more: Measures,
    saving: Saving,
) -> None:
    is_run, palette = by.predictions is None, split.palette
    with Staging() as staging, join_processes():
        split = split._replace(root=_bring(staging, split.root, measures.official))
        check_inputs(split.data, split.root, split.name, by.weights if is_run else None)
        dataset = _open(split, staging.mirrors, count_at)
        dataset.label_space = choose_palette(dataset.label_space, split.colors)
        scales = find_scales(by.weights, by.how) if is_run else ()
        with (
            by.where.open(by.device) as workers,
            Official(
                measures.official, dataset, by.predictions, limit, split.val_crop, palette
            ) as official,
        ):
            if by.predictions is not None:
                measure = measure_by_label_maps(by.predictions, by.ids, palette)
            else:
                measure = measure_by_network(
                    by.weights, without_edge(by.how), by.device, measures.per_scale, workers
                )
            _measure(measure, dataset, limit, by.weights, scales, more, official, saving)


def _name_single(
    places: tuple[Path | None, ...],
    ids: Ids | None,
    val_crop: Size | None,
    worst: int,
    count_at: str | None,
    cv: int,
) -> dict[str, object]:
    """What is of single images, by its flag."""
    predictions, save_predictions, save_panels = places
    return {
        "--predictions": predictions,
        "--save-predictions": save_predictions,
        "--save-panels": save_panels,
        "--ids": ids,
        "--val-crop": val_crop,
        "--worst": worst,
        "--count-at": count_at,
        "--cv": cv,
    }


def _again(
    measure: Measure, limit: int | None
) -> Callable[[SegmentationDataset, Callable[[int, int], None]], Evaluation]:
    """The same of another form of the split, with nothing that looks on."""
    return lambda dataset, on_progress: measure(dataset, limit, on_progress, ())


def _bring(staging: Staging, root: Path | None, official: bool) -> Path | None:
    """Where the data set's folder is here."""
    from hierseg.commands.progress import announce

    if official:  # another program reads the label maps
        refuse_urls("evaluate --official", root)
    with announce("looking at what is there"):
        return staging.bring_root(root)


def _open(
    split: _Split, mirrors: Mirrors, count_at: Literal["label", "run"]
) -> SegmentationDataset:
    """The split, its images at a long edge or at a short one."""
    from hierseg.commands.progress import announce
    from hierseg.data import DataOptions, fetch_as_read, open_dataset

    long_edge, short_edge = split.edges
    options = DataOptions(cv=split.cv, palette=split.palette)
    with announce("opening the data set"):
        dataset = open_dataset(split.data, split.root, split.name, options=options)
        dataset = fetch_as_read(dataset, mirrors)
    with announce("loading torch"):
        from hierseg.data import PublishedView, resize_dataset

    if count_at == "run" and long_edge is not None:
        return PublishedView(dataset, long_edge)
    return resize_dataset(dataset, long_edge, split.val_crop, short_edge=short_edge)


def _measure(
    measure: Measure,
    dataset: SegmentationDataset,
    limit: int | None,
    weights: str | None,
    scales: Sequence[float],
    more: Measures,
    official: Official,
    saving: Saving,
) -> None:
    """Measure, print the table, and write what is asked for, where no other run writes."""
    from hierseg.commands.progress import show_progress
    from hierseg.evaluation import format_evaluation, require_counted

    with saving.hold(dataset, more.writes):
        watchers = more.watch(dataset, weights, official)
        saved = saving.open(dataset, limit, scales)
        with show_progress("evaluating", "images") as bar:
            result = measure(dataset, limit, bar, [*watchers, *saved.watchers])
        require_counted(result)
        print(format_evaluation(result, more.flags.table == "full"))
        saved.write_pages(result)
        more.finish(_again(measure, limit), dataset, result, weights, saving.json)
        saved.require_all()


def _choose_count(
    asked: Literal["label", "run"] | None,
    given: RunOptions,
    how: RunOptions,
    val_crop: Size | None,
    official: bool,
) -> Literal["label", "run"]:
    """The size at which pixels are counted; UsageError if other flags contradict it."""
    if val_crop is not None and how.long_edge == "auto":
        raise UsageError("--val-crop needs a fixed size; give --long-edge N, or --long-edge own.")
    count_at = asked or ("run" if given.preset == "mapillary" else "label")
    if count_at == "label":
        return "label"
    cure = "give --count-at label" if asked is None else "leave it out"
    by = "--preset mapillary" if asked is None else "--count-at run"
    if own_edge(how) is None:
        if asked is None:  # its long edge is overruled: images are run as they are
            return "label"
        raise UsageError("--count-at run counts at --long-edge N; give that, or leave it out.")
    if val_crop is not None:
        raise UsageError(f"{by} counts whole images at their long edge, no --val-crop; {cure}.")
    if official:
        raise UsageError(
            f"{by} counts resized labels, and --official those of the data set; {cure}."
        )
    return "run"


def _check_numbers(
    limit: int | None,
    val_crop: Size | None,
    worst: int,
) -> None:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no images; give 1 or more.")
    if val_crop is not None and min(val_crop) < SMALLEST_SIDE:
        raise UsageError(
            f"--val-crop {val_crop} has a side under {SMALLEST_SIDE} pixels; give more."
        )
    if worst < 0:
        raise UsageError(f"--worst {worst} is negative; give 1 or more.")


def _check_runner(where: RunnerFlags, how: RunOptions, predictions: Path | None) -> None:
    """UsageError for flags that Ray does not allow."""
    where.check()
    if where.runner == "local":
        return
    if predictions is not None:
        raise UsageError("--runner ray runs a network, and --predictions has none; leave it out.")
    if how.engine == "auto":
        raise UsageError(
            "--engine auto may choose another engine on each worker, whose figures differ; with "
            "--runner ray name one, or leave it out."
        )


def _check_predictions(
    predictions: Path | None,
    ids: Ids | None,
    how: RunOptions,
    weights: str | None,
    val_crop: Size | None,
    count_at: str | None,
) -> None:
    """UsageError for flags of a network's run when label maps are scored, and the reverse."""
    if predictions is None:
        if ids is not None:
            raise UsageError("--ids is for --predictions; add that, or leave out --ids.")
        return
    refuse_with_predictions(how, weights=weights, val_crop=val_crop, count_at=count_at)
