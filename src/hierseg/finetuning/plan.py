"""Plans a fine-tuning by the data and the machine: its length, crops, batch and learning rate.

The plan depends on counts alone and times no step. So the same data on the same machine get the
same plan, and an interrupted run goes on as it began.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hierseg.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.finetuning.choices import Choices
from hierseg.finetuning.machine import Machine
from hierseg.size import Size
from hierseg.wording import count

CPU_AREA, GPU_AREA = 224 * 320, 512 * 1024
"""Pixels of the largest crop."""
CPU_EDGE, GPU_EDGE = 1024, 2048
"""Longer images are resized to this length of the longer side, in training and in use."""
CPU_PIXELS, CPU_PIXELS_IMAGE = 50e6, 0.4e6
"""Pixels that a run on a CPU trains on, and further pixels for each image. On two cores 60 million
pixels take two to four minutes."""
GPU_FACTOR = 20.0
MOST_EPOCHS, FEWEST_STEPS = 150, 60
GPU_BYTES_PIXEL = 20e3
"""Bytes of a training step for each pixel of its crops, with a margin."""
CPU_WORKERS, GPU_WORKERS = 2, 8
STRIDE = 32
"""Stride of the coarsest features; they must also exist at scale 0.5."""
FEWEST_VALUES = 4
"""Fewest values of a channel over a batch that batch norm needs."""
RATE, NEW_RATE = 1e-3, 2e-3
"""Learning rates for weights that have the data's classes, and for a new classification layer."""
MOST_VALIDATIONS = 8


