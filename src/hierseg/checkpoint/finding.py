"""Finds the weights file that a path, a run folder or a name stands for. No torch."""

from __future__ import annotations

import os
from pathlib import Path

from hierseg.assets import expand_assets
from hierseg.checkpoint.hub import fetch_weights, is_on_hub
from hierseg.errors import UsageError, UserError
from hierseg.wording import find_nearest

DEFAULT_WEIGHTS = "streetlite"
RUN_CHECKPOINTS = ("best.safetensors", "last.safetensors")
WEIGHTS_FOLDER = Path(__file__).resolve().parents[1] / "weights"


def packaged_weights() -> dict[str, Path]:
    """The checkpoints inside the package, by name."""
    return {path.stem: path for path in sorted(WEIGHTS_FOLDER.glob("*.safetensors"))}


def find_weights(source: str | Path | None = None) -> Path:
    """The weights file that a user names.

    Args:
        source: A file, a run folder (its best checkpoint, else its last), the name of packaged
            weights, ``hf:owner/name`` on the Hub, or None for the default ones. A path may begin
            with ``ASSETS_PATH/`` (``hierseg.assets``).

    Raises:
        UsageError: There are no such weights.
        UserError: The default weights are not installed, or the Hub's file cannot be downloaded.
    """
    packaged = packaged_weights()
    if source is None:
        if DEFAULT_WEIGHTS not in packaged:
            raise UserError(
                f"the packaged weights '{DEFAULT_WEIGHTS}' are not in this installation; name a "
                "checkpoint file or a run folder (--weights)."
            )
        return packaged[DEFAULT_WEIGHTS]
    if str(source) in packaged:
        return packaged[str(source)]
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise UsageError(
            f"{source!r} names no weights; give a checkpoint file, a run folder, or a name of "
            "packaged weights."
        )
    if is_on_hub(source):
        return fetch_weights(str(source))
    source = expand_assets(os.fspath(source))
    path = Path(source)
    if path.is_dir():
        for name in RUN_CHECKPOINTS:
            if (path / name).is_file():
                return path / name
        raise UsageError(
            f"{path} is not a run folder: it has no {' and no '.join(RUN_CHECKPOINTS)}; name a run "
            "folder or a checkpoint file."
        )
    if not path.is_file():
        known = f" (packaged weights: {', '.join(packaged)})" if packaged else ""
        near = find_nearest(source, packaged)
        hint = f"; did you mean '{near}'" if near else ""
        raise UsageError(
            f"there are no weights '{source}': no file, run folder or known name{known}{hint}."
        )
    return path
