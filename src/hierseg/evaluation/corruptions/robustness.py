"""Measures a network under corruptions, one by one; an interrupted run can be resumed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hierseg.data import SegmentationDataset
from hierseg.distributed import first_before_others
from hierseg.evaluation.corruptions.catalog import SEVERITIES, VERSION, CorruptedDataset
from hierseg.evaluation.corruptions.report import FILE, CorruptionReport
from hierseg.evaluation.result import Evaluation
from hierseg.media import write_figure
from hierseg.ownership import require_own_png
from hierseg.processes import own_rank

PICTURE = "corruptions.png"
COMMAND = "evaluate"

Progress = Callable[[int, int], None]


def run_corruptions(
    measure: Callable[[SegmentationDataset, Progress], Evaluation],
    dataset: SegmentationDataset,
    clean: Evaluation,
    names: Sequence[str],
    out: Path,
    weights: str,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> CorruptionReport:
    """Measure mIoU under corruptions at all severities.

    ``corruptions.json`` is written after each one, ``corruptions.png`` at the end or when the run
    is interrupted. A repeated run continues after the figures in the file. All processes measure,
    and the first one writes.

    Args:
        measure: Evaluates a split and reports progress.
        dataset: The split without corruption.
        clean: Its evaluation without corruption.
        names: Corruptions.
        out: Folder of the files; created if it does not exist.
        weights: Fingerprint of the network's weights.
        seed: Seed of the corruptions.
        on_progress: Called with (images done, images in all), over all corruptions.

    Raises:
        UserError: The file in the folder has other settings or is damaged, or an image cannot be
            read.
        KeyboardInterrupt: The run was interrupted; the finished figures are written.
    """
    settings = {**describe(dataset, clean), "weights": weights, "seed": seed}
    with first_before_others():
        report = CorruptionReport.open(out, settings, clean.scores.miou)
        report.is_writer = own_rank() == 0
        report.write()
    missing = [(n, s) for n in names for s in SEVERITIES if s not in report.miou.get(n, {})]
    total = len(missing) * clean.images

    def progress_after(before: int) -> Progress:
        def tell(done: int, _: int) -> None:
            if on_progress is not None:
                on_progress(before + done, total)

        return tell

    try:
        for place, (name, severity) in enumerate(missing):
            corrupted = CorruptedDataset(dataset, name, severity, seed)
            result = measure(corrupted, progress_after(place * clean.images))
            report.add(name, severity, result.scores.miou)
    except KeyboardInterrupt:
        done = sum(len(rows) for rows in report.miou.values())
        raise KeyboardInterrupt(
            f"interrupted; {done} results are in {report.path}, and the same command continues "
            "from there."
        ) from None
    finally:
        if report.is_writer:
            write_figure(out / PICTURE, report.draw(), COMMAND)
    return report


def check_folder(
    out: Path,
    dataset: SegmentationDataset,
    weights: str,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Check the folder before anything is measured, as ``run_corruptions`` would after the clean
    evaluation. With ``overwrite`` the files of another run are removed.

    Raises:
        UsageError: The folder has figures of another split, other weights or another seed, or a
            picture that hierseg did not write.
        UserError: The file there is damaged.
    """
    if overwrite:
        (out / FILE).unlink(missing_ok=True)
    if not (out / FILE).exists():  # whose picture it is
        require_own_png("--out", out / PICTURE, COMMAND, overwrite)
    CorruptionReport.check(
        out,
        {
            "corruptions_version": VERSION,
            "data": dataset.name,
            "split": dataset.split,
            "weights": weights,
            "seed": seed,
        },
    )


def describe(dataset: SegmentationDataset, clean: Evaluation) -> Mapping[str, Any]:
    """The settings that figures depend on, besides weights and seed."""
    others = {"gate": clean.gate, "fusion": clean.fusion}  # left out where they are the default
    names = "\n".join(sample.name for sample in dataset.samples[: clean.images])
    return {
        "corruptions_version": VERSION,
        "data": clean.data,
        "split": clean.split,
        "note": clean.note,
        "images": clean.images,
        "image_names": f"{zlib.crc32(names.encode('utf-8', 'surrogateescape')):08x}",
        "scales": list(clean.scales),
        "flip": clean.flip,
        "mode": clean.mode,
        **{key: value for key, value in others.items() if value},
    }
