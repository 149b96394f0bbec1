"""What a run needs to continue as if it had not stopped: ``last.state.pt``."""

from __future__ import annotations

import os
import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import Precision

from hierseg.errors import UserError
from hierseg.models import SegmentationNetwork
from hierseg.training.averaging import WeightAverage

FORMAT_VERSION = 1


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: Epochs completed; the number of the one that is being trained.
        position: Steps of that epoch that are done.
        step: Steps done in all.
        best_miou: Best mIoU on the validation split so far, in [0, 1]; -1 before the first.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    best_miou: float = -1.0

    def advance(self) -> None:
        """Count a step."""
        self.position += 1
        self.step += 1

    def finish_epoch(self) -> None:
        """Count an epoch."""
        self.epoch += 1
        self.position = 0


@dataclass
class TrainingState:
    """The parts of a run that change with every step; saved to a file and restored in place."""

    network: SegmentationNetwork
    optimiser: torch.optim.Optimizer
    precision: Precision
    average: WeightAverage[SegmentationNetwork] | None
    progress: Progress = field(default_factory=Progress)

    def save(self, path: Path) -> None:
        """Write atomically: whoever reads ``path`` finds the old state or the new one, whole."""
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "precision": self.precision.state_dict(),
            "progress": asdict(self.progress),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        if self.average is not None:
            content["average"] = self.average.network.state_dict()
            content["average_updates"] = self.average.updates
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        """Take over what ``save`` wrote; UserError where the file does not fit this run."""
        content = _read(path)
        try:
            self.network.load_state_dict(content["network"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.precision.load_state_dict(content["precision"])
            if self.average is not None:
                self.average.network.load_state_dict(content["average"])
                self.average.updates = content["average_updates"]
            self.progress = Progress(**content["progress"])
            torch.set_rng_state(content["random"])
            if torch.cuda.is_available() and content["random_cuda"]:
                torch.cuda.set_rng_state_all(content["random_cuda"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{path} does not fit this run's network; start anew with another --runtime.out."
            ) from error


def _read(path: Path) -> dict[str, Any]:
    damaged = f"{path} is damaged and cannot be resumed; start anew with another --runtime.out."
    # What is no zip file goes to torch's reader of its older form, which fails in many ways.
    if not zipfile.is_zipfile(path):
        raise UserError(damaged)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(damaged) from error
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path} is not a training state of this version of hierseg; "
            "start anew with another --runtime.out."
        )
    return content
