"""HMSA's recipes for Cityscapes (arXiv 2005.10821, section 4; METHOD sections 5 and 6)."""

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


def cityscapes_hrnet48_ocr_hier() -> Experiment:
    """HMSA on Cityscapes' fine labels: HRNetV2-W48, OCR, hierarchical attention.

    Command: hierseg train cityscapes-hrnet48-ocr-hier --data.root CITYSCAPES
        --init ocrnet.HRNet_industrious-chicken.pth --replace-head --runtime.out RUN
    Start: an HRNet-OCR trained on Mapillary; that of mapillary-hrnet48-ocr will do.
    Hardware: 8 GPUs, a crop each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: 84.7 on val with evaluate --preset cityscapes (HMSA); not measured here.
    """
    return Experiment(
        recipe="cityscapes-hrnet48-ocr-hier",
        model=ModelConfig(name="hrnet48-ocr-hier"),
        data=DataConfig(
            name="cityscapes",
            class_uniform=0.5,
            class_uniform_tile=1024,
            crop=Size(1024, 2048),
            scale_min=0.5,
            scale_max=2.0,
            color_jitter=0.25,
            batch=1,
            workers=4,
        ),
        loss=LossConfig(main="rmi", auxiliary_weight=0.4, per_scale_weight=0.05),
        optim=OptimConfig(
            optimizer="sgd",
            lr=5e-3,
            momentum=0.9,
            weight_decay=1e-4,
            epochs=175,
            schedule="poly",
            poly_exponent=2.0,
        ),
        eval=EvalConfig(scales=(0.5, 1.0, 2.0)),
        runtime=RuntimeConfig(precision="bf16"),
    )


def cityscapes_hrnet48_ocr_hier_auto() -> Experiment:
    """HMSA's best on Cityscapes: with auto-labels of the coarse images.

    Command: hierseg train cityscapes-hrnet48-ocr-hier-auto --data.root CITYSCAPES
        --init ocrnet.HRNet_industrious-chicken.pth --replace-head --runtime.out RUN
    Data: CITYSCAPES/autolabelled, by hierseg autolabel on train_extra, without the area
        near the images' edges. The auto-labelled crops stay to the end: the published script sets
        max_cu_epoch to 150, which had no effect there, so that no --data.extra-until is set here.
    Hardware: 16 GPUs, a crop each: two nodes of torchrun --nnodes 2 --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: 86.8 on val with evaluate --preset cityscapes (HMSA); not measured here.
    """
    base = cityscapes_hrnet48_ocr_hier()
    return replace(
        base,
        recipe="cityscapes-hrnet48-ocr-hier-auto",
        data=replace(base.data, extra="auto", mask_outer=True),
        optim=replace(base.optim, lr=1e-2),
    )


def cityscapes_deeplabv3plus_wrn38() -> Experiment:
    """DeepLabV3+ on WideResNet-38, one scale, plain cross-entropy, for smaller cards.

    Command: hierseg train cityscapes-deeplabv3plus-wrn38 --data.root CITYSCAPES
        --init-trunk wider_resnet38.pth.tar --runtime.out RUN
    Hardware: 8 GPUs of 16 GB, a crop each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: not stated; not measured here.
    """
    base = cityscapes_hrnet48_ocr_hier()
    return replace(
        base,
        recipe="cityscapes-deeplabv3plus-wrn38",
        model=replace(base.model, name="deeplabv3plus-wrn38"),
        data=replace(base.data, crop=Size(800, 800)),
        loss=LossConfig(main="cross_entropy"),
        eval=EvalConfig(),
    )