@dataclass(frozen=True)
class Plan:
    """The plan of a fine-tuning.

    Attributes:
        epochs: Passes over the training images.
        steps: Steps in all.
        warmup: Steps of the warm-up.
        batch: Images a step.
        crop: Size of a crop.
        long_edge: Longer side in pixels that larger images are resized to; None if none is larger.
        lr: Base learning rate.
        ema: Decay of the moving average of the weights.
        scale_min, scale_max: Range of the random scale.
        precision: bf16 or fp32.
        workers: Processes that load images.
        every: Epochs between validations.
    """

    epochs: int
    steps: int
    warmup: int
    batch: int
    crop: Size
    long_edge: int | None
    lr: float
    ema: float
    scale_min: float
    scale_max: float
    precision: str
    workers: int
    every: int

    def describe(self) -> str:
        """The plan in lines, for the user."""
        every = f"every {self.every} epochs" if self.every > 1 else "every epoch"
        edge = f", images at a long edge of {self.long_edge}" if self.long_edge else ""
        return (
            f"plan     {count(self.epochs, 'epoch')}, {count(self.steps, 'step')} of "
            f"{count(self.batch, 'crop')} of "
            f"{self.crop}{edge}\n         rate {self.lr:g} after {self.warmup} steps of warm-up, "
            f"{self.precision}, validated {every}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON holds it."""
        return {**dataclasses.asdict(self), "crop": str(self.crop)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """The inverse of ``to_dict``; TypeError, LookupError or UserError for anything else."""
        return cls(**{**data, "crop": Size.parse(str(data["crop"]))})


def make_plan(
    images: int, size: Size, machine: Machine, choices: Choices, has_classes: bool = False
) -> Plan:
    """Plan a run.

    Args:
        images: Number of training images.
        size: Size of the largest image.
        machine: The machine that it runs on.
        choices: The user's settings.
        has_classes: Whether the weights have the data's classes already.
    """
    is_cpu = machine.device == "cpu"
    edge = CPU_EDGE if is_cpu else GPU_EDGE
    long_edge = edge if max(size) > edge else None
    factor = min(1.0, edge / max(size))
    crop = _choose_crop(size, factor, CPU_AREA if is_cpu else GPU_AREA)
    batch = choices.batch or _choose_batch(images, crop.height * crop.width, machine)
    crop = _require_values(crop, batch)
    area = crop.height * crop.width
    steps_an_epoch = max(1, images // batch)
    cores = min(8.0, max(1.0, machine.cores / 2))
    budget = (CPU_PIXELS + CPU_PIXELS_IMAGE * images) * (cores if is_cpu else GPU_FACTOR)
    wanted = max(FEWEST_STEPS, budget / (batch * area))
    epochs = choices.epochs or max(1, min(MOST_EPOCHS, round(wanted / steps_an_epoch)))
    steps = epochs * steps_an_epoch
    shown = math.sqrt(area / (size.height * size.width * factor**2))
    return Plan(
        epochs=epochs,
        steps=steps,
        warmup=min(50, steps // 10),
        batch=batch,
        crop=crop,
        long_edge=long_edge,
        lr=choices.lr or (RATE if has_classes else NEW_RATE),
        ema=max(0.0, min(0.999, 1 - 10 / steps)),
        scale_min=round(min(0.75, max(0.5, shown)), 2),
        scale_max=1.5,
        precision="bf16" if machine.has_bf16 else "fp32",
        workers=min(CPU_WORKERS if is_cpu else GPU_WORKERS, machine.cores),
        every=max(1, math.ceil(epochs / MOST_VALIDATIONS)),
    )


def make_experiment(plan: Plan, choices: Choices, model: str, data: Path, out: Path) -> Experiment:
    """The experiment of a plan.

    Args:
        plan: The plan.
        choices: The user's settings.
        model: The network of the weights, by its registry name.
        data: The description of the data.
        out: The run folder.
    """
    return Experiment(
        recipe="finetune",
        model=ModelConfig(
            name=model, weights=choices.weights, replace_head=True, freeze_norms=plan.batch < 2
        ),
        data=DataConfig(
            name=str(data),
            long_edge=plan.long_edge,
            class_uniform=0.5,
            class_uniform_tile=128,
            crop=plan.crop,
            scale_min=plan.scale_min,
            scale_max=plan.scale_max,
            batch=plan.batch,
            workers=plan.workers,
        ),
        loss=LossConfig(
            main="image_weighted", weighting="inverse", weight_bound=0.02, lovasz_weight=1.0
        ),
        optim=OptimConfig(
            optimizer="adamw",
            lr=plan.lr,
            trunk_lr_factor=0.3,
            weight_decay=1e-2,
            epochs=plan.epochs,
            poly_exponent=1.0,
            schedule_unit="step",
            warmup_steps=plan.warmup,
            ema_decay=plan.ema,
        ),
        eval=EvalConfig(every=plan.every),
        runtime=RuntimeConfig(
            out=out,
            seed=choices.seed,
            device=choices.device,
            precision="bf16" if plan.precision == "bf16" else "fp32",
            save_minutes=1.0,
            log_every=max(1, min(10, plan.steps // 50)),
        ),
    )


def _choose_crop(size: Size, factor: float, largest: int) -> Size:
    """The image's own size if it is small enough, else its shape at the largest area; sides are
    multiples of the coarsest stride.
    """
    height, width = size.height * factor, size.width * factor
    shrink = min(1.0, math.sqrt(largest / (height * width)))
    sides = (max(2 * STRIDE, STRIDE * round(side * shrink / STRIDE)) for side in (height, width))
    return Size(*sides)


def _require_values(crop: Size, batch: int) -> Size:
    """The crop, enlarged if its batch would have too few values for batch norm."""
    height, width = crop
    stride = 2 * STRIDE
    while batch * math.ceil(height / stride) * math.ceil(width / stride) < FEWEST_VALUES:
        height, width = height + STRIDE, width + STRIDE
    return Size(height, width)


def _choose_batch(images: int, area: int, machine: Machine) -> int:
    """Four on a CPU and sixteen on a GPU; fewer if memory or the number of images requires it."""
    if machine.device == "cpu":
        return max(1, min(4, images))
    fitting = int(0.7 * machine.memory / (GPU_BYTES_PIXEL * area))
    return max(1, min(16, fitting, max(1, images // 2)))
