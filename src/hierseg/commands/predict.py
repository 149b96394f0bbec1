"""`hierseg predict`: segment images into a folder of label maps, overlays and a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.inference import Predictor, RunSettings, Summary
    from hierseg.models import SegmentationNetwork

Output = Literal["overlay", "color", "labels", "ids", "confidence", "attention", "scales"]

SAVED_OF_IMAGES: tuple[Output, ...] = ("overlay", "color", "labels", "ids")

SOME_SKIPPED = 3
NOTHING_DONE = 1


def predict(
    sources: tuple[str, ...] = (),
    /,
    *,
    out: Path,
    weights: str | None = None,
    scales: tuple[float, ...] | None = None,
    flip: bool = False,
    device: str = "auto",
    save: tuple[Output, ...] | None = None,
    batch: int = 1,
    max_pixels: int = 100_000_000,
    overwrite: bool = False,
    every: int | None = None,
    from_: float | None = None,
    to: float | None = None,
    frames: bool = False,
    data: str | None = None,
    root: Path | None = None,
    split: str = "val",
    cv: int = 0,
) -> int:
    """Segment images: label maps, overlays, and a page, index.html, that shows them. Or a video:
    an overlay video, NAME_overlay.mp4, and label frames, NAME_frames/000123_labels.png.

    Label files are explained by legend.json, what was done and skipped by summary.json. A run that
    was interrupted goes on where it stopped when it is started again. Exit status: 0 all images
    were segmented, 3 some were skipped, 1 none could be segmented, 2 wrong usage.

    Args:
        sources: Images, folders (with all that is below), or globs in quotes; or one video.
        out: Folder for everything that is written.
        weights: Checkpoint file, run folder, or name of packaged weights; the model in the box
            where none is given.
        scales: Scales of the image, with 1 among them; the checkpoint's own where none are given.
        flip: Average with the mirrored image, at twice the time.
        device: auto, cpu, or cuda.
        save: What is written of each image, by default overlay color labels ids, and overlay labels
            ids of a video: NAME_overlay.jpg; NAME_color.png; NAME_labels.png
            (train ids); NAME_ids.png (the data set's own ids, where they differ);
            NAME_confidence.png (16 bits, 65535 * p); NAME_attention_SCALE.png (8 bits, 255 * a)
            with a heat map; NAME_labels_SCALE.png (by each scale alone).
        batch: Images of one size that the network is given together, at most.
        max_pixels: Images with more pixels are skipped.
        overwrite: Do everything over, whatever an earlier run has left in the folder.
        every: Of a video, every so many frames; the overlay video shows each until the next.
        from_: Of a video, seconds from its beginning; 0 where none are given.
        to: Of a video, seconds from its beginning; to its end where none are given.
        frames: Of a video, write each frame and its overlay too, and the page of them all.
        data: Segment the images of a data set instead of sources: camvid, cityscapes, folder,
            kitti, mapillary, mapillary-v2.0, or a file (.yaml, .json) that describes your own.
        root: Folder that holds the data set; a file that describes one says by itself.
        split: Split of the data set.
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
    """
    from hierseg.commands.chosen import choose_images, describe_dataset
    from hierseg.commands.video import SAVED, choose_clip, open_video, refuse_clip, segment_video
    from hierseg.inference.video import is_video

    if scales is not None:
        _check_scales(scales)
    if data is None and any(map(is_video, sources)):
        clip = choose_clip(every, from_, to)
        settings = _settings(
            SAVED if save is None else save, batch, max_pixels, overwrite, weights, {}
        )
        video = open_video(sources, max_pixels)
        predictor = _load(settings, weights, scales, flip, device, None)
        return segment_video(predictor, video, out, settings, clip, frames)
    refuse_clip(every, from_, to, frames)
    images, dataset = choose_images(sources, out, data, root, split, cv)
    about = {} if dataset is None else describe_dataset(dataset)
    chosen = SAVED_OF_IMAGES if save is None else save
    settings = _settings(chosen, batch, max_pixels, overwrite, weights, about)
    predictor = _load(settings, weights, scales, flip, device, dataset)
    return _segment_images(predictor, images, out, settings)


def _check_scales(scales: tuple[float, ...]) -> None:
    from hierseg.build import check_scales

    check_scales(scales, "--scales")


def _settings(
    save: tuple[str, ...],
    batch: int,
    max_pixels: int,
    overwrite: bool,
    weights: str | None,
    about: dict[str, str],
) -> RunSettings:
    from hierseg.checkpoint import find_weights
    from hierseg.inference import RunSettings

    if not save:
        raise UsageError("--save names nothing to write; leave it out, or name for example labels.")
    if batch < 1:
        raise UsageError(f"--batch {batch} holds no image; give 1 or more.")
    if max_pixels < 1:
        raise UsageError(f"--max-pixels {max_pixels} leaves no images; give 1 or more.")
    name = weights if weights is not None else find_weights().stem
    return RunSettings(tuple(dict.fromkeys(save)), max_pixels, overwrite, name, batch, about)


def _load(
    settings: RunSettings,
    weights: str | None,
    scales: tuple[float, ...] | None,
    flip: bool,
    device: str,
    dataset: SegmentationDataset | None,
) -> Predictor:
    from hierseg.build import choose_device
    from hierseg.checkpoint import load_model
    from hierseg.commands.chosen import choose_space
    from hierseg.inference import Predictor
    from hierseg.inference.memory import keep_freed_memory
    from hierseg.inference.writers import NEEDS_SCALES

    keep_freed_memory()
    network = load_model(weights, choose_device(device, "--device"))
    if "attention" in settings.save:
        _check_attention(network, network.scales if scales is None else scales)
    space = choose_space(network, dataset)
    keeps = bool(NEEDS_SCALES & set(settings.save))
    return Predictor(network, scales, flip, label_space=space, keep_scales=keeps)


def _segment_images(
    predictor: Predictor, images: list[Path], out: Path, settings: RunSettings
) -> int:
    from rich.console import Console

    from hierseg.inference import run_folder
    from hierseg.inference.run_page import write_run_page

    summary = run_folder(predictor, images, out, settings, Console(stderr=True))
    write_run_page(summary, predictor.label_space, out)
    return _report(summary, len(images), out)


def _check_attention(network: SegmentationNetwork, scales: tuple[float, ...]) -> None:
    if network.attention is None:
        raise UsageError("this network has no attention over scales; leave it out of --save.")
    if len(scales) < 2:
        raise UsageError(
            "attention decides between scales and there is one; give for example --scales 0.5 1."
        )


def _report(summary: Summary, asked: int, out: Path) -> int:
    """Say what was done, and give the exit status."""
    done = asked - len(summary.skipped)
    print(f"{done} of {asked} images segmented: {(out / 'index.html').resolve().as_uri()}")
    if summary.skipped:
        where = out / "summary.json"
        print(f"{len(summary.skipped)} were skipped; {where} says why.", file=sys.stderr)
    if not summary.skipped:
        return 0
    return SOME_SKIPPED if done else NOTHING_DONE
