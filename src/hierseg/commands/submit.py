"""`hierseg submit`: a zip of label maps for a benchmark's server, checked before it is written."""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.commands.places import check_inputs, check_place, hold_folders
from hierseg.commands.runner import RunnerFlags, load_predictor, name_for_all, send_to
from hierseg.commands.running import refuse_with_predictions, require_scales
from hierseg.distributed import first_before_others, join_processes
from hierseg.errors import UsageError, UserError, make_printable
from hierseg.files import LOCK
from hierseg.options import WHOLE, RunOptions
from hierseg.ownership import FileRecord
from hierseg.processes import own_rank
from hierseg.urls import Mirrors, Staging, refuse_urls
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import LabelFile


def submit(
    data: str,
    out: Path,
    root: Path | None = None,
    split: str = "test",
    weights: str | None = None,
    device: str = "auto",
    predictions: Path | None = None,
    palette: Literal["indices", "values"] | None = None,
    overwrite: bool = False,
    how: RunOptions = WHOLE,
    where: RunnerFlags = RunnerFlags(),  # noqa: B008 - frozen
) -> None:
    """Make a submission for a benchmark's server: a zip of label maps with the server's ids, names
    and sizes, which are checked before it is written.

    The same command continues an interrupted run; until the zip is written, its label maps are kept
    in OUT.work.

    Args:
        data: Benchmark: cityscapes, kitti, mapillary, or mapillary-v2.0.
        out: Zip file to write.
        root: Folder of the data set.
        split: Split to submit.
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        device: auto, cpu, or cuda.
        predictions: Submit the label maps of this folder instead of a network's: raw ids, NAME.png
            or NAME_....png, written by `hierseg predict`, `hierseg autolabel` or any other tool.
        palette: How to read --predictions with a palette of greys: ids are its indices or its
            greys.
        overwrite: Replace an existing zip.
        how: How the network is run.
        where: Where images are run.
    """
    from hierseg.commands.progress import announce, show_progress
    from hierseg.data import open_dataset

    refuse_urls("submit", out, predictions)
    _check_out(out, overwrite)
    where.check()
    if predictions is not None and where.runner != "local":
        raise UsageError("--runner ray runs a network, and --predictions has none; leave it out.")
    if predictions is not None:
        refuse_with_predictions(how, weights=weights)
    _require_predictions(palette, predictions)
    with Staging() as staging:
        with announce("looking at what is there"):
            root = staging.bring_root(root)
        check_inputs(data, root, split, weights)
        with announce("loading torch"):
            from hierseg.evaluation import check_names, find_form, write_submission

        find_form(data)
        how, mirrors = how.resolve(), staging.mirrors
        if predictions is None:
            require_scales(weights, how)
        dataset = open_dataset(data, root, split, keep_unpaired=True)
        check_names(dataset)
        with join_processes():
            if predictions is None:
                size = _submit_network(dataset, root, out, weights, how, device, where, mirrors)
            elif own_rank() == 0:
                files = _find_maps(dataset, predictions, mirrors)
                with show_progress("checking and packing") as on_progress:
                    size = write_submission(out, dataset, files, on_progress, palette)
            if own_rank() == 0:
                said = f"{count(len(dataset), 'label map')}, {size / 1e6:.1f} MB: {out}"
                print(make_printable(said))


def _submit_network(
    dataset: SegmentationDataset,
    root: Path | None,
    out: Path,
    weights: str | None,
    how: RunOptions,
    device: str,
    where: RunnerFlags,
    mirrors: Mirrors,
) -> int:
    """Label all images, and write the zip; gives its bytes. Of several processes the first writes
    it.
    """
    from hierseg.commands.progress import show_progress
    from hierseg.evaluation import write_submission

    work, size = out.with_name(f"{out.name}.work"), 0
    with hold_folders(("--out", work)):
        with first_before_others():
            if own_rank() == 0:
                _require_own(work)
        _label(dataset, root, work, weights, how, device, where, mirrors)
        if own_rank() == 0:
            files = _find_maps(dataset, work, mirrors)
            with show_progress("checking and packing") as on_progress:
                size = write_submission(out, dataset, files, on_progress)
            _remove_own(work)
    if own_rank() == 0:
        with suppress(OSError):  # another run may have come for it
            work.rmdir()
    return size


