"""`hierseg propagate`: labels for the frames around labelled ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.errors import UsageError, UserError, make_printable
from hierseg.wording import count, count_are

if TYPE_CHECKING:
    from hierseg.labels import LabelSpace
    from hierseg.propagation import FrameSource, PropagationSummary

SOME_MISSING = 3
NOTHING_DONE = 1
_MOST_STEPS = 100


def propagate(
    out: Path,
    data: str | None = None,
    root: Path | None = None,
    split: str = "train",
    frames: Path | None = None,
    labels: Path | None = None,
    steps: int = 5,
    flow: str = "dis",
    mode: Literal["joint", "labels"] = "joint",
    keep_all: bool = False,
    device: str = "cpu",
    workers: int = 1,
    val_fraction: float = 0.2,
    samples: int = 12,
    overwrite: bool = False,
) -> int:
    """Carry the labels of single frames to the frames before and after them, for training.

    Image and labels are moved together by the same flow, so that they stay aligned even where the
    flow is wrong. Labels become ignore where they leave the picture, or where the flow there and
    back, or the colours, disagree. The result is a new data set, with confidences as `hierseg
    autolabel` writes them and a page of samples, index.html. The same command continues a run that
    was stopped. Exit status: 0 all was done, 3 something was missing, 1 nothing was done.

    Args:
        out: Folder of the new data set: in the layout of Cityscapes, or described by the file
            propagated.json.
        data: cityscapes, for its sequences in --root. With --frames: the meaning of the ids in the
            label maps, as a data set or a file that describes one; by default a labels.json beside
            the label maps gives it, and without that file each id is a class.
        root: Folder of Cityscapes, with leftImg8bit_sequence and gtFine.
        split: Split of Cityscapes: train, val, or train+val.
        frames: Folder of frames, each clip in a folder or with names of its own before the number;
            or a video.
        labels: Folder of the label maps of some frames, under the names of the frames; of a video,
            names that end with the frame's number, counted from 0.
        steps: Number of frames to carry labels to, in each direction.
        flow: What estimates the motion: dis, raft:FILE, raft:download, sdcnet:FILE, or
            folder:DIR of files.
        mode: joint writes the moved image with the moved labels, labels the real frame with them.
        keep_all: Keep every label, as the published method does.
        device: Where a network that estimates flow runs.
        workers: Number of labelled frames to work on at the same time.
        val_fraction: Share of the labelled frames of a folder or a video that is kept for
            validation and not propagated, 0 to 1: whole clips where there are several.
        samples: Number of labelled frames on the page of samples; 0 for no page.
        overwrite: Start again in a folder that holds something else.
    """
    from hierseg.commands.progress import announce, make_console

    if not 0 <= val_fraction < 1:
        raise UsageError(f"--val-fraction must be at least 0 and below 1, not {val_fraction:g}.")
    _check(data, root, frames, labels, steps, workers, samples, out)
    with announce("loading torch"):
        from hierseg.checkpoint import open_flow
        from hierseg.propagation import Rules
        from hierseg.propagation import propagate as run

    estimator = open_flow(flow, device)
    with announce("looking for frames"):
        source = _open(data, root, split, frames, labels, steps, val_fraction)
    rules = Rules(steps, mode, keep_all)
    console = make_console(stderr=True)
    summary = run(source, out, estimator, rules, console, overwrite, workers, samples)
    return _report(summary, source.data, split, out)


def _check(
    data: str | None,
    root: Path | None,
    frames: Path | None,
    labels: Path | None,
    steps: int,
    workers: int,
    samples: int,
    out: Path,
) -> None:
    for flag, value, least in (("--steps", steps, 1), ("--workers", workers, 1)):
        if value < least:
            raise UsageError(f"{flag} {value} is too small; give {least} or more.")
    if steps > _MOST_STEPS:
        raise UsageError(f"--steps {steps} is too far; give at most {_MOST_STEPS}.")
    if samples < 0:
        raise UsageError(f"--samples {samples} is negative; give 0 or more.")
    if frames is None:
        if labels is not None:
            raise UsageError("--labels is for a folder of frames or a video; add --frames.")
        if data != "cityscapes":
            raise UsageError(
                "give --data cityscapes with its folder as --root, or --frames with --labels."
            )
        if root is None:
            raise UsageError("cityscapes needs its folder; add --root.")
        if not root.is_dir():
            raise UserError(f"'{root}' is not a folder; give --root the one of cityscapes.")
        _require_apart(out, root / "leftImg8bit", "--root")
        return
    if labels is None:
        raise UsageError("--frames needs the label maps of some frames; add --labels.")
    if root is not None:
        raise UsageError("--root is for cityscapes, and --frames names its own; leave out --root.")
    for flag, path in (("--frames", frames), ("--labels", labels)):
        if not path.exists():
            raise UserError(f"{flag} '{path}' does not exist; check the path.")
    if not labels.is_dir():
        raise UserError(f"--labels '{labels}' is not a folder; name the one of the label maps.")
    if frames.is_dir():
        if frames.resolve() == labels.resolve():
            raise UsageError("--frames and --labels are one folder; keep label maps in their own.")
        _require_apart(out, frames, "--frames")


def _require_apart(out: Path, folder: Path, flag: str) -> None:
    """UsageError where what is written would be among what is read."""
    place = out.resolve()
    if folder.resolve() in (place, place / folder.name, *place.parents):
        raise UsageError(
            f"--out '{out}' lies in the folder of {flag}, where its frames would be taken for real "
            "ones; choose another."
        )


def _open(
    data: str | None,
    root: Path | None,
    split: str,
    frames: Path | None,
    labels: Path | None,
    steps: int,
    val_share: float,
) -> FrameSource:
    from hierseg.media import is_video
    from hierseg.propagation import CityscapesSequence, FrameFolder, FrameVideo

    if frames is None:
        assert root is not None
        return CityscapesSequence(root, split)
    assert labels is not None
    space = _choose_space(data, labels)
    if is_video(str(frames)):
        return FrameVideo(frames, labels, space, steps, val_share)
    if not frames.is_dir():
        raise UserError(f"--frames '{frames}' is neither a folder nor a video; name one of these.")
    return FrameFolder(frames, labels, space, val_share)


def _choose_space(data: str | None, labels: Path) -> LabelSpace:
    """What the ids in the label maps mean."""
    from hierseg.data import is_description, read_description, read_label_space
    from hierseg.labels import LABEL_SPACES
    from hierseg.propagation import find_label_space

    if data is not None and is_description(data):
        described = read_description(Path(data))
        if described.colors is not None:
            raise UserError(
                f"'{data}' has label maps of colours, and those in --labels must hold ids; convert "
                "them first."
            )
        return described.label_space
    if data is not None:
        if data not in LABEL_SPACES:
            known = ", ".join(LABEL_SPACES)
            raise UsageError(
                f"--data {data} names no known classes; give {known}, or a file that describes "
                "your own."
            )
        return LABEL_SPACES[data]
    for place in (labels, labels.parent):
        if (place / "labels.json").is_file():
            return read_label_space(place / "labels.json")
    return find_label_space(labels)


def _report(summary: PropagationSummary, data: str, split: str, out: Path) -> int:
    """Say what was made and what was missing, and give the exit status."""
    from hierseg.propagation import DESCRIPTION

    shares = ", ".join(f"{100 * kept:.1f}" for kept in summary.kept.values())
    alone = f", {summary.alone} more kept for validation" if summary.alone else ""
    print(
        f"{count(summary.labelled, 'labelled frame')} propagated to "
        f"{count(summary.made, 'frame')}{alone}; pixels with a class by step, in %: {shares or '-'}"
    )
    if summary.labelled:
        use = f"{out / DESCRIPTION}" if data != "cityscapes" else f"cityscapes --root {out}"
        parts = split.split("+") if data == "cityscapes" else ["train"]
        use += "" if summary.alone or len(parts) > 1 else f" --splits {parts[0]}"
        page = f"; look at {summary.page}" if summary.page is not None else ""
        print(make_printable(f"check them: hierseg check {use}{page}"))
    missing = [*summary.problems, *summary.skipped.values()]
    for sentence in missing[:20]:
        print(make_printable(sentence), file=sys.stderr)
    if len(missing) > 20:
        more = count_are(len(missing) - 20, "more sentence")
        print(f"{more} on the page of samples.", file=sys.stderr)
    if not summary.labelled:
        return NOTHING_DONE
    return SOME_MISSING if missing else 0
