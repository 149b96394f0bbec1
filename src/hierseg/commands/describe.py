"""`hierseg describe`: the file that describes a folder of images and masks."""

from __future__ import annotations

from pathlib import Path

from hierseg.commands.volume import remark
from hierseg.errors import UsageError


def describe(
    folder: Path,
    /,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Print a description of your own data, for --data and `hierseg check`.

    A summary of what was found goes to standard error.

    Args:
        folder: A folder of images and masks, in a layout that `hierseg finetune` understands.
        seed: Seed of the split, if the folder names no splits.
        out: Write data.yaml, the table of pairs, and the masks that polygons become, into this
            folder.
    """
    from hierseg.commands.progress import show_steps
    from hierseg.data import describe_by_globs, recognise_folder, write_own_data

    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} is there and not empty; name a new folder.")
    with show_steps() as on_progress:
        data = recognise_folder(folder, None if out is None else out / "masks", seed, on_progress)
    remark(data.describe())
    if out is not None:
        print(write_own_data(data, out))
        return
    text = describe_by_globs(data)
    if text is None:
        raise UsageError(
            f"no single pattern matches the images of '{folder}' and their masks; write a list of "
            "them with --out DIR."
        )
    print(text, end="")