def _require_predictions(palette: str | None, predictions: Path | None) -> None:
    if palette is not None and predictions is None:
        raise UsageError("--palette is for --predictions; add that, or leave out --palette.")


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".zip":
        raise UsageError(
            f"--out {out} is not named *.zip; name a zip file, such as submission.zip."
        )
    check_place("--out", out)
    if out.exists() and not overwrite:
        raise UsageError(f"--out {out} exists; choose another file, or add --overwrite.")


def _list_work(work: Path) -> set[Path]:
    """What an earlier run of this command has left in its folder, as far as it is known to be its
    own: label maps and confidences by their records, the records, and hidden files.
    """
    from hierseg.data import find_auto_records

    own = {path for path in work.rglob("*") if path.name.startswith(".") or _is_hidden(path, work)}
    for part in find_auto_records(work):
        own |= {work / place for r in part.records.values() for place in (r.label, r.confidence)}
        own |= {part.path, *work.glob(f"{part.header.split}_summary*")}
    record = FileRecord(work, "autolabel")
    return own | {path for path in work.rglob("*") if path.relative_to(work).as_posix() in record}


def _is_hidden(path: Path, work: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(work).parts)


def _require_own(work: Path) -> None:
    """UserError where the folder that is removed in the end holds something of someone else."""
    own = _list_work(work)
    for path in work.rglob("*"):
        if path not in own and (path.is_symlink() or not path.is_dir()):
            raise UserError(
                f"{work} is not what an earlier run of this command has left; move it away, or "
                f"choose another --out ('{path}' is not a file of such a run)."
            )


def _remove_own(work: Path) -> None:
    """Remove what this command has written; other files stay."""
    for path in _list_work(work):
        if path.name != LOCK and (path.is_symlink() or not path.is_dir()):
            path.unlink(missing_ok=True)
    for folder in sorted((p for p in work.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):
            folder.rmdir()


def _label(
    dataset: SegmentationDataset,
    root: Path | None,
    work: Path,
    weights: str | None,
    how: RunOptions,
    device: str,
    where: RunnerFlags,
    mirrors: Mirrors,
) -> None:
    """Label every image into a folder, where an interrupted run continues."""
    from hierseg.autolabel import autolabel
    from hierseg.commands.outlook import Outlook
    from hierseg.commands.progress import announce, make_console
    from hierseg.commands.running import load_runnable, name_weights
    from hierseg.engines import keep_freed_memory
    from hierseg.evaluation import check_classes
    from hierseg.inference import Predictor

    with announce("loading the weights"):
        network = load_runnable(weights, device)
    check_classes(network, dataset)
    keep_freed_memory()
    space = dataset.label_space
    predictor = Predictor(network, label_space=space, options=how)
    load = functools.partial(load_predictor, name_for_all(weights), device, space, how)
    console = make_console(stderr=True)
    with where.open(device) as workers:
        sent = send_to(workers, load)
        outlook = Outlook(name_weights(weights), predictor.segmenter, sent is None)
        summary = autolabel(
            predictor, dataset, work, root=root, console=console, workers=sent, mirrors=mirrors,
            before=outlook.say,
        )  # fmt: skip
    for image, reason in summary.skipped.items() if own_rank() == 0 else ():
        raise UserError(
            f"{count(len(summary.skipped), 'image')} could not be labelled and a server wants all "
            f"of them: '{image}': {reason}."
        )


def _find_maps(dataset: SegmentationDataset, folder: Path, mirrors: Mirrors) -> list[LabelFile]:
    """The label map of each image, and the size that it must be of; UserError without one."""
    from hierseg.data import read_image_header
    from hierseg.evaluation import LabelFile, LabelMaps

    maps = LabelMaps(folder, dataset, "raw")
    maps.require(len(dataset))
    files = []
    for sample in dataset.samples:
        path = maps.find(sample)
        assert path is not None  # require
        with mirrors.having(sample.image):
            files.append(LabelFile(sample.name, path, read_image_header(sample.image).size))
    return files
