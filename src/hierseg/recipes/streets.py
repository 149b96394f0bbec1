"""Recipes for Miniature Streets, the generated scenes of `hierseg streets`."""

from __future__ import annotations

from hierseg.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.size import Size


def streets_lite0() -> Experiment:
    """The model of the demonstration: the small network on Miniature Streets of 256x512.

    Command: hierseg train streets-lite0 --data.root STREETS --runtime.out runs/streets-lite0
    Data: hierseg streets --out STREETS --count 2000 --val-fraction 0.05 --size 256x512 --seed 0
    Hardware: two CPU cores with bf16 (AVX512-BF16 or AMX).
    Time: 8 minutes.
    Expected mIoU: 0.72 on scenes of another seed at 0.5 1.
    """
    return Experiment(
        recipe="streets-lite0",
        model=ModelConfig(name="lite0-ocr-hier"),
        data=DataConfig(
            name="cityscapes",
            class_uniform=0.0,
            class_uniform_tile=128,
            crop=Size(256, 512),
            scale_min=0.75,
            scale_max=1.5,
            batch=4,
        ),
        loss=LossConfig(
            main="image_weighted", weighting="inverse", weight_bound=0.03, auxiliary_weight=0.4
        ),
        optim=OptimConfig(
            optimizer="adamw",
            lr=2e-3,
            trunk_lr_factor=0.5,
            weight_decay=1e-2,
            epochs=1,
            poly_exponent=1.0,
            schedule_unit="step",
            warmup_steps=40,
        ),
        eval=EvalConfig(scales=(0.5, 1.0), every=10),
        runtime=RuntimeConfig(precision="bf16"),
    )
