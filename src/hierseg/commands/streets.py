"""`hierseg streets`: draw Miniature Streets, a data set of street scenes with exact labels."""

from __future__ import annotations

from pathlib import Path

from hierseg.size import Size


def streets(
    out: Path,
    count: int = 200,
    size: Size = Size(256, 512),
    seed: int = 0,
    val_fraction: float = 0.2,
    workers: int | None = None,
    overwrite: bool = False,
    clip: int | None = None,
) -> None:
    """Draw street scenes with exact labels, in Cityscapes' classes and folder layout.

    The same command completes an interrupted run.

    Args:
        out: Folder for the data set: new, empty, or of an earlier run of the same command.
        count: Number of scenes, or of clips, in both splits together.
        size: Size of a scene.
        seed: The same seed gives the same scenes; different seeds have no scene in common.
        val_fraction: Share of the scenes in the val split, 0 to 1; the others are train.
        workers: Number of processes that draw; by default two, or one for small sets.
        overwrite: Draw into a folder that holds other files, and replace them.
        clip: Draw clips of this many frames, at most 120: the camera drives, things move. All
            frames are written, with their labels and the exact flow between them.
    """
    from hierseg.commands.progress import announce, show_progress
    from hierseg.errors import UsageError, make_printable
    from hierseg.wording import count as count_of
    from hierseg.wording import count_are

    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} cannot draw; give 1 or more.")
    with announce("starting"):
        from hierseg.streets import write_streets

    with show_progress("drawing") as on_progress:
        write_streets(out, count, size, seed, val_fraction, workers, on_progress, overwrite, clip)
    if clip is None:
        scenes = f"1 scene of {size} is" if count == 1 else f"{count} scenes of {size} are"
    else:
        scenes = f"{count_of(count, 'clip')} of {count_are(clip, 'frame')}"
    said = f"{scenes} in {out}; use them as --data cityscapes --root {out}"
    print(make_printable(said))
