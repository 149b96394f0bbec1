"""`hierseg flow`: compare estimators of flow on clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hierseg.propagation import FlowFigures


def flow(
    clips: Path,
    /,
    flow: tuple[str, ...] = ("dis",),
    truth: Path | None = None,
    count: int = 100,
    device: str = "auto",
    json: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Compare estimators of the flow between frames: each predicts frames from those before them.

    The figures compare predicted frames with real ones: PSNR in decibels, SSIM, and the
    interpolation error, which is the mean distance of colours in grey values. The same figures are
    given for repeating the frame before.

    Args:
        clips: Any tree of folders of frames and of videos.
        flow: Estimators: dis, raft:FILE, raft:download, sdcnet:FILE, folder:DIR.
        truth: Folder of exact flow, as `hierseg streets --clip` writes it to flow_sequence; then
            the end-point error, in pixels, is given, too.
        count: Number of frames to predict, spread evenly over the clips.
        device: auto, cpu, cuda, or cuda:N.
        json: Also write the figures to this file.
        overwrite: Replace a file that is there.
    """
    from hierseg.commands.places import check_result, write_result
    from hierseg.commands.progress import announce, show_progress
    from hierseg.errors import UsageError

    if count < 1:
        raise UsageError(f"--count {count} makes no frame; give 1 or more.")
    check_result("--json", json, "flow", overwrite)
    with announce("loading torch"):
        from hierseg.assembly import choose_device
        from hierseg.checkpoint import open_flow
        from hierseg.flow import FolderFlow
        from hierseg.propagation import choose_triples, evaluate_flow, find_clips

    place = choose_device(device, "--device")
    estimators = [(asked, open_flow(asked, place)) for asked in dict.fromkeys(flow)]
    exact = None if truth is None else FolderFlow(truth)
    found = find_clips(clips, flag="CLIPS")
    with show_progress("making frames") as on_progress:
        figures = evaluate_flow(found, choose_triples(found, count), estimators, exact, on_progress)
    _print_table(figures)
    if json is not None:
        write_result(json, {"flow": [one.to_dict() for one in figures]}, "flow")


def _print_table(figures: list[FlowFigures]) -> None:
    """A line for each estimator; a dash for an unknown figure."""
    import math

    from hierseg.errors import make_printable

    width = max(len(one.name) for one in figures)
    print(f"{'':<{width}}  PSNR dB    SSIM   error  end-point  seconds")
    for one in figures:
        scores = one.scores
        distance = "-" if math.isnan(one.distance) else f"{one.distance:.3f}"
        print(
            f"{make_printable(one.name):<{width}}  {scores.psnr:7.2f}  {scores.ssim:6.4f}  "
            f"{scores.error:6.2f}  {distance:>9}  {one.seconds:7.3f}"
        )
    frames = figures[0].frames
    print(f"{frames} frame{'' if frames == 1 else 's'} made")
