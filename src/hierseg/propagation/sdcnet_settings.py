"""Everything that a training of SDC-Net depends on; a field's docstring is its help. No torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hierseg.size import Size


@dataclass(frozen=True)
class SdcNetModel:
    """Which network."""

    form: Literal["reconstruction", "prediction"] = "reconstruction"
    """Reconstruction sees the frame that is made, with two frames before it; prediction sees two
    frames alone, and makes the next."""
    width: int = 32
    """Channels of the first layer, a multiple of 4; 32 as published. Fewer make the network faster
    and weaker."""
    weights: Path | None = None
    """Start from this file of SDC-Net, ours or in the published form; by default from a network
    that gives the flow it takes in."""


@dataclass(frozen=True)
class SdcNetData:
    """What is trained on."""

    root: Path | None = None
    """Any tree of folders of frames and of videos. The frames of a clip lie in one folder, in the
    order of the numbers that their names end with. Of a data set in Cityscapes' layout
    leftImg8bit_sequence is read, train and val each for itself."""
    val_root: Path | None = None
    """Such a tree to validate on; by default the last tenth of each clip, or the split val."""
    val_count: int = 32
    """Frames that validation makes, spread evenly over the clips."""
    flow: str = "dis"
    """What estimates the flow that the network takes in: dis, raft:FILE, raft:download or
    folder:DIR."""
    crop: Size = Size(448, 448)
    """Size of a crop, HEIGHTxWIDTH, or less where frames are smaller. Sides are reflected up to
    multiples of 64."""
    reverse: float = 0.5
    """Probability of taking three frames backwards in time."""
    batch: int = 4
    """Crops a step."""
    workers: int = 2
    """Worker processes that read frames and estimate flow; 0 does it in the training process."""


@dataclass(frozen=True)
class SdcNetOptim:
    """Optimiser: Adam."""

    lr: float = 1e-4
    """Learning rate."""
    steps: int = 20_000
    """Number of steps."""


@dataclass(frozen=True)
class SdcNetRuntime:
    """Where and how the run is executed."""

    out: Path | None = None
    """Run folder; it must be empty or new unless the run is resumed."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""
    seed: int = 0
    """Seed; a crop's randomness comes from (seed, step, place in the batch)."""
    device: str = "auto"
    """auto, cpu, cuda, or cuda:N."""
    log_every: int = 20
    """Steps between rows of steps.csv."""
    save_every: int = 500
    """Steps between checkpoints."""
    validate_every: int = 1000
    """Steps between validations; there is one at the end in any case."""
    keep: int = 2
    """Number of latest checkpoints to keep for resuming."""


@dataclass(frozen=True)
class SdcNetExperiment:
    """SDC-Net, which moves frames: the flow from a frame to the next, learned from clips alone.

    Command: `hierseg train sdcnet --data.root CLIPS --runtime.out runs/sdcnet`.

    Data: clips without labels, such as Cityscapes' leftImg8bit_sequence, or those of
    `hierseg streets --clip 30`.

    Use: `--flow sdcnet:runs/sdcnet`; `hierseg flow CLIPS --flow sdcnet:runs/sdcnet dis` compares
    it.
    """

    model: SdcNetModel = field(default_factory=SdcNetModel)
    data: SdcNetData = field(default_factory=SdcNetData)
    optim: SdcNetOptim = field(default_factory=SdcNetOptim)
    runtime: SdcNetRuntime = field(default_factory=SdcNetRuntime)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold: flag without dashes -> value."""
        return {
            f"{part.name}.{one.name}": _plain(getattr(getattr(self, part.name), one.name))
            for part in dataclasses.fields(self)
            for one in dataclasses.fields(getattr(self, part.name))
        }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Size | Path) else value
