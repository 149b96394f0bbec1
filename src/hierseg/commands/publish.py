"""`hierseg publish`: a model as a repository of the Hugging Face Hub, in a folder or sent there."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.errors import UsageError, make_printable

if TYPE_CHECKING:
    from hierseg.exporting import License

OWN_LICENSE = "other"


def publish(
    weights: str,
    /,
    *,
    to: str,
    license: str | None = None,
    license_name: str | None = None,
    license_link: str | None = None,
    figures: tuple[Path, ...] = (),
    picture: Path | None = None,
    private: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a model as a repository of the Hugging Face Hub: weights as safetensors, a card with
    licence and measured figures, its classes, and a segmented picture.

    With --to FOLDER nothing leaves the machine; with --to hf:owner/name the files are sent there.
    Others then use it as --weights hf:owner/name.
    Example: hierseg publish runs/mine --to on-the-hub --license apache-2.0

    Args:
        weights: Run folder, checkpoint file, or packaged weights.
        to: A folder, or hf:owner/name on the Hub.
        license: Licence of the weights, by the Hub's identifier: apache-2.0, cc-by-4.0, or other.
        license_name: Name of the licence, with --license other.
        license_link: Address of its text, with --license other.
        figures: Files that `hierseg evaluate --json` has written of these weights; by default what
            `hierseg finetune` found at its end, or the figures that the weights themselves hold.
        picture: An image to segment for the card; by default a drawn scene.
        private: Make a new repository on the Hub private.
        overwrite: Replace files in the folder that hierseg did not write, or the files of an
            existing repository.
    """
    chosen = _choose_license(license, license_name, license_link)
    from hierseg.checkpoint import check_repository, find_weights, is_on_hub, require_token

    on_hub = is_on_hub(to)
    if private and not on_hub:
        raise UsageError("--private is for the Hub; give --to hf:owner/name with it.")
    if on_hub:
        check_repository(to)
        require_token(to)
    path = find_weights(weights)
    if picture is not None and not picture.is_file():
        raise UsageError(f"there is no picture {picture}; check --picture.")
    from hierseg.commands.progress import announce

    with announce("loading the weights"):
        from hierseg.checkpoint import load_model, upload_repository
        from hierseg.exporting import read_figures, require_own_repository, write_repository

        own = Path(weights) / "finetune.json"
        measured = [read_figures(file) for file in figures or ([own] if own.is_file() else [])]
        if not on_hub:
            _check_folder(Path(to), path)
            require_own_repository(Path(to), overwrite)
        network = load_model(path)
    if not on_hub:
        folder = Path(to)
        address = f"hf:OWNER/{folder.absolute().name}"
        with announce(f"writing {to}"):
            files = write_repository(folder, network, path, chosen, address, measured, picture)
        for file in files:
            print(make_printable(str(file)))
        print("nothing was sent; read README.md, and put your name in the place of OWNER")
        return
    with tempfile.TemporaryDirectory() as place:
        with announce("writing the repository"):
            write_repository(Path(place), network, path, chosen, to, measured, picture)
        with announce(f"sending it to {to}"):
            found = upload_repository(Path(place), to, private, overwrite)
    print(make_printable(found))
    print(make_printable(f"use it as --weights {to}"))


def _choose_license(name: str | None, title: str | None, link: str | None) -> License:
    from hierseg.exporting import License

    if name is None:
        raise UsageError(
            "the licence of the weights is missing, without which nobody may use them; name it "
            "with --license (apache-2.0, cc-by-4.0, cc-by-nc-4.0, other, ...)."
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name, re.ASCII):
        raise UsageError(
            f"--license {name} is not an identifier of the Hub, which are in small letters: "
            "apache-2.0, cc-by-4.0, other, ..."
        )
    if (name == OWN_LICENSE) != (title is not None) or (title is None) != (link is None):
        raise UsageError(
            "--license-name and --license-link say what --license other is; give all three, or "
            "another --license alone."
        )
    return License(name, title, link)


def _check_folder(folder: Path, weights: Path) -> None:
    """Refuse a folder that is none, or that holds the weights that are read."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--to {folder} is a file; name a folder, or hf:owner/name.")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {folder.absolute().parent} for --to; make it.")
    if weights.resolve().parent == folder.resolve():
        raise UsageError(f"--to {folder} is the folder of the weights; name another one.")
