"""`hierseg predict`: segment images into a folder of label maps, overlays and a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.inference import RunSettings, Summary
    from hierseg.labels import LabelSpace
    from hierseg.models import SegmentationNetwork

Output = Literal["overlay", "color", "labels", "ids", "confidence", "attention", "scales"]

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
    save: tuple[Output, ...] = ("overlay", "color", "labels", "ids"),
    max_pixels: int = 100_000_000,
    overwrite: bool = False,
    data: str | None = None,
    root: Path | None = None,
    split: str = "val",
    cv: int = 0,
) -> int:
    """Segment images: label maps, overlays, and a page, index.html, that shows them.

    Label files are explained by legend.json, what was done and skipped by summary.json. A run that
    was interrupted goes on where it stopped when it is started again. Exit status: 0 all images
    were segmented, 3 some were skipped, 1 none could be segmented, 2 wrong usage.

    Args:
        sources: Images, folders (with all that is below), or globs in quotes.
        out: Folder for everything that is written.
        weights: Checkpoint file, run folder, or name of packaged weights; the model in the box
            where none is given.
        scales: Scales of the image, with 1 among them; the checkpoint's own where none are given.
        flip: Average with the mirrored image, at twice the time.
        device: auto, cpu, or cuda.
        save: What is written of each image: NAME_overlay.jpg; NAME_color.png; NAME_labels.png
            (train ids); NAME_ids.png (the data set's own ids, where they differ);
            NAME_confidence.png (16 bits, 65535 * p); NAME_attention_SCALE.png (8 bits, 255 * a)
            with a heat map; NAME_labels_SCALE.png (by each scale alone).
        max_pixels: Images with more pixels are skipped.
        overwrite: Do everything over, whatever an earlier run has left in the folder.
        data: Segment the images of a data set instead of sources: camvid, cityscapes, folder,
            kitti, mapillary, mapillary-v2.0, or a file (.yaml, .json) that describes your own.
        root: Folder that holds the data set; a file that describes one says by itself.
        split: Split of the data set.
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
    """
    from rich.console import Console

    from hierseg.build import check_scales, choose_device
    from hierseg.checkpoint import load_model
    from hierseg.commands.chosen import choose_images, choose_space, describe_dataset
    from hierseg.inference import Predictor, run_folder
    from hierseg.inference.memory import keep_freed_memory
    from hierseg.inference.writers import NEEDS_SCALES

    if scales is not None:
        check_scales(scales, "--scales")
    images, dataset = choose_images(sources, out, data, root, split, cv)
    about = {} if dataset is None else describe_dataset(dataset)
    settings = _settings(save, max_pixels, overwrite, weights, about)
    keep_freed_memory()
    network = load_model(weights, choose_device(device, "--device"))
    if "attention" in save:
        _check_attention(network, network.scales if scales is None else scales)
    space = choose_space(network, dataset)
    keeps = bool(NEEDS_SCALES & set(save))
    predictor = Predictor(network, scales, flip, label_space=space, keep_scales=keeps)
    summary = run_folder(predictor, images, out, settings, Console(stderr=True))
    write_run_page(summary, predictor.label_space, out)
    return _report(summary, len(images), out)


def _settings(
    save: tuple[Output, ...],
    max_pixels: int,
    overwrite: bool,
    weights: str | None,
    about: dict[str, str],
) -> RunSettings:
    from hierseg.checkpoint import find_weights
    from hierseg.inference import RunSettings

    if not save:
        raise UsageError("--save names nothing to write; leave it out, or name for example labels.")
    if max_pixels < 1:
        raise UsageError(f"--max-pixels {max_pixels} leaves no images; give 1 or more.")
    name = weights if weights is not None else find_weights().stem
    return RunSettings(tuple(dict.fromkeys(save)), max_pixels, overwrite, name, about=about)


def _check_attention(network: SegmentationNetwork, scales: tuple[float, ...]) -> None:
    if network.attention is None:
        raise UsageError("this network has no attention over scales; leave it out of --save.")
    if len(scales) < 2:
        raise UsageError(
            "attention decides between scales and there is one; give for example --scales 0.5 1."
        )


def write_run_page(summary: Summary, space: LabelSpace, out: Path) -> None:
    from hierseg.inference import Page, write_page

    scales = " ".join(f"{scale:g}" for scale in summary.settings["scales"])
    facts = [
        f"{len(summary.records)} image{'s' if len(summary.records) != 1 else ''}",
        f"weights {summary.about['weights']}",
        f"classes of {space.name}",
        *([f"{summary.about['data']} {summary.about['split']}"] if "data" in summary.about else []),
        *([summary.about["split_note"]] if summary.about.get("split_note") else []),
        f"scales {scales}" + (", with mirror image" if summary.settings["flip"] else ""),
    ]
    if summary.skipped:
        facts.append(f"{len(summary.skipped)} skipped")
    records = list(summary.records.values())
    write_page(Page("Segmented images", facts, space, records, summary.skipped), out)


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
