"""All settings of an SDC-Net training; the docstring of a field is its help. No torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hierseg.size import Size


@dataclass(frozen=True)
class SdcNetModel:
    """The network."""

    form: Literal["reconstruction", "prediction"] = "reconstruction"
    """reconstruction takes the frame to predict and the two before it; prediction takes two frames,
    and predicts the next."""
    width: int = 32
    """Channels of the first layer, a multiple of 4; 32 as published. Fewer channels make the
    network faster and less accurate."""
    weights: Path | None = None
    """Start from this file of SDC-Net, in hierseg's format or the published one; by default from a
    new network, which returns its input flow."""


@dataclass(frozen=True)
class SdcNetData:
    """The training data."""

    root: Path | None = None
    """Any tree of folders with frames or videos. The frames of a clip lie in one folder, in the
    order of the last numbers in their names. Of a data set in Cityscapes' layout,
    leftImg8bit_sequence is read, with train for training and val for validation."""
    val_root: Path | None = None
    """Another such tree for validation; by default the last tenth of each clip, or split val."""
    val_count: int = 32
    """Number of frames to predict in a validation, spread evenly over the clips."""
    flow: str = "dis"
    """Estimator of the network's input flow: dis, raft:FILE, raft:download or folder:DIR."""
    crop: Size = Size(448, 448)
    """Size of a crop, HEIGHTxWIDTH, limited to the size of the frames. Crops are padded by
    reflection to multiples of 64."""
    reverse: float = 0.5
    """Probability of using the three frames of a sample in reverse order."""
    batch: int = 4
    """Crops per step."""
    workers: int = 2
    """Worker processes that read frames and estimate flow; 0 uses the training process."""


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
    """Seed; a crop's randomness depends only on (seed, step, position in the batch)."""
    device: str = "auto"
    """auto, cpu, cuda, or cuda:N."""
    log_every: int = 20
    """Steps between rows of steps.csv."""
    save_every: int = 500
    """Steps between checkpoints."""
    validate_every: int = 1000
    """Steps between validations; the last step is always validated."""
    keep: int = 2
    """Number of latest checkpoints to keep for resuming."""


@dataclass(frozen=True)
class SdcNetExperiment:
    """SDC-Net, which learns the flow between frames from clips without labels (arXiv 1812.01593).

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
        """The settings as JSON holds them: ``"part.field"`` -> value."""
        return {
            f"{part.name}.{one.name}": _plain(getattr(getattr(self, part.name), one.name))
            for part in dataclasses.fields(self)
            for one in dataclasses.fields(getattr(self, part.name))
        }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Size | Path) else value
