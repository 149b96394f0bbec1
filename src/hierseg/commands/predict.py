"""`hierseg predict`: segment images into a folder of label maps, overlays and a page."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from hierseg.commands.chosen import NO_DATASET, DatasetFlags
from hierseg.commands.colors import Palette, choose_palette
from hierseg.commands.live import LiveFlags
from hierseg.commands.outlook import Outlook
from hierseg.commands.runner import RunnerFlags, name_for_all, send_to
from hierseg.commands.running import name_weights, require_scales
from hierseg.commands.video import SteadyFlags
from hierseg.commands.volume import remark
from hierseg.distributed import join_processes
from hierseg.errors import UsageError, make_printable
from hierseg.options import WHOLE, RunOptions, require_probability
from hierseg.processes import Launch, own_rank
from hierseg.urls import Mirrors, Staging, find_url, refuse_urls
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.engines import Engine
    from hierseg.inference import Predictor
    from hierseg.jobs import RunSettings, Summary
    from hierseg.labels import LabelSpace
    from hierseg.media import Clip

Output = Literal[
    "overlay", "color", "labels", "ids", "confidence", "attention", "scales", "coco", "cvat",
    "cvat-xml", "labelstudio", "yolo",
]  # fmt: skip

LABELLING: tuple[Output, ...] = ("coco", "cvat", "cvat-xml", "labelstudio", "yolo")
"""Forms of labelling tools."""
GATHERED: tuple[Output, ...] = ("coco", "cvat-xml", "labelstudio")
"""Those whose file of all images is made of the images' own."""
SAVED_OF_VIDEO: tuple[Output, ...] = ("overlay", "labels", "ids")
SAVED_OF_IMAGES: tuple[Output, ...] = ("overlay", "color", "labels", "ids")

SOME_SKIPPED = 3
NOTHING_DONE = 1


def predict(
    sources: tuple[str, ...] = (),
    /,
    *,
    out: Path | None = None,
    weights: str | None = None,
    device: str = "auto",
    save: tuple[Output, ...] | None = None,
    max_pixels: int = 100_000_000,
    overwrite: bool = False,
    workers: int = 2,
    palette: Palette | None = None,
    names: bool = False,
    unknown: float | None = None,
    every: int | None = None,
    from_: float | None = None,
    to: float | None = None,
    frames: bool = False,
    joined: SteadyFlags = SteadyFlags(),  # noqa: B008 - frozen
    live: LiveFlags = LiveFlags(),  # noqa: B008 - frozen
    dataset: DatasetFlags = NO_DATASET,
    how: RunOptions = WHOLE,
    where: RunnerFlags = RunnerFlags(),  # noqa: B008 - frozen
) -> int:
    """Segment images or a video, or show a camera or a video live.

    Images give label maps, overlays, and a page that shows them, index.html. A video gives an
    overlay video, NAME_overlay.mp4, and label frames, NAME_frames/000123_labels.png. legend.json
    explains the label files; summary.json lists what was done and skipped.

    The same command continues an interrupted run. Files that no earlier run wrote are not replaced.
    Exit status: 0 all images were segmented, 3 some were skipped or lack an output, 1 none could be
    segmented, 2 wrong usage.

    Args:
        sources: Images, folders (searched recursively), or globs in quotes, also by URL
            (s3://bucket/frames); or one video; or, with --show, a camera by its number.
        out: Folder for all outputs, or its URL; with --show it may be left out.
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        device: auto, cpu, or cuda.
        save: Outputs of each image, by default overlay color labels ids (for a video without
            color): NAME_overlay.jpg; NAME_color.png; NAME_labels.png (train ids); NAME_ids.png (raw
            ids, where they differ); NAME_confidence.png (16 bits, 65535 * p); attention:
            NAME_attention_SCALE.png (8 bits) and a heat map; scales: NAME_labels_SCALE.png. For
            labelling tools, of images: coco (coco.json: FiftyOne, CVAT), cvat (cvat/: segmentation
            masks 1.1), cvat-xml (cvat.xml: CVAT for images 1.1), labelstudio (labelstudio.json:
            tasks with brushes; labelstudio.xml: the interface), yolo (yolo/: polygons).
        max_pixels: Skip images with more pixels.
        overwrite: Segment everything again, and replace any files under the names of the outputs.
        workers: Threads that read images, and as many that write outputs, while the network runs.
        palette: Colours of classes: dataset, distinct (as different as possible), or colorblind
            (different also to people with protanopia, deuteranopia or tritanopia). If it is given,
            label maps carry the colours, too, with unchanged ids. By default the data set's, in
            pictures alone.
        names: Write the names of classes on their large regions in overlays.
        unknown: Give no class to pixels whose confidence is below this, from 0 to 1: label maps
            have the ignore value there. Confidence is computed with the temperature that `hierseg
            calibrate` has stored, if any.
        every: Video: segment every n-th frame; the overlay video repeats it until the next.
        from_: Video: start at this many seconds.
        to: Video: end before this many seconds.
        frames: Video: also write each frame and its overlay, and a page of all frames.
        joined: How predictions of a video are made steady.
        live: How a camera or a video is shown.
        dataset: A data set to segment instead of sources.
        how: How the network is run.
        where: Where images are run.
    """
    from hierseg.commands.video import choose_clip, refuse_clip
    from hierseg.media import is_video

    if how.long_edge is None and how.short_edge is None and how.preset is None:
        how = dataclasses.replace(how, long_edge="auto")
    where.check()
    live.check(sources, out)
    how = where.prefer_engine(how, "auto")
    asked = _Asked(
        out, weights, device, save, max_pixels, overwrite, workers, how.resolve(), palette, names,
        unknown,
    )  # fmt: skip
    if live.show:
        refuse_urls("predict --show", *sources, out)
        if frames or joined.steady or dataset.data is not None or where.runner != "local":
            raise UsageError(
                "--show takes no --frames, --steady, --data and --runner; leave them out."
            )
        return _show_live(asked, sources, choose_clip(every, from_, to), live)
    if dataset.data is None and any(map(is_video, sources)):
        refuse_urls("predict", *sources, asked.folder)
        _refuse_processes(where)
        joined.check()
        return _predict_video(asked, sources, choose_clip(every, from_, to), frames, joined)
    refuse_clip(every, from_, to, frames, joined)
    with join_processes():
        return _predict_images(asked, sources, dataset, where)


