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
) -> None:
    """Draw street scenes with exact labels, in Cityscapes' classes and folder layout.

    An interrupted run is completed by the same command.

    Args:
        out: Folder for the data set; it must be new, empty, or begun by the same command.
        count: Number of scenes, over both splits.
        size: Size of a scene.
        seed: Sets of different seeds have no scene in common; the same seed gives the same set.
        val_fraction: Share of the scenes that goes to the val split, 0 to 1; the rest is train.
        workers: Processes that draw; two where there is enough to do if none is given.
        overwrite: Draw into a folder that holds something else, and replace its files.
    """
    from hierseg.commands.progress import announce, show_progress
    from hierseg.errors import UsageError, make_printable

    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} cannot draw; give 1 or more.")
    with announce("starting"):
        from hierseg.streets import write_streets

    with show_progress("drawing") as on_progress:
        write_streets(out, count, size, seed, val_fraction, workers, on_progress, overwrite)
    scenes = f"1 scene of {size} is" if count == 1 else f"{count} scenes of {size} are"
    said = f"{scenes} in {out}; use them as --data cityscapes --root {out}"
    print(make_printable(said))
