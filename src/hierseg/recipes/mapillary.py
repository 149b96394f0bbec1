"""HMSA's recipes for Mapillary Vistas v1.2 (arXiv 2005.10821, section 4; METHOD sections 5, 6)."""

from __future__ import annotations

from dataclasses import replace

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


def mapillary_hrnet48_ocr_hier() -> Experiment:
    """HMSA on Mapillary Vistas: HRNetV2-W48, OCR, hierarchical attention, 65 classes.

    Command: hierseg train mapillary-hrnet48-ocr-hier --data.root VISTAS
        --init-trunk hrnetv2_w48_imagenet_pretrained.pth --runtime.out RUN
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: 61.05 on val with evaluate --preset mapillary (HMSA); not measured here.
    """
    return Experiment(
        recipe="mapillary-hrnet48-ocr-hier",
        model=ModelConfig(name="hrnet48-ocr-hier"),
        data=DataConfig(
            name="mapillary",
            long_edge=2177,
            class_uniform=0.5,
            class_uniform_tile=1024,
            crop=Size(1024, 1024),
            scale_min=0.5,
            scale_max=2.0,
            color_jitter=0.25,
            blur="gaussian",
            batch=2,
            workers=4,
        ),
        loss=LossConfig(main="rmi", auxiliary_weight=0.4),
        optim=OptimConfig(
            optimizer="sgd",
            lr=5e-3,
            momentum=0.9,
            weight_decay=1e-4,
            epochs=200,
            schedule="poly",
            poly_exponent=1.0,
        ),
        # Four scales with flip, as for 61.05, cost twice as much; evaluate with them at the end.
        eval=EvalConfig(scales=(0.5, 1.0, 2.0)),
        runtime=RuntimeConfig(precision="bf16"),
    )


def mapillary_hrnet48_ocr() -> Experiment:
    """HRNet-OCR at one scale on Mapillary Vistas: what the Cityscapes recipes start from.

    Command: hierseg train mapillary-hrnet48-ocr --data.root VISTAS
        --init-trunk hrnetv2_w48_imagenet_pretrained.pth --runtime.out RUN
    Choices: No script of it was published; the settings are the hierarchical network's.
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: not stated; not measured here.
    """
    base = mapillary_hrnet48_ocr_hier()
    return replace(
        base,
        recipe="mapillary-hrnet48-ocr",
        model=replace(base.model, name="hrnet48-ocr"),
        eval=EvalConfig(),
    )