def _refuse_processes(where: RunnerFlags) -> None:
    """UsageError where several processes are to segment a video."""
    if Launch.find().by == "torchrun" and Launch.find().processes > 1:
        raise UsageError("one process segments a video, frame after frame; leave out torchrun.")
    if where.runner != "local":
        raise UsageError("one process segments a video, frame after frame; leave out --runner.")


class _Asked(NamedTuple):
    """The flags that images and videos share, as ``predict`` describes them."""

    out: Path | None
    weights: str | None
    device: str
    save: tuple[Output, ...] | None
    max_pixels: int
    overwrite: bool
    workers: int
    how: RunOptions
    palette: Palette | None
    names: bool
    unknown: float | None = None

    @property
    def folder(self) -> Path:
        """Where outputs go, where they must go somewhere."""
        assert self.out is not None
        return self.out

    def settings(self, default: tuple[Output, ...], about: dict[str, str]) -> RunSettings:
        """The settings of the outputs; UsageError if they are invalid."""
        from hierseg.inference import Look
        from hierseg.jobs import RunSettings

        save = default if self.save is None else tuple(dict.fromkeys(self.save))
        if not save:
            raise UsageError("--save names nothing to write; leave it out, or name labels.")
        if self.max_pixels < 1:
            raise UsageError(f"--max-pixels {self.max_pixels} leaves no images; give 1 or more.")
        if self.unknown is not None:
            require_probability("--unknown", self.unknown)
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers} reads nothing; give 1 or more.")
        require_scales(self.weights, self.how)
        name = name_weights(self.weights)
        look = Look(self.palette is not None, self.names)
        return RunSettings(
            save, self.max_pixels, self.overwrite, name, self.how.batch, about, self.workers, look
        )

    def load(
        self,
        settings: RunSettings,
        dataset: SegmentationDataset | None = None,
        space: LabelSpace | None = None,
    ) -> Predictor:
        """The predictor, on its device, with a label space where it is known already."""
        from hierseg.checkpoint import header_of
        from hierseg.commands.chosen import choose_space
        from hierseg.commands.running import load_runnable
        from hierseg.engines import keep_freed_memory
        from hierseg.inference import Predictor
        from hierseg.jobs import NEEDS_SCALES

        keep_freed_memory()
        network = load_runnable(self.weights, self.device)
        space = space or choose_space(network, dataset)
        if self.palette is not None:
            space = choose_palette(space or header_of(network).label_space, self.palette)
        keeps = bool(NEEDS_SCALES & set(settings.save))
        predictor = Predictor(
            network, label_space=space, keep_scales=keeps, options=self.how, unknown=self.unknown
        )
        if "attention" in settings.save:
            _check_attention(predictor.engine, predictor.scales)
        if "confidence" in settings.save:
            predictor.require_confidence("--save confidence")
        return predictor


def _predict_images(
    asked: _Asked, sources: tuple[str, ...], flags: DatasetFlags, where: RunnerFlags
) -> int:
    """Segment images, also at URLs, which stand in folders here meanwhile."""
    from hierseg.commands.progress import announce

    if find_url(asked.folder) is not None:
        for one in asked.save or ():
            if one in GATHERED:
                raise UsageError(
                    f"--save {one} gathers what is written of all images in one file, which is not "
                    "done at a URL; leave it out, or give --out a path."
                )
    with Staging() as staging:
        with announce("looking at what is there"):
            out = staging.bring_out(asked.folder)
            sources = tuple(map(staging.bring_source, sources))
            flags = dataclasses.replace(flags, root=staging.bring_root(flags.root))
        return _predict_here(asked._replace(out=out), sources, flags, where, staging.mirrors)


