"""`hierseg evaluate`: measure a network on a labelled split."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.commands.measures import PLAIN, MeasureFlags, Measures
from hierseg.commands.official import Ids, Official, choose_ids
from hierseg.commands.places import check_inputs
from hierseg.commands.running import (
    find_scales,
    own_edge,
    refuse_with_predictions,
    require_scales,
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
from hierseg.size import Size

if TYPE_CHECKING:
    from hierseg.data import Palette, SegmentationDataset
    from hierseg.evaluation import Evaluation, Watcher

    Measure = Callable[
        [SegmentationDataset, int | None, Callable[[int, int], None], Sequence[Watcher]], Evaluation
    ]


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
    how: RunOptions = WHOLE,
    measures: MeasureFlags = PLAIN,
    clips: SequenceFlags = NO_SEQUENCE,
    overwrite: bool = False,
) -> None:
    """Evaluate a network on a labelled split: mIoU, and IoU, precision and recall of each class.

    Args:
        data: Data set: camvid, cityscapes, ..., or a file (.yaml, .json) that describes your own.
        root: Folder of the data set; not needed for a description file that names its own.
        split: Split to evaluate on, or several as one: train+val.
        weights: Checkpoint file, run folder, or packaged weights; by default the model in the box.
        device: auto, cpu, or cuda.
        limit: Evaluate at most this many images, the first ones of the split; of --sequence, clips.
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
        how: How the network is run.
        measures: Measures beside mIoU.
        clips: Measures of clips.
        overwrite: Also replace files that no earlier run of this command wrote.
    """
    _check_numbers(limit, val_crop, worst)
    saving = Saving(json, worst, out, save_predictions, save_panels, overwrite)
    saving.check(predictions)
    check_inputs(data, root, split, None if predictions else weights)
    places = predictions, save_predictions, save_panels
    if check_sequence(clips, data, root, _name_single(places, ids, val_crop, worst, count_at, cv)):
        evaluate_sequence(clips, root, split, weights, device, limit, json, how.resolve())
        return
    given, how = how, how.resolve()
    more = Measures(measures, out, predictions is None, overwrite)
    _check_predictions(predictions, ids, given, weights, val_crop, count_at)
    if val_crop is not None and how.long_edge == "auto":
        raise UsageError("--val-crop is of images at one length; give --long-edge N, or own.")
    at = _choose_count(count_at, given, how, val_crop, measures.official)
    held = choose_ids(ids, measures.official)
    dataset = _open(data, root, split, cv, palette, own_edge(how), val_crop, at)
    with join_processes():
        if predictions is None:
            measure = _by_network(weights, without_edge(how), device, measures.per_scale)
            scales = find_scales(weights, how)
        else:
            measure, scales = _by_label_maps(predictions, held, palette), ()
        with Official(
            measures.official, dataset, predictions, limit, val_crop, palette
        ) as official:
            _measure(measure, dataset, limit, weights, scales, more, official, saving)


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


def _open(
    data: str,
    root: Path | None,
    split: str,
    cv: int,
    palette: Palette | None,
    long_edge: int | None,
    val_crop: Size | None,
    count_at: Literal["label", "run"],
) -> SegmentationDataset:
    from hierseg.commands.progress import announce
    from hierseg.data import DataOptions, open_dataset

    with announce("opening the data set"):
        dataset = open_dataset(data, root, split, options=DataOptions(cv=cv, palette=palette))
    with announce("loading torch"):
        from hierseg.data import PublishedView, resize_dataset

    if count_at == "run" and long_edge is not None:
        return PublishedView(dataset, long_edge)
    return resize_dataset(dataset, long_edge, val_crop)


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
        with show_progress("evaluating") as bar:
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
    """At what size pixels are counted; UsageError where that cannot be."""
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
    if val_crop is not None and min(val_crop) < 32:
        raise UsageError(f"--val-crop {val_crop} has a side under 32 pixels; give more.")
    if worst < 0:
        raise UsageError(f"--worst {worst} is no number of images; give 1 or more.")


def _by_network(weights: str | None, how: RunOptions, device: str, per_scale: bool) -> Measure:
    """What runs a network over a split."""
    from hierseg.commands.progress import announce

    with announce("loading torch"):
        from hierseg.commands.running import load_runnable
        from hierseg.engines import keep_freed_memory
        from hierseg.evaluation import RequireFinite
        from hierseg.evaluation import evaluate as run

    require_scales(weights, how)
    keep_freed_memory()

    loaded = functools.cache(load_runnable)  # corruptions measure many times

    def measure(
        dataset: SegmentationDataset,
        limit: int | None,
        on_progress: Callable[[int, int], None],
        watchers: Sequence[Watcher],
    ) -> Evaluation:
        network, seen = loaded(weights, device), [*watchers, RequireFinite()]
        return run(
            network, dataset, device=None, limit=limit, on_progress=on_progress, options=how,
            watchers=seen, per_scale=per_scale, on_miou=getattr(on_progress, "show_miou", None),
        )  # fmt: skip

    return measure


def _by_label_maps(predictions: Path, ids: Ids, palette: Palette | None) -> Measure:
    """What scores a folder of label maps."""
    from hierseg.evaluation import LabelMaps, score_label_maps

    def measure(
        dataset: SegmentationDataset,
        limit: int | None,
        on_progress: Callable[[int, int], None],
        watchers: Sequence[Watcher],
    ) -> Evaluation:
        maps = LabelMaps(predictions, dataset, ids, palette)
        on_miou = getattr(on_progress, "show_miou", None)
        return score_label_maps(maps, limit, on_progress, watchers, on_miou)

    return measure


def _check_predictions(
    predictions: Path | None,
    ids: Ids | None,
    how: RunOptions,
    weights: str | None,
    val_crop: Size | None,
    count_at: str | None,
) -> None:
    """UsageError for what only a network's run can heed, where label maps are scored, and the other
    way round.
    """
    if predictions is None:
        if ids is not None:
            raise UsageError("--ids says what --predictions hold; name them, or leave it out.")
        return
    refuse_with_predictions(how, weights=weights, val_crop=val_crop, count_at=count_at)
