"""VPLR's recipes (arXiv 1812.01593; METHOD sections 4 to 6, 8): boundary relaxation, DeepLabV3+.

Those on Cityscapes and CamVid take propagated frames in too, the other half of the paper, where
`hierseg propagate` has made them in the data set's folder ``propagated``.
"""

from __future__ import annotations

from dataclasses import replace

from hierseg.config import (
    DataConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.size import Size

BORDER_CLASSES = ("5", "6", "7", "11", "12", "17", "18")
"""Thin or small: pole, traffic light, traffic sign, person, rider, motorcycle, bicycle."""
BOOSTED_CLASSES = ("14", "15", "16", "3", "12", "17", "4")
"""Rare: truck, bus, train, wall, rider, motorcycle, fence."""


def vplr_mapillary_wrn38() -> Experiment:
    """VPLR's DeepLabV3+ on WideResNet-38, on Mapillary Vistas: the start of its Cityscapes recipes.

    Command: hierseg train vplr-mapillary-wrn38 --data.root VISTAS
        --init-trunk wider_resnet38.pth.tar --runtime.out RUN
    Validation: the central 1536x1536 of images whose shorter side is brought to 1536 pixels. The
        published one brings the height there, which differs in upright images alone; labels are
        counted at their own size here.
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: not stated; not measured here.
    """
    return Experiment(
        recipe="vplr-mapillary-wrn38",
        model=ModelConfig(name="vplr-wrn38"),
        data=DataConfig(
            name="mapillary",
            val_short_edge=1536,
            val_crop=Size(1536, 1536),
            class_uniform=0.5,
            class_uniform_tile=1024,
            crop=Size(896, 896),
            scale_min=0.5,
            scale_max=2.0,
            color_jitter=0.25,
            blur="gaussian",
            batch=2,
            workers=4,
        ),
        loss=LossConfig(main="image_weighted", weight_bound=6.0, sum_images=2),
        optim=OptimConfig(
            optimizer="sgd",
            lr=2e-2,
            momentum=0.9,
            weight_decay=1e-4,
            epochs=175,
            schedule="poly",
            poly_exponent=1.0,
        ),
        runtime=RuntimeConfig(precision="bf16"),
    )


def vplr_mapillary_seresnext50() -> Experiment:
    """VPLR's DeepLabV3+ on SE-ResNeXt-50, on Mapillary Vistas: as on WideResNet-38.

    Command: hierseg train vplr-mapillary-seresnext50 --data.root VISTAS --runtime.out RUN
    Start: ImageNet weights of SE-ResNeXt-50, where they are available.
    Validation: as vplr-mapillary-wrn38.
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: not stated; not measured here.
    """
    base = vplr_mapillary_wrn38()
    return replace(
        base,
        recipe="vplr-mapillary-seresnext50",
        model=replace(base.model, name="vplr-seresnext50"),
    )


def vplr_cityscapes_wrn38() -> Experiment:
    """VPLR's DeepLabV3+ on WideResNet-38, on Cityscapes, relaxed along borders through epoch 100.

    Command: hierseg train vplr-cityscapes-wrn38 --data.root CITYSCAPES
        --init MAPILLARY_RUN --replace-head --runtime.out RUN
    Start: the run of vplr-mapillary-wrn38.
    Data: cross-validation split 2, as published; the coarse images of train_extra lend crops of
        seven rare classes until epoch 150, and so do for all classes the propagated frames of one
        step, where CITYSCAPES/propagated has them (--data.extra-step for another).
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: about 14 hours on 8 V100 (published).
    Expected mIoU: 81.4 without propagated frames, 83.5 on test with them (VPLR); not measured here.
    """
    return Experiment(
        recipe="vplr-cityscapes-wrn38",
        model=ModelConfig(name="vplr-wrn38"),
        data=DataConfig(
            name="cityscapes",
            cv=2,
            extra="coarse",
            extra_step=1,
            propagated_if_found=True,
            boost_classes=BOOSTED_CLASSES,
            extra_until=150,
            class_uniform=0.5,
            class_uniform_tile=1024,
            crop=Size(896, 896),
            scale_min=0.5,
            scale_max=2.0,
            color_jitter=0.25,
            blur="gaussian",
            batch=2,
            workers=4,
        ),
        loss=LossConfig(
            main="boundary_relaxed",
            strict_border_classes=BORDER_CLASSES,
            relax_until=100,
            sum_images=2,
        ),
        optim=OptimConfig(
            optimizer="sgd",
            lr=1e-3,
            momentum=0.9,
            weight_decay=1e-4,
            epochs=175,
            schedule="scl-poly",
            poly_exponent=1.0,
            turn=100,
            rescale=1.0,
            turn_exponent=1.5,
        ),
        runtime=RuntimeConfig(precision="bf16"),
    )


def vplr_cityscapes_seresnext50() -> Experiment:
    """VPLR's DeepLabV3+ on SE-ResNeXt-50, on Cityscapes' standard split: else as WideResNet-38.

    Command: hierseg train vplr-cityscapes-seresnext50 --data.root CITYSCAPES
        --init MAPILLARY_RUN --replace-head --runtime.out RUN
    Start: the run of vplr-mapillary-seresnext50.
    Data: as vplr-cityscapes-wrn38, but for split 0.
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: about 9 hours on 8 V100 (published).
    Expected mIoU: 80.0 without propagated frames (VPLR); not measured here.
    """
    base = vplr_cityscapes_wrn38()
    return replace(
        base,
        recipe="vplr-cityscapes-seresnext50",
        model=replace(base.model, name="vplr-seresnext50"),
        data=replace(base.data, cv=0),
    )


def vplr_kitti_wrn38() -> Experiment:
    """VPLR's network on KITTI's 200 images, from Cityscapes' weights.

    Command: hierseg train vplr-kitti-wrn38 --data.root KITTI
        --init cityscapes_best.pth --runtime.out RUN
    Data: split 2 of the three published (--data.cv); images at their own size.
    Hardware: 8 GPUs, two crops each: the command behind torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: 72.8 on test at 1.5 2 2.5 (VPLR); not measured here.
    """
    base = vplr_mapillary_wrn38()
    return replace(
        base,
        recipe="vplr-kitti-wrn38",
        data=replace(
            base.data,
            name="kitti",
            cv=2,
            val_short_edge=None,
            val_crop=None,
            crop=Size(360, 360),
            scale_min=1.0,
            class_uniform_tile=300,
            blur="none",
        ),
        loss=replace(base.loss, weight_bound=1.0),
        optim=replace(base.optim, lr=1e-3, epochs=90),
    )


def vplr_camvid_wrn38() -> Experiment:
    """VPLR's network on CamVid's train and val together, from Cityscapes' weights.

    Command: hierseg train vplr-camvid-wrn38 --data.root CAMVID
        --init cityscapes_best.pth --replace-head --runtime.out RUN
    Data: frames at 720x960, as published, whatever their size in CAMVID. Val is trained on too:
        its mIoU along the way says whether training goes on, the result is that of test. Propagated
        frames of one step lend crops around classes, where CAMVID/propagated has them.
    Choices: no script was published. Crop, tile, blur, rate, schedule and epochs are chosen here:
        those of Cityscapes where frames of this size allow; the strict classes are Cityscapes' by
        their names here.
    Hardware: not stated; 8 GPUs as for Cityscapes, by torchrun --nproc-per-node 8 -m.
    Precision: mixed bf16, which needs no scaling of the loss, in place of fp16.
    Time: not stated.
    Expected mIoU: 82.9 on test at one scale, with propagated frames (VPLR); not measured here.
    """
    base = vplr_cityscapes_wrn38()
    strict = ("pole", "sign", "pedestrian", "bicyclist")
    return replace(
        base,
        recipe="vplr-camvid-wrn38",
        data=replace(
            base.data,
            name="camvid",
            train_split="train+val",
            cv=0,
            extra="propagated",
            boost_classes=None,
            extra_until=None,
            long_edge=960,
            crop=Size(640, 640),
            class_uniform_tile=128,
        ),
        loss=replace(base.loss, strict_border_classes=strict),
    )