def _predict_here(
    asked: _Asked,
    sources: tuple[str, ...],
    flags: DatasetFlags,
    where: RunnerFlags,
    mirrors: Mirrors,
) -> int:
    from hierseg.commands.chosen import choose_images, describe_dataset
    from hierseg.commands.progress import announce, make_console

    with announce("looking for images"):
        found, dataset = choose_images(sources, asked.folder, flags)
    with announce("loading the weights"):
        from hierseg.jobs import run_folder, write_run_page

        about = {} if dataset is None else describe_dataset(dataset)
        settings = asked.settings(SAVED_OF_IMAGES, about)
        predictor = asked.load(settings, dataset)
    remark(found.describe())

    def finish(summary: Summary) -> None:
        with announce("writing the page"):
            write_run_page(summary, predictor.label_space, asked.folder)

    outlook = Outlook(settings.weights, predictor.segmenter, here=where.runner == "local")
    console = make_console(stderr=True)
    sent = asked._replace(weights=name_for_all(asked.weights))
    load = functools.partial(sent.load, settings, None, predictor.label_space)
    with where.open(asked.device) as workers:
        summary = run_folder(
            predictor, found.images, asked.folder, settings, console, finish, found.left_out,
            send_to(workers, load), mirrors, outlook.say,
        )  # fmt: skip
    if own_rank() > 0:  # the first says all, and gives the status
        return 0
    _say_reduced(summary, predictor)
    return _report(summary, len(found.images) + len(found.left_out), asked.folder, mirrors)


def _say_reduced(summary: Summary, predictor: Predictor) -> None:
    """Say that images were run smaller, if the weights' long edge made them so."""
    longest = predictor.longest
    if longest is None:
        return
    larger = sum(max(image.height, image.width) > longest for image in summary.records.values())
    if larger:
        remark(
            f"{larger} of {count(len(summary.records), 'image')} had a side above {longest} pixels "
            "and ran at that long edge, as the weights say; --long-edge own runs images as they "
            "are."
        )


def _predict_video(
    asked: _Asked, sources: tuple[str, ...], clip: Clip, frames: bool, joined: SteadyFlags
) -> int:
    from hierseg.commands.progress import announce
    from hierseg.commands.video import join_frames, open_video, segment_video

    video = open_video(sources, asked.max_pixels)
    with announce("loading the weights"):
        _refuse_labelling(asked.save or ())
        settings = asked.settings(SAVED_OF_VIDEO, {})
        predictor = join_frames(asked.load(settings), joined, asked.device)
    return segment_video(predictor, video, asked.folder, settings, clip, frames)


def _show_live(asked: _Asked, sources: tuple[str, ...], clip: Clip, flags: LiveFlags) -> int:
    from hierseg.commands.live import Ready, choose_live, show_live
    from hierseg.commands.outlook import Outlook
    from hierseg.commands.progress import announce

    _refuse_labelling(asked.save or ())
    live = choose_live(sources, clip, asked.out, asked.max_pixels, asked.overwrite)

    def prepare() -> Ready:
        with announce("loading the weights"):
            settings = asked.settings(SAVED_OF_VIDEO, {})
            predictor = asked.load(settings)
        about = Outlook(settings.weights, predictor.segmenter, here=False).describe_way()
        return Ready(predictor, settings, about)

    return show_live(live, flags, prepare)


def _refuse_labelling(save: Sequence[str]) -> None:
    """UsageError for the formats of labelling tools, which are for images."""
    for one in save:
        if one in LABELLING:
            raise UsageError(
                f"--save {one} is for images, and this is a video; leave it out, or predict its "
                "frames as images."
            )


def _check_attention(engine: Engine, scales: tuple[float, ...]) -> None:
    if not engine.attends:
        raise UsageError("this network has no attention over scales; leave it out of --save.")
    if len(scales) < 2:
        raise UsageError(
            "attention decides between scales and there is one; give for example --scales 0.5 1."
        )


def _report(summary: Summary, asked: int, out: Path, mirrors: Mirrors) -> int:
    """Say what was done, and give the exit status."""
    done = asked - len(summary.skipped)
    page = out / "index.html"
    shown = page.resolve().as_uri() if mirrors.out is None else mirrors.name(page)
    print(f"{done} of {count(asked, 'image')} segmented: {shown}")
    if summary.skipped:
        where = mirrors.name(out / "summary.json")
        were = "was" if len(summary.skipped) == 1 else "were"
        said = f"{len(summary.skipped)} {were} skipped; {where} says why."
        print(make_printable(said), file=sys.stderr)
    partly = [record for record in summary.records.values() if record.unwritten]
    for record in partly[:1]:
        output, reason = next(iter(record.unwritten.items()))
        lack = "1 lacks" if len(partly) == 1 else f"{len(partly)} lack"
        print(
            f"{lack} an output that its size does not allow, "
            f"{make_printable(record.source)} first: {output}: {reason}.",
            file=sys.stderr,
        )
    if not (summary.skipped or partly):
        return 0
    return SOME_SKIPPED if done else NOTHING_DONE
