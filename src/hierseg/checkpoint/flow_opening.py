"""Estimators of flow by the words that a user names them by."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from hierseg.assets import expand_assets
from hierseg.checkpoint.finding import RUN_CHECKPOINTS
from hierseg.checkpoint.flow_networks import load_raft, load_sdcnet
from hierseg.errors import UsageError, UserError
from hierseg.flow import DisFlow, FlowEstimator, FolderFlow, RaftFlow, SdcNetFlow

FORMS = "dis, raft:FILE, raft:download, sdcnet:FILE or folder:DIR"
DOWNLOAD = "download"


def open_flow(
    asked: str = "dis",
    device: str | torch.device = "cpu",
    flag: str = "--flow",
    inputs: str | None = None,
) -> FlowEstimator:
    """The estimator that a user asks for.

    Args:
        asked: ``dis`` (OpenCV's, without weights); ``raft:FILE``, a file of torchvision's RAFT;
            ``raft:download``, which has torchvision's weights fetched, once; ``sdcnet:FILE``, ours
            or in the published form, or a folder of its training; ``folder:DIR``, flow that was
            computed elsewhere.
        device: Where its network runs, if it has one.
        flag: What the setting is called in sentences.
        inputs: What estimates the flow that SDC-Net takes in; by default what it was trained with,
            where that needs no file, or dis.

    Raises:
        UsageError: There is no such estimator.
        UserError: Its file is damaged or of another network, or there is no such device.
    """
    kind, _, place = asked.partition(":")
    if asked == "dis":
        return DisFlow()
    if kind == "folder" and place:
        return FolderFlow(Path(expand_assets(place)))
    if kind == "raft" and place:
        path = _download_raft() if place == DOWNLOAD else _find(place, flag)
        return RaftFlow(_place(load_raft(path), device), device)
    if kind == "sdcnet" and place:
        loaded = load_sdcnet(_find(place, flag))
        if inputs is not None and inputs.partition(":")[0] == "sdcnet":
            raise UsageError(f"SDC-Net cannot take in its own kind of flow ({inputs}); give dis.")
        estimator = open_flow(inputs or "dis", device, flag)
        _place(loaded.network, device)
        return SdcNetFlow(loaded.network, estimator)
    if asked == "raft":
        raise UsageError(
            f"{flag} raft needs weights: name a file of torchvision's RAFT as raft:FILE, or have "
            f"torchvision's fetched by raft:{DOWNLOAD}."
        )
    raise UsageError(f"{flag} {asked} is no estimator of flow; give {FORMS}.")


def _find(place: str, flag: str) -> Path:
    """A file that is there; of a training's folder its best checkpoint, else its last."""
    path = Path(expand_assets(place))
    if path.is_dir():
        for name in RUN_CHECKPOINTS:
            if (path / name).is_file():
                return path / name
        raise UsageError(
            f"{flag}: the folder {path} holds no {' and no '.join(RUN_CHECKPOINTS)}; name a file."
        )
    if not path.is_file():
        raise UsageError(f"{flag}: there is no file {path}; check the path.")
    return path


def _place(network: nn.Module, device: str | torch.device) -> nn.Module:
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"the device '{device}' is not there; use --device cpu.") from error


def _download_raft() -> Path:
    """torchvision's own weights, in torch's folder of downloads; fetched if they are not there."""
    from torchvision.models.optical_flow import Raft_Large_Weights

    url: str = Raft_Large_Weights.DEFAULT.url
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = path.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(url, str(path), digest, progress=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"RAFT's weights cannot be had from {url}; check the connection, or download the "
                "file elsewhere and name it as raft:FILE."
            ) from error
    return path
